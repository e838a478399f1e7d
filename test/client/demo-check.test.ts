import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkPreviousMonth, countPending } from '../../client/demo-check.js';
import type { OpenBooks } from '../../client/open-books.js';
import { databaseNowMs, type Books } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import { demoRecords } from '../../domain/demo-records.js';
import { parseSettings } from '../../domain/settings.js';
import { MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, insertRuns, setOrigin } from '../support/runs.js';

const calendar = Calendar.of('Asia/Shanghai');
const openFor = (test: TestDatabase, books: Books): OpenBooks => ({
  database: test.database,
  books,
  calendar,
  settings: parseSettings({}),
  databaseUrl: test.url,
});

describe('the check of the previous month', () => {
  const nowMs = Date.UTC(2026, 2, 3, 4, 30);
  let test: TestDatabase;
  let open: OpenBooks;
  beforeAll(async () => {
    test = await createTestDatabase();
    open = openFor(test, await openTestBooks(test, { zone: 'Asia/Shanghai', isDemo: true }));
    const records = [...demoRecords({ calendar, openedAtMs: nowMs, nowMs })];
    await insertRuns(
      test,
      records.flatMap(({ jobId, attempt, user, space, pool, milliGpus, startAtMs, endAtMs }) => {
        if (startAtMs === null) return [];
        const names = { key: `${jobId}/${attempt}`, user, space, pool };
        return [{ ...names, milliGpus, startedAtMs: startAtMs, endedAtMs: endAtMs }];
      }),
    );
    const month = calendar.periodAt('month', Date.UTC(2026, 1, 10));
    await setOrigin(test, month.startAtMs);
    await aggregateAll(test, calendar, month);
  });
  afterAll(() => test.close());

  it('finds month, days, hours and clipped runs equal, and says the GPU-hours (G1, G2)', async () => {
    const check = await checkPreviousMonth(open, nowMs);
    expect(check.month.label).toBe('2026-02');
    expect(check.isEqual).toBe(true);
    expect(check.tally.runs.milliGpuMs).toBeGreaterThan(1_000_000_000n);
    expect(check.text).toMatch(/= run lengths: \d+\.\d{6} GPU-hours/);
  });

  it.each([
    [
      'an hour that lost a ms',
      'update usage_hour set run_ms = run_ms - 1 where ctid = (select min(ctid) from usage_hour where run_ms > 0)',
    ],
    [
      'two users whose days were swapped',
      'update usage_day d set milli_gpu_ms = d.milli_gpu_ms + case when d.usage_key = (select min(usage_key) from usage_day) then 1 else -1 end where d.ctid in (select min(ctid) from usage_day where milli_gpu_ms > 0 group by usage_key order by usage_key limit 2)',
    ],
    [
      'a user who is missing in the month',
      'delete from usage_month where usage_key = (select min(usage_key) from usage_month where run_ms > 0)',
    ],
    [
      'a run that ended a ms later',
      'update run set ended_at_ms = ended_at_ms + 1 where id = (select min(id) from run where ended_at_ms > started_at_ms)',
    ],
  ])('finds %s', async (_, change) => {
    await test.query('create table kept_hour as table usage_hour');
    await test.query('create table kept_day as table usage_day');
    await test.query('create table kept_month as table usage_month');
    await test.query('create table kept_run as select id, ended_at_ms from run');
    await test.query(change);
    const check = await checkPreviousMonth(open, nowMs);
    for (const table of ['hour', 'day', 'month']) {
      await test.query(`delete from usage_${table}`);
      await test.query(`insert into usage_${table} table kept_${table}`);
    }
    await test.query(
      'update run set ended_at_ms = k.ended_at_ms from kept_run k where k.id = run.id and k.ended_at_ms <> run.ended_at_ms',
    );
    await test.query('drop table kept_hour, kept_day, kept_month, kept_run');
    expect(check.isEqual).toBe(false);
    expect(check.text).toMatch(/^DIFFERENT for [1-9]/);
    expect((await checkPreviousMonth(open, nowMs)).isEqual).toBe(true);
  });
});

describe('the number of pending periods', () => {
  it('is above 0 without an origin and with missing hours, and 0 when all are built', async () => {
    const test = await createTestDatabase();
    try {
      const open = openFor(test, await openTestBooks(test, { zone: 'Asia/Shanghai' }));
      expect(await countPending(open)).toBe(1);
      const nowMs = await databaseNowMs(test.database);
      const startAtMs = calendar.startOf('hour', nowMs) - 3 * MS_PER_HOUR;
      await setOrigin(test, startAtMs);
      expect(await countPending(open)).toBeGreaterThanOrEqual(2);
      await aggregateAll(test, calendar, { startAtMs, endAtMs: nowMs });
      expect(await countPending(open)).toBe(0);
    } finally {
      await test.close();
    }
  });
});
