// The Schedules on a real Temporal server: made once, changed when wanted otherwise, pauses kept.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  applySchedules,
  listSchedules,
  pauseSchedule,
  triggerSchedule,
  unpauseSchedule,
} from '../../client/schedules.js';
import { registerSchedule } from '../../client/commands/schedule.js';
import { SCHEDULE_NAMES, type ScheduleName } from '../../domain/ids.js';
import { GRANULARITIES } from '../../domain/period.js';
import type { CommandContext } from '../../client/commands/context.js';
import { parseSettings } from '../../domain/settings.js';
import { runCommand } from '../support/command-run.js';
import { aggregateNow, insertRuns, setOrigin } from '../support/runs.js';
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
  for (const name of SCHEDULE_NAMES) await handleOf(name).delete();
  await books.close();
});

const handleOf = (name: ScheduleName) =>
  books.temporal.client.schedule.getHandle(books.names.schedule(name));

describe('the schedules', () => {
  it('are made at first and unchanged when they are applied again', async () => {
    const every = (state: string) =>
      Object.fromEntries(SCHEDULE_NAMES.map((name) => [name, state]));
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
      for (const name of SCHEDULE_NAMES) {
        await other.temporal.client.schedule.getHandle(other.names.schedule(name)).delete();
      }
      await other.close();
    }
  });

  it("keep an operator's pause and note when they are changed", async () => {
    await pauseSchedule(books.temporal, books.books.name, 'day', 'maintenance');
    const other = { ...books, settings: { ...SETTINGS, graceMs: 3 * MINUTE_MS } };
    expect(await applySchedules(books.temporal, other)).toMatchObject({ day: 'changed' });
    const listed = await listSchedules(books.temporal, books.books.name);
    expect(listed.map(({ isPaused }) => isPaused)).toEqual([false, true, false, false, false]);
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

  it('audit once a day, make up for a day that was missed, and can be paused like the others', async () => {
    const { spec, policies } = await handleOf('audit').describe();
    expect(spec.intervals).toEqual([{ every: 24 * 60 * MINUTE_MS, offset: 1_120 * MINUTE_MS }]);
    expect(policies).toMatchObject({ overlap: 'SKIP', catchupWindow: 24 * 60 * MINUTE_MS });
    await pauseSchedule(books.temporal, books.books.name, 'audit', 'busy');
    const paused = (await listSchedules(books.temporal, books.books.name)).at(-1);
    expect(paused).toMatchObject({ name: 'audit', isPaused: true, note: 'busy', nextAtMs: null });
    await unpauseSchedule(books.temporal, books.books.name, 'audit', 'over');
  });

  it('I2: a triggered audit writes what it found, by the command line', async () => {
    const { test, calendar } = books;
    const day = calendar.periodAt('day', Date.now() - 5 * 24 * 60 * MINUTE_MS);
    await setOrigin(test, day.startAtMs);
    await insertRuns(test, [
      {
        ...{ key: 'audited', user: 'jay', milliGpus: 1_000 },
        ...{ startedAtMs: day.startAtMs + 1, endedAtMs: day.endAtMs - 1 },
      },
    ]);
    await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
    const database = { database: test.database, databaseUrl: test.url };
    const open = { ...books, ...database, settings: parseSettings({}) };
    const overrides: Partial<CommandContext> = { withTemporal: (work) => work(open) };
    const triggered = async (): Promise<string> => {
      const argv = ['schedule', 'trigger', 'usage-audit'];
      const { stdout } = await runCommand(test, registerSchedule, argv, overrides);
      return stdout;
    };
    const audits = () => test.query('select * from audit order by id');
    expect(await triggered()).toBe('usage-audit: triggered');
    await until('the audit is written', async () => (await audits()).length === 1);
    expect((await audits())[0]).toMatchObject({
      ...{ asked_by: 'schedule', sample: 25, periods_wrong: '0', findings: [] },
      ...{ from_at_ms: null, to_at_ms: null },
    });
    expect(Number((await audits())[0]?.['periods_checked'])).toBeGreaterThanOrEqual(25);
    await test.query('update usage_day set run_ms = run_ms + 1 where period_start_at_ms = $1', [
      day.startAtMs,
    ]);
    // Two triggers within one second are one.
    await until('another audit is written', async () => {
      await triggered();
      return (await audits()).length > 1;
    });
    const [, found] = await audits();
    expect(found).toMatchObject({ asked_by: 'schedule', periods_wrong: '1' });
    expect(found?.['findings']).toMatchObject([
      { granularity: 'day', startAtMs: day.startAtMs, label: day.label, code: 'ROW_DIFFERS' },
      { granularity: 'day', code: 'DIGEST_DIFFERS' },
    ]);
    const argv = ['schedule', 'list', '-o', 'json'];
    const listed = await runCommand(test, registerSchedule, argv, overrides);
    expect((JSON.parse(listed.stdout) as unknown[]).at(-1)).toMatchObject({
      ...{ granularity: null, name: 'audit', every_ms: 86_400_000, state: 'active' },
      id: books.names.schedule('audit'),
    });
  });

  it('are NOT_FOUND where they were never applied, and the list is empty', async () => {
    expect(await listSchedules(books.temporal, 'nobody')).toEqual([]);
    await expect(triggerSchedule(books.temporal, 'nobody', 'hour')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
