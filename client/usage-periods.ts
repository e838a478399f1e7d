/**
 * Rows of a report gathered by their period, with exact sums and a digest of what they say. Owns what the digest is
 * made of; where rows come from is client/usage-report.ts.
 */
import { createHash } from 'node:crypto';
import type { Amounts } from '../db/usage-store.js';
import { amountColumns } from './usage-record.js';
import type { UsagePeriod, UsageRow } from './usage-report.js';
import { NO_USAGE, plus } from './usage-sums.js';

/** A period with all its rows, which may be none. */
export interface RowsOfPeriod extends UsagePeriod {
  readonly rows: readonly UsageRow[];
}

/** A period's exact sums over its rows, and their digest. */
export interface PeriodFigures extends UsagePeriod {
  readonly rowCount: number;
  readonly sums: Amounts;
  /** See `digestOf`. */
  readonly digest: string;
}

/** Every one of `periods`, each with its rows. Both come in time order. */
export async function* rowsByPeriod(
  periods: Iterable<UsagePeriod>,
  rows: AsyncIterable<UsageRow>,
): AsyncGenerator<RowsOfPeriod> {
  const source = rows[Symbol.asyncIterator]();
  let next = await source.next();
  for (const period of periods) {
    const own: UsageRow[] = [];
    for (; next.done !== true && next.value.startAtMs === period.startAtMs;) {
      own.push(next.value);
      next = await source.next();
    }
    yield { ...period, rows: own };
  }
}

export function figuresOf({ rows, ...period }: RowsOfPeriod): PeriodFigures {
  const sums = rows.reduce<Amounts>((sum, row) => plus(sum, row, true), NO_USAGE);
  return { ...period, rowCount: rows.length, sums, digest: digestOf(rows) };
}

/**
 * The sha256 (hex) of the rows: for each the JSON text of `[user, space, pool, run_ms, gpu_ms, runs_started,
 * runs_ended, runs_carried_in]` and a line feed. Labels and states are left out: they change by the passing of time.
 */
function digestOf(rows: readonly UsageRow[]): string {
  const hash = createHash('sha256');
  for (const row of rows) {
    const { run_ms, gpu_ms, runs_started, runs_ended, runs_carried_in } = amountColumns(row);
    const values = [run_ms, gpu_ms, runs_started, runs_ended, runs_carried_in];
    hash.update(`${JSON.stringify([row.user, row.space, row.pool, ...values])}\n`);
  }
  return hash.digest('hex');
}
