/**
 * Rows of `backfill`: ranges that an operator asked for and how they ended. Owns these rows; what was built is in
 * the ledger, what is running is known by Temporal.
 */
import type { Reprocess } from '../domain/backfill-plan.js';
import type { Granularity, Span } from '../domain/period.js';
import type { BackfillCounts } from '../domain/workflow-input.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

export type BackfillOutcome = 'completed' | 'completed with failures' | 'cancelled' | 'failed';

const row = {
  name: 'text',
  start_at_ms: 'instant',
  end_at_ms: 'instant',
  lanes: 'int4',
  reprocess: 'text',
  created_at_ms: 'instant',
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
  end: {
    params: {
      name: 'text',
      hoursBuilt: 'count',
      periodsBuilt: 'count',
      periodsFailed: 'count',
      outcome: 'text',
    },
    row: {},
  },
  'ledger-hours': {
    params: { ...range, sinceAtMs: 'instant' },
    row: { hours: 'count', hours_since: 'count' },
  },
  'failures-since': {
    params: { ...range, sinceAtMs: 'instant', limit: 'count' },
    row: { granularity: 'text', label: 'text', code: 'text', detail: 'text' },
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

/** A stored backfill. Its counts are 0 until it ended. */
export interface Backfill extends NewBackfill, BackfillCounts {
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

/** Ends an open backfill; one that has ended keeps its outcome. */
export async function endBackfill(
  session: Session,
  name: string,
  counts: BackfillCounts,
  outcome: BackfillOutcome,
): Promise<void> {
  await session.execute(sql.end, { name, ...counts, outcome });
}

/** Hours of a range in the ledger: all of them, and those aggregated at or after an instant. */
export async function countLedgerHours(
  session: Session,
  { startAtMs, endAtMs }: Span,
  sinceAtMs: number,
): Promise<{ hours: number; hoursSince: number }> {
  const found = await session.one(sql['ledger-hours'], { startAtMs, endAtMs, sinceAtMs });
  return { hours: found.hours, hoursSince: found.hours_since };
}

/** A period that failed and was not built since. */
export interface BackfillFailure {
  readonly granularity: Granularity;
  readonly label: string;
  readonly code: string;
  readonly detail: string;
}

/** Failures in a range at or after an instant that nothing has mended, in time order, at most `limit`. */
export async function failuresSince(
  session: Session,
  { startAtMs, endAtMs }: Span,
  sinceAtMs: number,
  limit: number,
): Promise<BackfillFailure[]> {
  const rows = await session.rows(sql['failures-since'], { startAtMs, endAtMs, sinceAtMs, limit });
  return rows.map((raw) => ({ ...raw, granularity: raw.granularity as Granularity }));
}
