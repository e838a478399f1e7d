/**
 * Looking at backfills: what was asked for, how far it is, what failed. Everything is read from PostgreSQL, so it works
 * without Temporal.
 */
import {
  backfillFailures,
  countLedgerHours,
  findBackfill,
  listBackfills as readBackfills,
  type Backfill,
  type BackfillFailure,
} from '../db/backfill-store.js';
import type { Session } from '../db/database.js';
import { readLedgerState } from '../db/ledger-store.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import type { PeriodKey, Span } from '../domain/period.js';
import { quotedValue } from '../domain/quoted-value.js';
import { MS_PER_SECOND } from '../domain/units.js';

export type { Backfill } from '../db/backfill-store.js';
export { REPROCESS, type Reprocess } from '../domain/backfill-plan.js';
export { MOST_LANES, type BackfillRequest } from './backfill-request.js';

export interface BackfillProgress {
  /** Hours of the range that are done. */
  readonly done: number;
  readonly of: number;
  /** At the speed of the last 30 s; null: nothing is left, or nothing moves. */
  readonly leftMs: number | null;
}

/** The backfill. NOT_FOUND when it is null. */
export function requireBackfill(backfill: Backfill | null, name: string): Backfill {
  if (backfill !== null) return backfill;
  throw new JobhoursError('NOT_FOUND', `there is no backfill ${quotedValue(name)}`);
}

/** Hours of the calendar that touch a range. */
export function countHours(calendar: Calendar, range: Span): number {
  let hours = 0;
  for (const _ of calendar.periodsTouching('hour', range)) hours += 1;
  return hours;
}

/** The present speed is that of the last seconds. */
const LATELY_MS = 30 * MS_PER_SECOND;

/**
 * How many of the `hours` of its range the ledger holds (with `stale` those that fit, with `all` those built since it was
 * created), and at the present speed how long the others take.
 */
export async function progressOf(
  session: Session,
  backfill: Backfill,
  hours: number,
): Promise<BackfillProgress> {
  const { createdAtMs, reprocess, endedAtMs, pausedAtMs } = backfill;
  const found = await countLedgerHours(session, backfill, createdAtMs, LATELY_MS);
  const done =
    reprocess === 'all' ? found.hoursSince : await fitting(session, backfill, found.hours, hours);
  const left = hours - done;
  const latelyMs = Math.min(LATELY_MS, Math.max(1, found.nowMs - createdAtMs));
  const built = Math.min(found.hoursLately, found.hoursSince);
  const isMoving = endedAtMs === null && pausedAtMs === null && built > 0 && left > 0;
  return { done, of: hours, leftMs: isMoving ? Math.ceil((left * latelyMs) / built) : null };
}

/** Which hours are stale is asked only when none is missing any more: it takes longer than counting. */
async function fitting(
  session: Session,
  { startAtMs, endAtMs, reprocess, endedAtMs }: Backfill,
  inLedger: number,
  hours: number,
): Promise<number> {
  if (reprocess === 'missing' || endedAtMs !== null || inLedger < hours) return inLedger;
  const { stale } = await readLedgerState(session);
  const isInRange = ({ granularity, startAtMs: at }: PeriodKey): boolean =>
    granularity === 'hour' && at >= startAtMs && at < endAtMs;
  return inLedger - stale.filter(isInRange).length;
}

/** The newest backfills, at most `limit`. */
export function listBackfills(session: Session, limit: number): Promise<Backfill[]> {
  return readBackfills(session, limit);
}

export interface ShownBackfill {
  readonly backfill: Backfill;
  readonly progress: BackfillProgress;
  /** The first failures in its range that nothing has mended since. */
  readonly failures: readonly BackfillFailure[];
}

const SHOWN_FAILURES = 20;

/** One backfill with what the ledger says about its range. NOT_FOUND. */
export async function showBackfill(
  session: Session,
  calendar: Calendar,
  name: string,
): Promise<ShownBackfill> {
  const backfill = requireBackfill(await findBackfill(session, name), name);
  const failures = await backfillFailures(session, calendar, backfill);
  return {
    backfill,
    progress: await progressOf(session, backfill, countHours(calendar, backfill)),
    failures: failures.slice(0, SHOWN_FAILURES),
  };
}
