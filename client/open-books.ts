/**
 * Opens the books of one database: schema checked or brought up to date, books row read or made, calendar ready.
 * Owns what the settings may say about books; which database it is, is the caller's.
 */
import { openBooks, readBooks, type Books } from '../db/books-store.js';
import { Database } from '../db/database.js';
import { migrate, requireMigrated } from '../db/migrations.js';
import { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import type { Settings } from '../domain/settings.js';

export type { Books } from '../db/books-store.js';
export type { Database } from '../db/database.js';
export { migrate, migrationStatus } from '../db/migrations.js';

/** Books ready for work. Whoever opened them closes `database`. */
export interface OpenBooks {
  readonly database: Database;
  readonly books: Books;
  readonly calendar: Calendar;
  readonly settings: Settings;
  readonly databaseUrl: string;
  /** True when there were none before. */
  readonly isNew?: boolean;
}

export interface OpenBooksOptions {
  readonly databaseUrl: string;
  readonly settings: Settings;
  /** Our own server: the schema is brought up to date; a given one is only checked (SCHEMA_VERSION). */
  readonly isEmbedded: boolean;
  /** Whether new books may be opened; else a database without books is NOT_FOUND. */
  readonly opens: boolean;
  /** Where the database is, for messages: a folder, or null for the one of DATABASE_URL. */
  readonly folder: string | null;
  /** What new books are, and their zone when the settings say none; null: the zone must be said. */
  readonly isDemo: boolean;
  readonly defaultZone: string | null;
  /** Upper bound of connections; at least 1. */
  readonly maxConnections?: number;
}

const DEFAULT_NAME = 'jobhours';
/** The unit of account: a finished run counts for at least 1 ms (DESIGN section 5). */
const DEFAULT_MINIMUM_RUN_MS = 1;

/**
 * Opens the books. What the settings leave unsaid is taken from books that exist; what they say must fit
 * (BOOKS_MISMATCH). NOT_FOUND when there are none and none may be opened; ZONE_MISSING when they may and nobody said
 * their zone.
 */
export async function openBooksAt(options: OpenBooksOptions): Promise<OpenBooks> {
  const { databaseUrl, settings } = options;
  const timeoutMs = settings.databaseTimeoutMs;
  if (options.isEmbedded) await migrate(databaseUrl, timeoutMs);
  else await requireMigrated(databaseUrl, timeoutMs);
  const database = Database.open({
    url: databaseUrl,
    timeoutMs,
    ...(options.maxConnections === undefined ? {} : { maxConnections: options.maxConnections }),
  });
  try {
    const isNew = (await readBooks(database)) === null;
    const books = await booksOf(database, options);
    return { database, books, calendar: Calendar.of(books.zone), settings, databaseUrl, isNew };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** The error of a look at books that are not there. `folder`: of the embedded PostgreSQL; null: DATABASE_URL. */
export function noBooks(folder: string | null): JobhoursError {
  const [where, other] =
    folder === null
      ? ['in the database of DATABASE_URL', 'DATABASE_URL']
      : [`in ${folder}`, 'JOBHOURS_HOME'];
  return new JobhoursError(
    'NOT_FOUND',
    `no books ${where}: import records, or start 'JOBHOURS_ZONE=Europe/Berlin jobhours dev' with the zone of the site, which is fixed for ever; books that are elsewhere are found by ${other}`,
  );
}

async function booksOf(database: Database, options: OpenBooksOptions): Promise<Books> {
  const { settings } = options;
  const existing = await readBooks(database);
  if (existing === null && !options.opens) throw noBooks(options.folder);
  const zone = settings.zone ?? existing?.zone ?? options.defaultZone;
  if (zone === null) {
    throw new JobhoursError(
      'ZONE_MISSING',
      'this database has no books yet, and their zone is fixed for ever: set JOBHOURS_ZONE to the zone of the site, such as Asia/Shanghai or UTC',
    );
  }
  return openBooks(database, {
    name: settings.name ?? existing?.name ?? DEFAULT_NAME,
    zone,
    minimumRunMs: settings.minimumRunMs ?? existing?.minimumRunMs ?? DEFAULT_MINIMUM_RUN_MS,
    isDemo: existing?.isDemo ?? options.isDemo,
  });
}
