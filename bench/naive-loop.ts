/**
 * The loop that the source document describes (S0 2.2): select the runs that overlap an hour, intersect each in the
 * program, insert 100 rows a statement. Faithful and not slowed down: integers, a cursor where the rows would not fit
 * into memory, one transaction.
 */
import type pg from 'pg';
import type { Span } from '../domain/period.js';

const ROWS_A_FETCH = 50_000;
const ROWS_A_STATEMENT = 100;

const TABLE = `
  create table if not exists naive_hour (
    period_start_at_ms bigint, usage_key integer, run_ms bigint, milli_gpu_ms bigint,
    primary key (period_start_at_ms, usage_key)
  )`;

const OVERLAPPING = `
  declare overlapping no scroll cursor for
  select usage_key, milli_gpus, started_at_ms, ended_at_ms from run
  where started_at_ms < $1 and (ended_at_ms >= $2 or ended_at_ms is null)`;

interface OverlappingRun {
  readonly usage_key: number;
  readonly milli_gpus: number;
  readonly started_at_ms: string;
  readonly ended_at_ms: string | null;
}

/** Aggregates one hour into `naive_hour`. */
export async function naiveHour(client: pg.Client, hour: Span): Promise<void> {
  const { startAtMs, endAtMs } = hour;
  await client.query('begin');
  await client.query(OVERLAPPING, [endAtMs, startAtMs]);
  const usage = new Map<number, { runMs: number; milliGpuMs: number }>();
  for (;;) {
    const { rows } = await client.query<OverlappingRun>(`fetch ${ROWS_A_FETCH} from overlapping`);
    if (rows.length === 0) break;
    for (const row of rows) {
      const from = Math.max(Number(row.started_at_ms), startAtMs);
      const to = Math.min(row.ended_at_ms === null ? endAtMs : Number(row.ended_at_ms), endAtMs);
      const sums = usage.get(row.usage_key) ?? { runMs: 0, milliGpuMs: 0 };
      sums.runMs += to - from;
      sums.milliGpuMs += (to - from) * row.milli_gpus;
      usage.set(row.usage_key, sums);
    }
  }
  const rows = [...usage].map(([key, { runMs, milliGpuMs }]) => [
    startAtMs,
    key,
    runMs,
    milliGpuMs,
  ]);
  for (let at = 0; at < rows.length; at += ROWS_A_STATEMENT) {
    const values = rows.slice(at, at + ROWS_A_STATEMENT);
    const places = values.map((row, n) => `(${row.map((_, m) => `$${n * 4 + m + 1}`).join(', ')})`);
    await client.query(`insert into naive_hour values ${places.join(', ')}`, values.flat());
  }
  await client.query('commit');
}

/** Makes the loop's table; again, empties it. */
export async function emptyNaiveHours(client: pg.Client): Promise<void> {
  await client.query(TABLE);
  await client.query('truncate naive_hour');
}
