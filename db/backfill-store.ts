/**
 * Rows of `backfill`: ranges that an operator asked for and how they ended. Owns these rows; what was built is in
 * the ledger, what is running is known by Temporal.
 */
import type { Reprocess } from '../domain/backfill-plan.js';
import type { Calendar } from '../domain/calendar.js';
import type { Granularity, PeriodKey, Span } from '../domain/period.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

/** How its workflow ended. */
export type BackfillEnding = 'completed' | 'cancelled' | 'failed';
export type BackfillOutcome = BackfillEnding | 'completed with failures';

const row = {
  name: 'text',
  start_at_ms: 'instant',
  end_at_ms: 'instant',
  lanes: 'int4',
  reprocess: 'text',
  created_at_ms: 'instant',
  paused_at_ms: 'instant?',
  cancelled_at_ms: 'instant?',
  hours_built: 'count',
  periods_built: 'count',
  periods_failed: 'count',
  ended_at_ms: 'instant?',
  outcome: 'text?',
} as const;

const range = { startAtMs: 'instant', endAtMs: 'instant' } as const;

const sql = statements('backfill', {
  'lock-creation': { params: {}, row: {} },
  insert: {
    params: {
      name: 'text',
      ...range,
      lanes: 'int4',
      reprocess: 'text',
      createdAtMs: 'instant',
    },
    row: {},
  },
  find: { params: { name: 'text' }, row },
  list: { params: { limit: 'count' }, row },
  open: { params: {}, row },
  pause: { params: { name: 'text', isPaused: 'bool' }, row: {} },
  cancel: { params: { name: 'text' }, row: {} },
  end: {
    params: { name: 'text', periodsFailed: 'count', outcome: 'text' },
    row: {},
  },
  'ledger-hours': {
    params: { ...range, sinceAtMs: 'instant', latelyMs: 'count' },
    row: { hours: 'count', hours_since: 'count', hours_lately: 'count', now_ms: 'instant' },
  },
  speed: { params: {}, row: { hours: 'count', ms: 'count' } },
  'failures-since': {
    params: { endAtMs: 'instant', sinceAtMs: 'instant' },
    row: {
      granularity: 'text',
      start_at_ms: 'instant',
      label: 'text',
      code: 'text',
      detail: 'text',
    },
  },
});

/** A range that an operator asked for. */
export interface NewBackfill extends Span {
  readonly name: string;
  /** Pieces that are built side by side, 1 to 16. */
  readonly lanes: number;
  readonly reprocess: Reprocess;
  readonly createdAtMs: number;
}

/** What became of a backfill. */
export interface BackfillCounts {
  readonly hoursBuilt: number;
  /** Of every granularity, hours too. */
  readonly periodsBuilt: number;
  readonly periodsFailed: number;
}

/** A stored backfill. Its counts are 0 until it ended. */
export interface Backfill extends NewBackfill, BackfillCounts {
  /** When an operator paused it; null: it is not paused. */
  readonly pausedAtMs: number | null;
  /** When an operator asked to cancel it. */
  readonly cancelledAtMs: number | null;
  readonly endedAtMs: number | null;
  /** Null exactly while it is open. */
  readonly outcome: BackfillOutcome | null;
}

function backfillOf(raw: Values<typeof row>): Backfill {
  return {
    name: raw.name,
    startAtMs: raw.start_at_ms,
    endAtMs: raw.end_at_ms,
    lanes: raw.lanes,
    reprocess: raw.reprocess as Reprocess,
    createdAtMs: raw.created_at_ms,
    pausedAtMs: raw.paused_at_ms,
    cancelledAtMs: raw.cancelled_at_ms,
    hoursBuilt: raw.hours_built,
    periodsBuilt: raw.periods_built,
    periodsFailed: raw.periods_failed,
    endedAtMs: raw.ended_at_ms,
    outcome: raw.outcome as BackfillOutcome | null,
  };
}

/** Lets one transaction at a time create backfills and move the origin for them, until it ends. */
export async function lockBackfillCreation(session: Session): Promise<void> {
  await session.execute(sql['lock-creation'], {});
}

export async function insertBackfill(session: Session, backfill: NewBackfill): Promise<void> {
  const { name, startAtMs, endAtMs, lanes, reprocess, createdAtMs } = backfill;
  await session.execute(sql.insert, { name, startAtMs, endAtMs, lanes, reprocess, createdAtMs });
}

export async function findBackfill(session: Session, name: string): Promise<Backfill | null> {
  const found = await session.maybeOne(sql.find, { name });
  return found === null ? null : backfillOf(found);
}

/** The newest backfills, at most `limit`. */
export async function listBackfills(session: Session, limit: number): Promise<Backfill[]> {
  return (await session.rows(sql.list, { limit })).map(backfillOf);
}

/** Backfills that have not ended, the oldest first. */
export async function openBackfills(session: Session): Promise<Backfill[]> {
  return (await session.rows(sql.open, {})).map(backfillOf);
}

/** Notes that an open backfill is paused, or is not; nothing changes for one that has ended. */
export async function pauseBackfill(
  session: Session,
  name: string,
  isPaused: boolean,
): Promise<void> {
  await session.execute(sql.pause, { name, isPaused });
}

/** Notes that an open backfill is to be cancelled; it is open until `endBackfill`. */
export async function cancelBackfill(session: Session, name: string): Promise<void> {
  await session.execute(sql.cancel, { name });
}

/**
 * Ends an open backfill and counts what was built and what failed in its range since it was created; one of which
 * something failed is not just `completed`. One that has ended keeps its outcome and its counts. Returns it; null when
 * there is none.
 */
export async function endBackfill(
  session: Session,
  calendar: Calendar,
  name: string,
  ending: BackfillEnding,
): Promise<Backfill | null> {
  const backfill = await findBackfill(session, name);
  if (backfill === null || backfill.endedAtMs !== null) return backfill;
  const { length: periodsFailed } = await backfillFailures(session, calendar, backfill);
  const outcome = ending === 'completed' && periodsFailed > 0 ? 'completed with failures' : ending;
  await session.execute(sql.end, { name, periodsFailed, outcome });
  return findBackfill(session, name);
}

/** Hours of a range in the ledger. */
export interface LedgerHours {
  readonly hours: number;
  /** Built at or after the instant that was given. */
  readonly hoursSince: number;
  /** Built in the last `latelyMs`. */
  readonly hoursLately: number;
  /** Database clock. */
  readonly nowMs: number;
}

export async function countLedgerHours(
  session: Session,
  { startAtMs, endAtMs }: Span,
  sinceAtMs: number,
  latelyMs: number,
): Promise<LedgerHours> {
  const found = await session.one(sql['ledger-hours'], { startAtMs, endAtMs, sinceAtMs, latelyMs });
  return {
    hours: found.hours,
    hoursSince: found.hours_since,
    hoursLately: found.hours_lately,
    nowMs: found.now_ms,
  };
}

/** How fast the newest hours were built: so many hours in so many ms, pauses left out. 0 hours: nothing is known. */
export async function buildSpeed(session: Session): Promise<{ hours: number; ms: number }> {
  return session.one(sql.speed, {});
}

/** A period that failed and was not built since. */
export interface BackfillFailure extends PeriodKey {
  readonly label: string;
  readonly code: string;
  readonly detail: string;
}

/** The newest failure of each period that touches its range, since it was created, that nothing has mended; in time order. */
export async function backfillFailures(
  session: Session,
  calendar: Calendar,
  backfill: Pick<Backfill, 'startAtMs' | 'endAtMs' | 'createdAtMs'>,
): Promise<BackfillFailure[]> {
  const { endAtMs, createdAtMs } = backfill;
  const rows = await session.rows(sql['failures-since'], { endAtMs, sinceAtMs: createdAtMs });
  return rows.flatMap(({ start_at_ms, ...raw }) => {
    const failure = { ...raw, granularity: raw.granularity as Granularity, startAtMs: start_at_ms };
    const period = calendar.periodAt(failure.granularity, failure.startAtMs);
    return period.endAtMs > backfill.startAtMs ? [failure] : [];
  });
}
