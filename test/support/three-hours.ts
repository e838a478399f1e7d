/**
 * Books of three hours at the end of a day (the origin is the first of them), for interleavings: small enough to
 * reset and compare thousands of times.
 */
import { Calendar } from '../../domain/calendar.js';
import type { Period } from '../../domain/period.js';
import { MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import type { TestDatabase } from './database.js';
import { aggregateNow, differences, insertRuns } from './runs.js';

export const ORIGIN = Date.UTC(2026, 0, 30, 21);
const calendar = Calendar.of('UTC');
export const day: Period = calendar.periodAt('day', ORIGIN);
export const dayParts = [0, 1, 2].map((n) => ORIGIN + n * MS_PER_HOUR);

export function hour(n: 0 | 1 | 2): Period {
  return calendar.periodAt('hour', ORIGIN + n * MS_PER_HOUR);
}

/** `n` hours and some minutes after the origin. */
export function at(n: number, minutes = 0, ms = 0): number {
  return ORIGIN + n * MS_PER_HOUR + minutes * MS_PER_MINUTE + ms;
}

/** Removes everything and inserts the four runs that the scenarios change. */
export async function resetRuns(test: TestDatabase): Promise<void> {
  await test.query('delete from run');
  await test.query('delete from period');
  for (const table of ['usage_hour', 'usage_day', 'usage_week', 'usage_month', 'usage_change']) {
    await test.query(`delete from ${table}`);
  }
  await insertRuns(test, [
    { key: 'spans', user: 'u1', milliGpus: 2000, startedAtMs: at(0, 30), endedAtMs: at(2, 15) },
    { key: 'inside', user: 'u2', milliGpus: 500, startedAtMs: at(1, 10), endedAtMs: at(1, 40, 1) },
    { key: 'open', user: 'u1', milliGpus: 1000, startedAtMs: at(0, 10, 7), endedAtMs: null },
    { key: 'edge', user: 'u3', milliGpus: 8000, startedAtMs: at(-1, 50), endedAtMs: at(2) },
  ]);
}

/** Builds what is missing or stale until nothing is. */
export async function settle(test: TestDatabase): Promise<void> {
  await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
}

/** What is wrong after settling: rows that differ from the overlap formula, and marks that nobody took. */
export async function faults(test: TestDatabase): Promise<unknown[]> {
  await settle(test);
  const marks = await test.query(
    'select minute from usage_change where minute < $1 order by minute',
    [day.endAtMs / MS_PER_MINUTE],
  );
  return [...(await differences(test)), ...marks];
}
