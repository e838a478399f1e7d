/**
 * The columns of usage in csv, json and jsonl, and their values, both ways. Owns the columns and the exact texts of
 * amounts; formats are printed by commands.
 */
import type { Amounts } from '../db/usage-store.js';
import { gpuHoursText, gpuMsText, hoursText, instantText } from '../domain/units.js';
import type { Cell } from './csv-text.js';
import type { UsageRow } from './usage-report.js';

/** Columns of csv, json and jsonl: a contract, new ones are appended. */
export const USAGE_COLUMNS = [
  'period_start',
  'period_end',
  'label',
  'user',
  'space',
  'pool',
  'run_ms',
  'gpu_ms',
  'run_hours',
  'gpu_hours',
  'runs_started',
  'runs_ended',
  'runs_carried_in',
  'state',
] as const;
export type UsageColumn = (typeof USAGE_COLUMNS)[number];
export type UsageRecord = Readonly<Record<UsageColumn, Cell>>;

/** Exact amounts as columns: `run_ms` and `gpu_ms` decimal text, `gpu_ms` with at most 3 decimals. */
export interface AmountColumns {
  readonly run_ms: string;
  readonly gpu_ms: string;
  readonly runs_started: number;
  readonly runs_ended: number;
  readonly runs_carried_in: number;
}

export function amountColumns(amounts: Amounts): AmountColumns {
  return {
    run_ms: String(amounts.runMs),
    gpu_ms: gpuMsText(amounts.milliGpuMs),
    runs_started: Number(amounts.runsStarted),
    runs_ended: Number(amounts.runsEnded),
    runs_carried_in: Number(amounts.runsCarriedIn),
  };
}

/** The amounts that columns say, exact; counts may be text, as in csv. */
export function amountsOfColumns(
  columns: Readonly<Record<keyof AmountColumns, string | number>>,
): Amounts {
  const [whole = '', fraction = ''] = String(columns.gpu_ms).split('.');
  return {
    runMs: BigInt(columns.run_ms),
    milliGpuMs: BigInt(whole + fraction.padEnd(3, '0')),
    runsStarted: BigInt(columns.runs_started),
    runsEnded: BigInt(columns.runs_ended),
    runsCarriedIn: BigInt(columns.runs_carried_in),
  };
}

/** A row of a report as a record; instants are ISO 8601 UTC with ms, hours rounded half to even at 6 digits. */
export function usageRecord(row: UsageRow): UsageRecord {
  return {
    period_start: instantText(row.startAtMs),
    period_end: instantText(row.endAtMs),
    label: row.label,
    user: row.user,
    space: row.space,
    pool: row.pool,
    ...amountColumns(row),
    run_hours: hoursText(row.runMs),
    gpu_hours: gpuHoursText(row.milliGpuMs),
    state: row.state,
  };
}
