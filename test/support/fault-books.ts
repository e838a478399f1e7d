/** Books of three days with runs of every length, and what their clean build gives: what faults must not change. */
import type { Statement } from '../../db/statement.js';
import { Calendar } from '../../domain/calendar.js';
import { isJobhoursError, type JobhoursError } from '../../domain/errors.js';
import type { Period } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { openTestBooks, type TestDatabase } from './database.js';
import { randomRuns } from './random-runs.js';
import { aggregateNow, insertRuns, ledgerDigests, setOrigin, USAGE_TABLES } from './runs.js';
import { seededRandom } from './seeded-random.js';

export const calendar = Calendar.of('UTC');
/** A Friday, so that a week and a month are complete after three days. */
export const ORIGIN = Date.UTC(2026, 0, 30);
export const SPAN = { startAtMs: ORIGIN, endAtMs: ORIGIN + 3 * MS_PER_DAY };

export function hour(n: number): Period {
  return calendar.periodAt('hour', ORIGIN + n * MS_PER_HOUR);
}

/** The week: building it builds its 72 hours and three days. */
export const week: Period = calendar.periodAt('week', ORIGIN);

/** Opens books and inserts the runs; the same seed gives the same books. */
export async function fillBooks(test: TestDatabase, seed: number, runs = 150): Promise<void> {
  await openTestBooks(test);
  await setOrigin(test, ORIGIN);
  await insertRuns(test, randomRuns(seededRandom(seed), SPAN, runs));
}

/** Removes everything that was built. */
export async function emptyLedger(test: TestDatabase): Promise<void> {
  await test.query('delete from period');
  for (const table of Object.values(USAGE_TABLES)) await test.query(`delete from ${table}`);
}

export async function buildWeek(test: TestDatabase): Promise<void> {
  await aggregateNow(test, calendar, { ...week, reprocess: 'stale' });
}

/** Ledger digests and every row: equal texts mean equal books. */
export async function booksText(test: TestDatabase): Promise<string[]> {
  const lines = await ledgerDigests(test);
  for (const table of Object.values(USAGE_TABLES)) {
    const rows = await test.query<{ line: string }>(
      `select '${table} ' || row_to_json(u)::text as line from ${table} u order by 1`,
    );
    lines.push(...rows.map((row) => row.line));
  }
  return lines;
}

/** The books after a build without any fault; leaves an empty ledger. */
export async function cleanBooks(test: TestDatabase): Promise<string[]> {
  await buildWeek(test);
  const text = await booksText(test);
  await emptyLedger(test);
  return text;
}

/** The error of the catalogue with which `work` fails, and how long it took to come. */
export async function failure(work: Promise<unknown>): Promise<JobhoursError & { tookMs: number }> {
  const sinceMs = performance.now();
  try {
    await work;
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    return Object.assign(error, { tookMs: performance.now() - sinceMs });
  }
  throw new Error('nothing failed');
}

/** A statement without parameters and rows. */
export function plain(text: string): Statement {
  return { name: text.slice(0, 60), text, params: {}, row: {} };
}
