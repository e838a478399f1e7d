/**
 * The usual way in one statement: a row for each run and hour it touches, then group. Owns the statement, for PostgreSQL
 * here and for DuckDB in duckdb.ts.
 */
import type pg from 'pg';
import type { Span } from '../domain/period.js';
import { MS_PER_HOUR } from '../domain/units.js';

/**
 * Usage of the whole hours of a span. A run that ends with an hour has a row of 0 ms in the next one, as in the books:
 * there it is counted as ended.
 */
export function expansionSql({ startAtMs, endAtMs }: Span, series: string): string {
  return `
    select hour * ${MS_PER_HOUR} as hour_at_ms, usage_key,
      sum(least(coalesce(ended_at_ms, ${endAtMs}), hour * ${MS_PER_HOUR} + ${MS_PER_HOUR})
        - greatest(started_at_ms, hour * ${MS_PER_HOUR})) as run_ms,
      sum((least(coalesce(ended_at_ms, ${endAtMs}), hour * ${MS_PER_HOUR} + ${MS_PER_HOUR})
        - greatest(started_at_ms, hour * ${MS_PER_HOUR})) * milli_gpus) as milli_gpu_ms
    from (
      select usage_key, milli_gpus, started_at_ms, ended_at_ms, ${series} as hour
      from run
      where started_at_ms < ${endAtMs} and (ended_at_ms >= ${startAtMs} or ended_at_ms is null)
    ) expanded
    group by 1, 2`;
}

/** Hours from the first to the last that a run touches in the span: the two are put into `template` as {first}, {last}. */
export function touchedHours(span: Span, divide: string, template: string): string {
  const first = span.startAtMs / MS_PER_HOUR;
  const last = span.endAtMs / MS_PER_HOUR - 1;
  return template
    .replace('{first}', `greatest(${first}, started_at_ms ${divide} ${MS_PER_HOUR})`)
    .replace(
      '{last}',
      `least(${last}, coalesce(ended_at_ms, ${span.endAtMs - 1}) ${divide} ${MS_PER_HOUR})`,
    );
}

/** Expands in PostgreSQL into a new table `expanded_hour`, without an index. */
export async function expandInPostgres(client: pg.Client, span: Span): Promise<void> {
  const series = touchedHours(span, '/', 'generate_series({first}, {last})');
  await client.query('drop table if exists expanded_hour');
  await client.query(`create table expanded_hour as ${expansionSql(span, series)}`);
}
