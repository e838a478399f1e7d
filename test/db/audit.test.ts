// Audits of books that are right, at rest and while they change: no findings.
import { afterEach, describe, expect, it } from '@jest/globals';
import { auditStanding } from '../../db/audit-records.js';
import { auditBooks } from '../../db/period-audit.js';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { deepCheck, oddRuns, silent } from '../support/audits.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, aggregateNow, differences, insertRuns, setOrigin } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';

describe('an audit of books that are right', () => {
  let test: TestDatabase;
  afterEach(() => test.close());

  it.each([
    ['UTC', Date.UTC(2025, 11, 28, 12)],
    ['Asia/Shanghai', Date.UTC(2026, 0, 15, 7)],
    ['America/New_York', Date.UTC(2025, 9, 30, 12)],
    ['Australia/Lord_Howe', Date.UTC(2026, 2, 30, 3)],
    ['Pacific/Apia', Date.UTC(2011, 11, 27, 12)],
    ['Asia/Kathmandu', Date.UTC(2026, 0, 28, 12)],
    ['America/Havana', Date.UTC(2025, 9, 30, 12)],
  ])(
    'I2: has no findings in %s, whole or sampled, from an origin within a day',
    async (zone, atMs) => {
      const calendar = Calendar.of(zone);
      test = await createTestDatabase();
      await openTestBooks(test, { zone });
      const originAtMs = calendar.startOf('hour', atMs);
      await setOrigin(test, originAtMs);
      const seed = 4_711;
      await insertRuns(test, oddRuns(originAtMs, 12 * MS_PER_DAY, 150, seed));
      const end = calendar.periodAt('week', originAtMs + 8 * MS_PER_DAY).endAtMs;
      for (const one of calendar.periodsTouching('week', { startAtMs: originAtMs, endAtMs: end })) {
        await aggregateNow(test, calendar, { ...one, reprocess: 'stale' });
      }
      const month = calendar.periodAt('month', originAtMs);
      await aggregateNow(test, calendar, { ...month, reprocess: 'stale' });
      expect(await differences(test)).toEqual([]);
      const range = { endAtMs: Math.max(end, month.endAtMs) };
      const report = await deepCheck(test, calendar, { range });
      expect(report.findings).toEqual([]);
      expect(report.periodsWrong).toBe(0);
      const ledger = await test.query<{ granularity: string; periods: number }>(
        'select granularity, count(*)::int as periods from period group by 1',
      );
      // The first day, week and month contain the origin and are judged all the same.
      expect(report.checked).toEqual(
        Object.fromEntries(ledger.map(({ granularity, periods }) => [granularity, periods])),
      );
      expect(report.notJudged).toMatchObject({ hour: 0, day: 0 });
      const sampled = await deepCheck(test, calendar, { range, sample: 3, seed });
      expect(sampled).toMatchObject({ findings: [], sample: 3, seed });
      expect(sampled.checked).toMatchObject({ hour: 3, day: 3 });
    },
  );

  it('judges nothing that is stale, missing or provisional, and counts it', async () => {
    const calendar = Calendar.of('UTC');
    test = await createTestDatabase();
    await openTestBooks(test);
    expect(await deepCheck(test, calendar)).toMatchObject({ findings: [], periodsWrong: 0 });
    const day = calendar.periodAt('day', Date.UTC(2026, 0, 6));
    await setOrigin(test, day.startAtMs);
    await insertRuns(test, oddRuns(day.startAtMs, MS_PER_DAY, 30, 1));
    await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
    const start = day.startAtMs + 10 * MS_PER_HOUR + 1;
    await insertRuns(test, [
      { key: 'late', user: 'u9', milliGpus: 1, startedAtMs: start, endedAtMs: start + 1 },
    ]);
    const range = { endAtMs: day.endAtMs + 2 * MS_PER_HOUR };
    const report = await deepCheck(test, calendar, { range });
    expect(report.checked).toEqual({ hour: 10, day: 0, week: 0, month: 0 });
    expect(report.notJudged).toEqual({ hour: 16, day: 1, week: 0, month: 0 });
    // Fourteen hours and the day are in the ledger.
    expect(report).toMatchObject({ findings: [], staleNotJudged: 15 });
  });

  it('keeps a wrong period in mind until all of the ledger was judged and found right', async () => {
    const calendar = Calendar.of('UTC');
    test = await createTestDatabase();
    await openTestBooks(test);
    const day = calendar.periodAt('day', Date.UTC(2026, 0, 6));
    await setOrigin(test, day.startAtMs);
    await insertRuns(test, oddRuns(day.startAtMs, MS_PER_DAY, 30, 1));
    await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
    expect(await auditStanding(test.database)).toEqual({ periodsWrong: 0, newest: null });
    const ten = day.startAtMs + 10 * MS_PER_HOUR;
    await test.query('update usage_hour set run_ms = run_ms + 7 where period_start_at_ms = $1', [
      ten,
    ]);
    expect((await deepCheck(test, calendar)).periodsWrong).toBe(1);
    const late = { startedAtMs: day.startAtMs, endedAtMs: day.startAtMs + 1 };
    await insertRuns(test, [{ key: 'late', user: 'u9', milliGpus: 1, ...late }]);
    // The first hour is stale now, so that nothing behind it can be judged.
    expect(await deepCheck(test, calendar)).toMatchObject({ periodsWrong: 0, staleNotJudged: 25 });
    expect((await auditStanding(test.database)).periodsWrong).toBe(1);
    await aggregateNow(test, calendar, { ...day, reprocess: 'all' });
    expect(await deepCheck(test, calendar)).toMatchObject({ periodsWrong: 0, staleNotJudged: 0 });
    expect(await auditStanding(test.database)).toMatchObject({
      periodsWrong: 0,
      newest: { askedBy: 'command', sample: null },
    });
  });
});

describe('an audit beside writers and builders', () => {
  it.each([
    ['written', 'ledger'],
    ['written and built', 'ledger'],
    ['written and built', 'rows'],
  ])(
    'I16: sees one instant: late runs that are %s after its read of the %s are no damage',
    async (done, step) => {
      const calendar = Calendar.of('UTC');
      const day = calendar.periodAt('day', Date.UTC(2026, 0, 7));
      const test = await createTestDatabase();
      try {
        await openTestBooks(test);
        await setOrigin(test, day.startAtMs);
        await insertRuns(test, oddRuns(day.startAtMs, MS_PER_DAY, 20, 3));
        await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
        let late = 0;
        const hooks = {
          onProgress: silent,
          isCancelled: () => false,
          afterStep: async (reached: string) => {
            if (reached !== step) return;
            late += 1;
            const startedAtMs = day.startAtMs + 5 * MS_PER_HOUR;
            const endedAtMs = startedAtMs + 4 * MS_PER_HOUR + late;
            const run = { key: `late-${late}`, user: 'u1', milliGpus: 1_000 };
            await insertRuns(test, [{ ...run, startedAtMs, endedAtMs }]);
            if (done === 'written') return;
            await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
          },
        };
        const request = {
          askedBy: 'command',
          rangeAt: () => day,
          sample: null,
          seed: null,
        } as const;
        const report = await auditBooks(test.database, calendar, request, hooks);
        expect(late).toBe(1);
        expect(report.findings).toEqual([]);
        expect(report.checked).toEqual({ hour: 24, day: 1, week: 0, month: 0 });
      } finally {
        await test.close();
      }
    },
  );

  it('I16: never takes for damage what is just being written or built', async () => {
    const rounds = process.env['JOBHOURS_TORTURE'] === '1' ? 200 : 8;
    const seed = Number(process.env['JOBHOURS_SEED'] ?? 20_260_131);
    const random = seededRandom(seed);
    const calendar = Calendar.of('UTC');
    const test = await createTestDatabase();
    try {
      await openTestBooks(test);
      const week = calendar.periodAt('week', Date.UTC(2026, 0, 7));
      await setOrigin(test, week.startAtMs);
      await insertRuns(test, oddRuns(week.startAtMs, 7 * MS_PER_DAY, 200, seed));
      await aggregateAll(test, calendar, week);
      let isOver = false;
      let [passes, audits] = [0, 0];
      const write = async (writer: number): Promise<number> => {
        let written = 0;
        for (; !isOver; written += 1) {
          const startedAtMs = week.startAtMs + random.integer(0, 160) * MS_PER_HOUR;
          const endedAtMs = startedAtMs + random.integer(0, 600) * MS_PER_MINUTE;
          const key = `w${writer}-${written}`;
          await insertRuns(test, [{ key, user: 'u1', milliGpus: 1_000, startedAtMs, endedAtMs }]);
          // Most of the time some periods are good and some are not.
          for (const until = passes + 2; passes < until && !isOver;) await test.query('select 1');
          if (written % 3 === 2) {
            await test.query('delete from run where record_key = $1', [
              `w${writer}-${written - 2}`,
            ]);
          }
        }
        return written;
      };
      const build = async (): Promise<void> => {
        for (; !isOver; passes += 1) {
          await aggregateNow(test, calendar, { ...week, reprocess: 'stale' });
        }
      };
      const work = Promise.all([write(1), write(2), build()]);
      const judged = { hour: 0, changed: 0 };
      try {
        for (; audits < rounds || passes < 3; audits += 1) {
          const report = await deepCheck(test, calendar, { range: week });
          expect(report.findings).toEqual([]);
          judged.hour += report.checked.hour;
          judged.changed += report.notJudged.hour;
        }
      } finally {
        isOver = true;
      }
      const [first, second] = await work;
      expect(judged.hour).toBeGreaterThan(0);
      expect(judged.changed).toBeGreaterThan(0);
      expect(Math.min(first, second, passes)).toBeGreaterThan(0);
      process.stdout.write(
        `audits beside writers: seed ${seed}, ${audits} audits, ${judged.hour} hours judged, ${judged.changed} not, ${first + second} writes, ${passes} passes\n`,
      );
      await aggregateAll(test, calendar, week);
      expect(await deepCheck(test, calendar, { range: week })).toMatchObject({
        findings: [],
        checked: { hour: 168, day: 7, week: 1, month: 0 },
      });
    } finally {
      await test.close();
    }
  });
});
