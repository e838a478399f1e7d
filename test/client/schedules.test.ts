// The four Schedules on a real Temporal server: made once, changed when wanted otherwise, pauses kept.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  applySchedules,
  listSchedules,
  pauseSchedule,
  triggerSchedule,
  unpauseSchedule,
} from '../../client/schedules.js';
import { GRANULARITIES } from '../../domain/period.js';
import {
  openTemporalBooks,
  SETTINGS,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';

const MINUTE_MS = 60_000;

let books: TemporalBooks;
beforeAll(async () => {
  books = await openTemporalBooks('Asia/Shanghai');
});
afterAll(async () => {
  for (const granularity of GRANULARITIES) await handleOf(granularity).delete();
  await books.close();
});

const handleOf = (granularity: (typeof GRANULARITIES)[number]) =>
  books.temporal.client.schedule.getHandle(books.names.schedule(granularity));

describe('the schedules', () => {
  it('are made at first and unchanged when they are applied again', async () => {
    const every = (state: string) => ({ hour: state, day: state, week: state, month: state });
    expect(await applySchedules(books.temporal, books)).toEqual(every('created'));
    expect(await applySchedules(books.temporal, books)).toEqual(every('unchanged'));
  });

  it('wake every hour, after the grace and staggered, skip while one runs and go on after failures', async () => {
    const graceful = { ...books, settings: { ...SETTINGS, graceMs: 2 * MINUTE_MS } };
    await applySchedules(books.temporal, graceful);
    const found = await Promise.all(GRANULARITIES.map((one) => handleOf(one).describe()));
    expect(found.map(({ spec }) => spec.intervals)).toEqual(
      [2, 7, 12, 17].map((minutes) => [
        { every: 60 * MINUTE_MS, offset: minutes * MINUTE_MS + 5_000 },
      ]),
    );
    for (const { policies } of found) {
      expect(policies).toMatchObject({
        overlap: 'SKIP',
        catchupWindow: 600_000,
        pauseOnFailure: false,
      });
    }
  });

  it.each([
    ['Asia/Kathmandu', 15],
    ['Asia/Kolkata', 30],
    ['Australia/Lord_Howe', 30],
    ['America/New_York', 60],
  ])('fall on every hour boundary of %s', async (zone, minutes) => {
    const other = await openTemporalBooks(zone);
    try {
      await applySchedules(other.temporal, other);
      const [hour] = await listSchedules(other.temporal, other.books.name);
      expect(hour?.everyMs).toBe(minutes * MINUTE_MS);
    } finally {
      for (const granularity of GRANULARITIES) {
        await other.temporal.client.schedule.getHandle(other.names.schedule(granularity)).delete();
      }
      await other.close();
    }
  });

  it("keep an operator's pause and note when they are changed", async () => {
    await pauseSchedule(books.temporal, books.books.name, 'day', 'maintenance');
    const other = { ...books, settings: { ...SETTINGS, graceMs: 3 * MINUTE_MS } };
    expect(await applySchedules(books.temporal, other)).toMatchObject({ day: 'changed' });
    const listed = await listSchedules(books.temporal, books.books.name);
    expect(listed.map(({ isPaused }) => isPaused)).toEqual([false, true, false, false]);
    expect(listed[1]).toMatchObject({ note: 'maintenance', nextAtMs: null });
    await unpauseSchedule(books.temporal, books.books.name, 'day', 'over');
    const [, day] = await listSchedules(books.temporal, books.books.name);
    expect(day).toMatchObject({ isPaused: false, note: 'over' });
    expect(day?.nextAtMs).toBeGreaterThan(Date.now());
  });

  it('start a tick when they are triggered, which begins books without origin', async () => {
    await books.work();
    await triggerSchedule(books.temporal, books.books.name, 'hour');
    await until('the origin is set', async () => {
      const [row] = await books.test.query('select origin_at_ms from books');
      return row?.['origin_at_ms'] !== null;
    });
    await until('the trigger is listed', async () => {
      const [hour] = await listSchedules(books.temporal, books.books.name);
      return hour?.lastAtMs !== null;
    });
  });

  it('are NOT_FOUND where they were never applied, and the list is empty', async () => {
    expect(await listSchedules(books.temporal, 'nobody')).toEqual([]);
    await expect(triggerSchedule(books.temporal, 'nobody', 'hour')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
