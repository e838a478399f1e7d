/**
 * The books row: one set of accounts per database. Owns opening, reading and moving the origin; what is
 * expected since the origin is the planner's (domain/plan.ts).
 */
import { JobhoursError } from '../domain/errors.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const row = {
  name: 'text',
  zone: 'text',
  minimum_run_ms: 'count',
  origin_at_ms: 'instant?',
  is_demo: 'bool',
  opened_at_ms: 'instant',
} as const;

const sql = statements('books', {
  'read-books': { params: {}, row },
  'insert-books': {
    params: { name: 'text', zone: 'text', minimumRunMs: 'count', isDemo: 'bool', nowMs: 'instant' },
    row: {},
  },
  'database-now': { params: {}, row: { now_ms: 'instant' } },
  'lock-origin': { params: {}, row: { origin_at_ms: 'instant?' } },
  'set-origin': { params: { originAtMs: 'instant' }, row: {} },
  'mark-from-start': { params: { startAtMs: 'instant' }, row: {} },
  'runs-started-before': { params: { atMs: 'instant' }, row: { runs: 'count' } },
  'first-run': { params: {}, row: { started_at_ms: 'instant?' } },
});

/** One set of accounts (DESIGN section 2). */
export interface Books {
  readonly name: string;
  readonly zone: string;
  /** A finished run counts for at least this long, in ms. */
  readonly minimumRunMs: number;
  /** Instant from which the books are kept; null until the first tick or backfill. */
  readonly originAtMs: number | null;
  readonly isDemo: boolean;
  readonly openedAtMs: number;
}

function booksOf(raw: Values<typeof row>): Books {
  return {
    name: raw.name,
    zone: raw.zone,
    minimumRunMs: raw.minimum_run_ms,
    originAtMs: raw.origin_at_ms,
    isDemo: raw.is_demo,
    openedAtMs: raw.opened_at_ms,
  };
}

/** DEMO_BOOKS: people change nothing in invented books. */
export function refuseDemo({ isDemo }: Pick<Books, 'isDemo'>): void {
  if (!isDemo) return;
  throw new JobhoursError(
    'DEMO_BOOKS',
    "the demo books refuse imports and changes by hand: stop the demo and start 'jobhours dev' for books of your own",
  );
}

/** The same for whoever has a session only. */
export async function requireOwnBooks(session: Session): Promise<void> {
  refuseDemo((await readBooks(session)) ?? { isDemo: false });
}

/** The books, or null when none were opened in this database. */
export async function readBooks(session: Session): Promise<Books | null> {
  const found = await session.maybeOne(sql['read-books'], {});
  return found === null ? null : booksOf(found);
}

export interface BooksSettings {
  readonly name: string;
  readonly zone: string;
  readonly minimumRunMs: number;
  readonly isDemo: boolean;
}

/**
 * The books of this database, opened with these settings when there are none yet. BOOKS_MISMATCH names each
 * setting that differs from what they were opened with: zone, minimum and name are fixed for ever.
 */
export async function openBooks(session: Session, settings: BooksSettings): Promise<Books> {
  // Read first: who may only read can look at books that exist.
  const books = (await readBooks(session)) ?? (await newBooks(session, settings));
  const differing = (['name', 'zone', 'minimumRunMs', 'isDemo'] as const)
    .filter((field) => books[field] !== settings[field])
    .map((field) => `${field} is ${String(books[field])}, configured ${String(settings[field])}`);
  if (differing.length > 0) {
    throw new JobhoursError(
      'BOOKS_MISMATCH',
      `the books in this database were opened with other settings: ${differing.join('; ')}. Leave the settings as they were, or keep other books in another JOBHOURS_HOME or DATABASE_URL`,
    );
  }
  return books;
}

/** The books, made with these settings; another process may have been first. */
async function newBooks(session: Session, settings: BooksSettings): Promise<Books> {
  const nowMs = await databaseNowMs(session);
  await session.execute(sql['insert-books'], { ...settings, nowMs });
  return booksOf(await session.one(sql['read-books'], {}));
}

/** The database server's clock: the one clock that decides what is over and what lies in the future. */
export async function databaseNowMs(session: Session): Promise<number> {
  return (await session.one(sql['database-now'], {})).now_ms;
}

/** The start of the oldest run, or null without runs. */
export async function firstRunAtMs(session: Session): Promise<number | null> {
  return (await session.one(sql['first-run'], {})).started_at_ms;
}

/** Number of runs that started before an instant (exclusive). */
export async function countRunsStartedBefore(session: Session, atMs: number): Promise<number> {
  return (await session.one(sql['runs-started-before'], { atMs })).runs;
}

/**
 * Sets a null origin, or moves it to the past; never to the future. The origin is the start of an hour. Call it
 * inside a transaction that holds the lock of the old first hour (lockPeriod): after the move that hour owns only
 * its own marks (ledger.md A4). Locks the books row. Returns the origin now in force.
 */
export async function moveOrigin(session: Session, originAtMs: number): Promise<number> {
  const { origin_at_ms: current } = await session.one(sql['lock-origin'], {});
  if (current !== null && current <= originAtMs) return current;
  await session.execute(sql['set-origin'], { originAtMs });
  if (current !== null) await session.execute(sql['mark-from-start'], { startAtMs: current });
  return originAtMs;
}
