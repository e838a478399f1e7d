/**
 * A month counted four times: by its own rows, its days', its hours' and from the runs in plain SQL. For the
 * demo's check and for whoever doubts a figure; building and reporting do not use it.
 */
import type { Span } from '../domain/period.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

const sql = statements('tally', {
  'tally-month': {
    params: { startAtMs: 'instant', endAtMs: 'instant' },
    row: {
      month_run_ms: 'numeric',
      days_run_ms: 'numeric',
      hours_run_ms: 'numeric',
      runs_run_ms: 'numeric',
      month_milli_gpu_ms: 'numeric',
      days_milli_gpu_ms: 'numeric',
      hours_milli_gpu_ms: 'numeric',
      runs_milli_gpu_ms: 'numeric',
      differing_keys: 'count',
    },
  },
  'count-contents': {
    params: {},
    row: { runs: 'count', jobs: 'count', users: 'count', spaces: 'count', pools: 'count' },
  },
  'count-periods': { params: {}, row: { granularity: 'text', periods: 'count' } },
});

/** Exact sums over all usage keys. */
interface Amount {
  readonly runMs: bigint;
  readonly milliGpuMs: bigint;
}

/** The same month, four times. Equal unless something is wrong (G1, G2). */
export interface MonthTally {
  readonly month: Amount;
  readonly days: Amount;
  readonly hours: Amount;
  /** Run lengths clipped to the month; a running run counts to its end. */
  readonly runs: Amount;
  /** Usage keys for which the four are not the same. */
  readonly differingKeys: number;
}

/** Counts a month that is over. `month` is a month of the books' calendar. */
export async function tallyMonth(session: Session, month: Span): Promise<MonthTally> {
  const { startAtMs, endAtMs } = month;
  const row = await session.one(sql['tally-month'], { startAtMs, endAtMs });
  return {
    month: { runMs: row.month_run_ms, milliGpuMs: row.month_milli_gpu_ms },
    days: { runMs: row.days_run_ms, milliGpuMs: row.days_milli_gpu_ms },
    hours: { runMs: row.hours_run_ms, milliGpuMs: row.hours_milli_gpu_ms },
    runs: { runMs: row.runs_run_ms, milliGpuMs: row.runs_milli_gpu_ms },
    differingKeys: row.differing_keys,
  };
}

/** How much is in the books. */
export interface Contents {
  readonly runs: number;
  readonly jobs: number;
  readonly users: number;
  readonly spaces: number;
  readonly pools: number;
}

/** Runs, jobs, users, spaces and pools in the books. */
export function countContents(session: Session): Promise<Contents> {
  return session.one(sql['count-contents'], {});
}

/** Periods in the ledger by granularity; a granularity without any is absent. */
export async function countPeriods(session: Session): Promise<ReadonlyMap<string, number>> {
  const rows = await session.rows(sql['count-periods'], {});
  return new Map(rows.map(({ granularity, periods }) => [granularity, periods]));
}
