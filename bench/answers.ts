/**
 * Answers as sums, so that those of different engines can be compared: how many rows, how much, and a sum in which every
 * key and hour has a weight of its own. Owns the expression; each engine puts it to its own rows.
 */
import type pg from 'pg';
import type { Span } from '../domain/period.js';

/** Sums over rows (hour_at_ms, usage_key, run_ms, milli_gpu_ms), in the SQL that PostgreSQL and DuckDB share. */
export function answerSums(wide: 'numeric' | 'hugeint'): string {
  return `
    count(*)::text as rows, sum(run_ms::${wide})::text as run_ms, sum(milli_gpu_ms::${wide})::text as milli_gpu_ms,
    sum(((hour_at_ms / 3600000) % 9973 * 7919 + usage_key) * run_ms::${wide})::text as weighed`;
}

export interface Answer {
  readonly rows: string;
  readonly run_ms: string;
  readonly milli_gpu_ms: string;
  readonly weighed: string;
}

/** The answer of a table or sub-select of PostgreSQL with those four columns. */
export async function answerOf(client: pg.Client, relation: string): Promise<Answer | undefined> {
  const { rows } = await client.query<Answer>(
    `select ${answerSums('numeric')} from ${relation} answer (hour_at_ms, usage_key, run_ms, milli_gpu_ms)`,
  );
  return rows[0];
}

/** The product's hours that lie in a span. */
export function usageHours(
  client: pg.Client,
  { startAtMs, endAtMs }: Span,
): Promise<Answer | undefined> {
  return answerOf(
    client,
    `(select period_start_at_ms, usage_key, run_ms, milli_gpu_ms from usage_hour
      where period_start_at_ms >= ${startAtMs} and period_start_at_ms < ${endAtMs})`,
  );
}
