import { afterEach, describe, expect, it } from '@jest/globals';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateNow, differences, insertRuns, setOrigin } from '../support/runs.js';

/** Zone, an instant in the days that matter, and what is odd there. */
const DAYS = [
  ['America/New_York', Date.UTC(2025, 10, 2, 12), 'a day of 25 hours, two hours named 01'],
  ['America/New_York', Date.UTC(2026, 2, 8, 12), 'a day of 23 hours'],
  ['Australia/Lord_Howe', Date.UTC(2026, 3, 4, 16), 'a half-hour change: a day of 24.5 hours'],
  ['Australia/Lord_Howe', Date.UTC(2025, 9, 4, 16), 'a half-hour change: a day of 23.5 hours'],
  ['America/Havana', Date.UTC(2026, 2, 8, 12), 'a day without midnight'],
  ['America/Havana', Date.UTC(2025, 10, 2, 12), 'a day with two midnights'],
  ['Pacific/Apia', Date.UTC(2011, 11, 30, 12), 'a date that does not exist'],
  ['Asia/Kathmandu', Date.UTC(2026, 0, 15, 12), 'an offset of 05:45'],
  ['Asia/Shanghai', Date.UTC(1991, 3, 14, 12), 'summer time of 1991 begins'],
  ['Asia/Shanghai', Date.UTC(1991, 8, 15, 12), 'summer time of 1991 ends'],
] as const;

describe('days of odd length (G1, G2, G3, G4)', () => {
  let test: TestDatabase;
  afterEach(() => test.close());

  it.each(DAYS)('%s at %d: %s', async (zone, atMs, _what) => {
    const calendar = Calendar.of(zone);
    test = await createTestDatabase();
    await openTestBooks(test, { zone });
    const week = calendar.periodAt('week', atMs);
    const first = week.startAtMs;
    await setOrigin(test, first);
    await insertRuns(
      test,
      Array.from({ length: 80 }, (_, n) => ({
        key: `run-${n}`,
        user: `u${n % 5}`,
        milliGpus: 1000 + n,
        startedAtMs: first + n * 2 * MS_PER_HOUR + ((n * 611_953) % MS_PER_HOUR),
        // Open ones, one over the whole week, many short ones, zero-length ones.
        endedAtMs:
          n % 19 === 3
            ? null
            : first + n * 2 * MS_PER_HOUR + ((n * 611_953) % MS_PER_HOUR) + (n % 7) * n * 401_537,
      })),
    );
    await aggregateNow(test, calendar, { ...week, reprocess: 'stale' });
    expect(await differences(test)).toEqual([]);
    const [sums] = await test.query<{ hours: string; days: string; runs: string }>(
      `with days as (select min(start_at_ms) a, max(end_at_ms) b from period where granularity = 'day')
       select (select sum(run_ms) from usage_hour u, days where period_start_at_ms >= a and period_start_at_ms < b) as hours,
         (select sum(run_ms) from usage_day) as days,
         (select sum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a))) from run, days) as runs`,
    );
    expect(sums?.days).toBe(sums?.hours);
    expect(sums?.runs).toBe(sums?.hours);
  });
});
