/** Joins the activities of the queue `usage` to PostgreSQL. Owns nothing but the wiring. */
import { Runtime } from '@temporalio/worker';
import type { UsageDoor } from '../activities/index.js';
import { endBackfill, findBackfill, openBackfills } from '../db/backfill-store.js';
import {
  countRunsStartedBefore,
  firstRunAtMs,
  moveOrigin,
  readBooks,
  type Books,
} from '../db/books-store.js';
import { requireClock } from '../db/clock.js';
import type { Database, Session } from '../db/database.js';
import { readLedgerState, recordFailure } from '../db/ledger-store.js';
import { auditBooks } from '../db/period-audit.js';
import { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { aggregateStore } from './aggregate-store.js';

export interface UsageDoorOptions {
  readonly database: Database;
  readonly books: Books;
  readonly graceMs: number;
  readonly catchUpMs: number;
  /** This machine's clock, in ms; absent: the system's. */
  readonly ownNowMs?: () => number;
}

async function openedBooks(session: Session): Promise<Books> {
  const books = await readBooks(session);
  if (books !== null) return books;
  throw new JobhoursError('BOOKS_MISMATCH', 'the books of this database are gone');
}

/** The doors to PostgreSQL for the activities of one worker. */
export function usageDoor(options: UsageDoorOptions): UsageDoor {
  const { database, books, graceMs, catchUpMs, ownNowMs = Date.now } = options;
  const calendar = Calendar.of(books.zone);
  return {
    booksName: books.name,
    calendar,
    graceMs,
    catchUpMs,
    meter: Runtime.instance().metricMeter,
    readBooks: () => openedBooks(database),
    requireClock: () => requireClock(database, ownNowMs),
    beginBooks: (originAtMs) =>
      database.transaction({}, (transaction) => moveOrigin(transaction, originAtMs)),
    countRunsStartedBefore: (atMs) => countRunsStartedBefore(database, atMs),
    firstRunAtMs: () => firstRunAtMs(database),
    planningState: () =>
      database.transaction(
        { isolation: 'repeatable read', readOnly: true },
        async (transaction) => ({
          books: await openedBooks(transaction),
          openBackfills: await openBackfills(transaction),
          ledger: await readLedgerState(transaction),
        }),
      ),
    aggregateStore: (request) => aggregateStore({ database, isDemo: books.isDemo, ...request }),
    recordFailure: (failure) => recordFailure(database, failure),
    audit: (sample, hooks) =>
      auditBooks(
        database,
        calendar,
        { askedBy: 'schedule', rangeAt: () => ({}), sample, seed: null },
        hooks,
      ),
    findBackfill: (name) => findBackfill(database, name),
    endBackfill: (name, ending) => endBackfill(database, calendar, name, ending),
  };
}
