/**
 * What an operator asks of a backfill, checked. Owns the bounds of its range (B68), its name and its lanes; creating
 * it is client/backfill.ts.
 */
import { databaseNowMs, firstRunAtMs } from '../db/books-store.js';
import type { Session } from '../db/database.js';
import type { Reprocess } from '../domain/backfill-plan.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import type { Span } from '../domain/period.js';
import { quotedValue } from '../domain/quoted-value.js';
import { dueEndAtMs } from '../domain/reach.js';
import { instantText, MS_PER_DAY } from '../domain/units.js';

export interface BackfillRequest {
  /** Instant, widened to the start of its hour; `oldest` = the oldest run's. */
  readonly start: number | 'oldest';
  /** Instant (exclusive), widened to the end of its hour; `now` = the end of the last due hour. */
  readonly end: number | 'now';
  /** Pieces that are built side by side, 1 to 16. */
  readonly lanes: number;
  readonly reprocess: Reprocess;
  /** Null: a name made of the database's clock. */
  readonly name: string | null;
  /** The books may be made to begin long before the oldest run. Absent: they may not. */
  readonly mayPrecedeRecords?: boolean;
}

export const MOST_LANES = 16;
const LONGEST_NAME = 100;

/** LIMIT_INVALID for lanes, USAGE for the name, RANGE_INVALID for a range that ends before it starts. */
export function requireValid({ start, end, lanes, name }: BackfillRequest): void {
  if (!Number.isInteger(lanes) || lanes < 1 || lanes > MOST_LANES) {
    throw new JobhoursError('LIMIT_INVALID', `--lanes is ${lanes}: expected 1 to ${MOST_LANES}`);
  }
  if (name !== null && (name.trim() === '' || name.length > LONGEST_NAME || /\p{C}/u.test(name))) {
    throw new JobhoursError(
      'USAGE',
      `--name is ${quotedValue(name)}: expected 1 to ${LONGEST_NAME} characters without control characters`,
    );
  }
  if (typeof start === 'number' && typeof end === 'number' && end <= start) {
    throw new JobhoursError(
      'RANGE_INVALID',
      `the range ends at ${instantText(end)}, which is not after its start ${instantText(start)}`,
    );
  }
}

/** What a year that is typed wrong is beyond, and a cluster's first day is not. */
const LONGEST_BEFORE_RECORDS_MS = 366 * MS_PER_DAY;

/**
 * RANGE_INVALID when the books, which begin at `originAtMs`, would begin at `startAtMs`, more than 366 days before the oldest run: a beginning is
 * never moved back to the future, and every hour since it is expected for ever.
 */
export async function requireNearRecords(
  session: Session,
  { mayPrecedeRecords }: BackfillRequest,
  startAtMs: number,
  originAtMs: number | null,
): Promise<void> {
  if (originAtMs !== null && originAtMs <= startAtMs) return;
  const oldestAtMs = await firstRunAtMs(session);
  const isNear = oldestAtMs === null || startAtMs >= oldestAtMs - LONGEST_BEFORE_RECORDS_MS;
  if (isNear || mayPrecedeRecords === true) return;
  throw new JobhoursError(
    'RANGE_INVALID',
    `--start ${instantText(startAtMs)} is more than a year before the oldest record, ${instantText(oldestAtMs)}, and the books would begin there for ever: say --start oldest, or --before-records when it is meant`,
    { startAtMs, oldestAtMs },
  );
}

export interface RangeContext {
  readonly calendar: Calendar;
  /** A period is due this long after its end. */
  readonly graceMs: number;
}

/**
 * The whole hours that a request covers, and the database's clock. NOT_FOUND when `oldest` finds no run; PERIOD_OPEN
 * when the last hour is not due yet.
 */
export async function rangeOf(
  session: Session,
  { calendar, graceMs }: RangeContext,
  { start, end }: Pick<BackfillRequest, 'start' | 'end'>,
): Promise<Span & { readonly nowMs: number }> {
  const nowMs = await databaseNowMs(session);
  const dueMs = dueEndAtMs({ calendar, nowMs, graceMs }, 'hour');
  const startAtMs = calendar.startOf(
    'hour',
    start === 'oldest' ? await oldestRunAtMs(session) : start,
  );
  const endAtMs = end === 'now' ? dueMs : calendar.periodAt('hour', end - 1).endAtMs;
  if (endAtMs > dueMs || startAtMs >= endAtMs) {
    const asked =
      startAtMs >= endAtMs
        ? `the range begins at ${calendar.localText(startAtMs)}`
        : `the range ends at ${calendar.localText(endAtMs)}`;
    throw new JobhoursError(
      'PERIOD_OPEN',
      `${asked}; only hours up to ${calendar.localText(dueMs)} are over and due`,
      { startAtMs, endAtMs, dueMs },
    );
  }
  return { startAtMs, endAtMs, nowMs };
}

async function oldestRunAtMs(session: Session): Promise<number> {
  const startedAtMs = await firstRunAtMs(session);
  if (startedAtMs !== null) return startedAtMs;
  throw new JobhoursError('NOT_FOUND', 'no run is stored: import records first, or give --start');
}

/** `20261121-102033-123`: the database's clock in UTC. */
export function usualName(nowMs: number): string {
  return instantText(nowMs)
    .replace('T', '-')
    .replace('.', '-')
    .replace(/[:Z]/g, '')
    .replace(/^(\d{4})-(\d\d)-/, '$1$2');
}
