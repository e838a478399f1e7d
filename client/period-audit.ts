/** Audits that programs and people ask for. Owns nothing of what is compared: db/period-audit.ts. */
import type { Database } from '../db/database.js';
import { auditBooks } from '../db/period-audit.js';
import { cleanBooks, type CleanResult } from '../db/stray-rows.js';
import type { AuditReport } from '../domain/audit.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import type { RangeAt } from './period-list.js';

export interface AuditOptions {
  readonly rangeAt: RangeAt;
  /** Periods of each granularity, 1 to 1,000,000; null: all. */
  readonly sample: number | null;
  /** What draws the sample, 0 to 4,294,967,295; null: the clock. The report names it. */
  readonly seed: number | null;
}

export const MOST_SAMPLED = 1_000_000;
export const GREATEST_SEED = 2 ** 32 - 1;

/**
 * Recomputes the good periods that lie wholly in the range from the runs and compares rows and digests; writes one row
 * of `audit`. Findings are returned, the first 1,000. LIMIT_INVALID for sample and seed, and the errors of `rangeAt`.
 */
export async function auditPeriods(
  database: Database,
  calendar: Calendar,
  options: AuditOptions,
  onProgress: (progress: { done: number; of: number }) => void,
): Promise<AuditReport> {
  const { rangeAt, sample, seed } = options;
  if (sample !== null) requireInteger('--sample', sample, 1, MOST_SAMPLED);
  if (seed !== null) requireInteger('--seed', seed, 0, GREATEST_SEED);
  const request = { askedBy: 'command' as const, rangeAt, sample, seed };
  return auditBooks(database, calendar, request, { onProgress, isCancelled: () => false });
}

function requireInteger(flag: string, value: number, from: number, to: number): void {
  if (Number.isSafeInteger(value) && value >= from && value <= to) return;
  throw new JobhoursError('LIMIT_INVALID', `${flag} is ${value}: expected ${from} to ${to}`);
}

/**
 * Removes what an audit finds and no build replaces: rows of the ledger that are no period of the calendar or end in
 * the future, and rows of usage that no row of the ledger vouches for. Returns how many. Errors of `rangeAt`.
 */
export function cleanPeriods(
  database: Database,
  calendar: Calendar,
  rangeAt: RangeAt,
): Promise<CleanResult> {
  return cleanBooks(database, calendar, rangeAt);
}
