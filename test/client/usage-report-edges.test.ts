import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withUsageReport, type UsageRequest, type UsageRow } from '../../client/usage-report.js';
import { databaseNowMs } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import type { Span } from '../../domain/period.js';
import { reportRows, STEPS } from '../../domain/report-pieces.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateNow, insertRuns, setOrigin } from '../support/runs.js';
import { lineOf, NO_FILTER, oracleLines } from '../support/usage-oracle.js';

async function readReport(
  test: TestDatabase,
  calendar: Calendar,
  asked: Partial<UsageRequest> & { readonly window: Span },
) {
  const request = { step: 'none', by: [], filter: NO_FILTER, ...asked } as const;
  return withUsageReport(
    test.database,
    calendar,
    { ...request, windowAt: () => asked.window },
    async (report) => {
      const rows: UsageRow[] = [];
      for await (const row of report.rows) rows.push(row);
      return { ...report, rows };
    },
  );
}

describe('A run and the hour from 10:00 to 11:00 (S0 3.3)', () => {
  const calendar = Calendar.of('UTC');
  const at = (clock: string): number => Date.parse(`2026-01-15T${clock}Z`);
  const hour = { startAtMs: at('10:00:00'), endAtMs: at('11:00:00') };
  // clock times of the run; then run ms, started, ended, carried in.
  const CASES = [
    ['case 1: starts inside, ends after', '10:30:00', '12:00:00', 1_800_000, 1, 0, 0],
    ['case 2: started before, ends inside', '09:30:00', '10:15:00', 900_000, 0, 1, 1],
    ['case 3: spans it', '09:00:00', '12:00:00', 3_600_000, 0, 0, 1],
    ['case 4: inside', '10:15:00', '10:45:00', 1_800_000, 1, 1, 0],
    ['starts with it, ends inside', '10:00:00', '10:15:00', 900_000, 1, 1, 0],
    ['starts inside, ends with it', '10:45:00', '11:00:00', 900_000, 1, 0, 0],
    ['is the hour', '10:00:00', '11:00:00', 3_600_000, 1, 0, 0],
    ['ends where it starts', '09:00:00', '10:00:00', 0, 0, 1, 1],
    ['ends 1 ms after it starts', '09:00:00', '10:00:00.001', 1, 0, 1, 1],
    ['ends 1 ms before it starts', '09:00:00', '09:59:59.999', 0, 0, 0, 0],
    ['starts where it ends', '11:00:00', '12:00:00', 0, 0, 0, 0],
    ['starts 1 ms before it ends', '10:59:59.999', '12:00:00', 1, 1, 0, 0],
    ['is 1 ms long at its start', '10:00:00', '10:00:00.001', 1, 1, 1, 0],
    ['is still running', '10:59:00', null, 60_000, 1, 0, 0],
  ] as const;
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await insertRuns(
      test,
      CASES.map(([user, start, end]) => ({
        key: user,
        user,
        milliGpus: 2_500,
        startedAtMs: at(start),
        endedAtMs: end === null ? null : at(end),
      })),
    );
  });
  afterAll(() => test.close());

  async function expectFigures(): Promise<void> {
    const { rows } = await readReport(test, calendar, { window: hour, by: ['user'] });
    const figures = new Map(rows.map((row) => [row.user, row]));
    for (const [user, , , runMs, started, ended, carriedIn] of CASES) {
      const row = figures.get(user);
      const found = [
        row?.runMs,
        row?.milliGpuMs,
        row?.runsStarted,
        row?.runsEnded,
        row?.runsCarriedIn,
      ];
      const expected = [runMs, runMs * 2_500, started, ended, carriedIn].map(BigInt);
      const nothing = runMs + started + ended + carriedIn === 0;
      expect({ user, found }).toEqual({
        user,
        found: nothing ? [undefined, undefined, undefined, undefined, undefined] : expected,
      });
    }
  }

  it(
    'G1: counts each of the four cases and every equality of edges to the ms, from the runs',
    expectFigures,
  );

  it('G1: counts them the same from the ledger', async () => {
    await setOrigin(test, at('08:00:00'));
    const day = calendar.periodAt('day', hour.startAtMs);
    await aggregateNow(test, calendar, { ...day, reprocess: 'stale' });
    await expectFigures();
    // Proof that the ledger was read: a wrong figure in it shows.
    await test.query('update usage_hour set run_ms = run_ms + 7 where period_start_at_ms = $1', [
      hour.startAtMs,
    ]);
    const { rows } = await readReport(test, calendar, { window: hour });
    const total = CASES.reduce((sum, [, , , runMs]) => sum + runMs, 0);
    const touching = CASES.filter(([, , , ...figures]) => figures.some((one) => one > 0)).length;
    expect(rows[0]?.runMs).toBe(BigInt(total + 7 * touching));
    await test.query('update usage_hour set run_ms = run_ms - 7 where period_start_at_ms = $1', [
      hour.startAtMs,
    ]);
  });

  it('G3: the four corners of odd windows carry in and out what ran there', async () => {
    const windows = ['10:00:00.001', '10:14:59.999', '10:15:00', '10:59:59.999'].flatMap((start) =>
      ['10:15:00.001', '11:00:00', '11:00:00.001'].map((end) => ({
        startAtMs: at(start),
        endAtMs: at(end),
      })),
    );
    for (const window of windows.filter((one) => one.startAtMs < one.endAtMs)) {
      const { rows, asOfMs } = await readReport(test, calendar, { window, by: ['user'] });
      const expected = await oracleLines(test, { spans: [window], by: ['user'], nowMs: asOfMs });
      expect(rows.map(lineOf)).toEqual(expected);
    }
  });
});

describe.each([
  ['America/New_York', '2026-03-08', 23],
  ['America/New_York', '2026-11-01', 25],
  ['Australia/Lord_Howe', '2026-04-05', 25],
  ['Australia/Lord_Howe', '2026-10-04', 24],
  ['America/Havana', '2026-11-01', 25],
] as const)('The day of a change of the clocks, %s %s', (zone, date, hours) => {
  const calendar = Calendar.of(zone);
  const noon = Date.parse(`${date}T12:00:00Z`);
  const day = calendar.periodAt('day', noon);
  const window = { startAtMs: day.startAtMs - MS_PER_DAY, endAtMs: day.endAtMs + MS_PER_DAY };
  let test: TestDatabase;

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone });
    await insertRuns(
      test,
      Array.from({ length: 80 }, (_, n) => ({
        key: String(n),
        user: `user${n % 3}`,
        milliGpus: 500 * (n % 5),
        startedAtMs: window.startAtMs + n * 3_131_777,
        endedAtMs: window.startAtMs + n * 3_131_777 + (n % 7) * 5_400_123,
      })),
    );
  });
  afterAll(() => test.close());

  it(`G2: has ${hours} hours, exact from the runs and from the ledger`, async () => {
    const compare = async (): Promise<void> => {
      for (const step of STEPS) {
        const { rows, asOfMs } = await readReport(test, calendar, { window, step, by: ['user'] });
        const spans = [...reportRows(step, window, calendar, asOfMs)];
        expect(rows.map(lineOf)).toEqual(
          await oracleLines(test, { spans, by: ['user'], nowMs: asOfMs }),
        );
      }
    };
    const byHour = await readReport(test, calendar, { window: day, step: 'hour' });
    expect(byHour.rows).toHaveLength(hours);
    await compare();
    await setOrigin(test, window.startAtMs);
    for (const one of calendar.periodsTouching('day', window)) {
      const summary = await aggregateNow(test, calendar, { ...one, reprocess: 'stale' });
      expect(summary.daysBuilt).toBe(1);
    }
    await compare();
  });
});

describe('What a report says about itself', () => {
  const calendar = Calendar.of('UTC');
  let test: TestDatabase;
  let nowMs: number;
  let presentHour: number;

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { minimumRunMs: 60_000 });
    nowMs = await databaseNowMs(test.database);
    presentHour = calendar.startOf('hour', nowMs);
    const old = presentHour - 5 * MS_PER_HOUR;
    await insertRuns(test, [
      {
        key: 'running',
        user: 'a',
        milliGpus: 1_000,
        startedAtMs: presentHour - 1_000,
        endedAtMs: null,
      },
      { key: 'short', user: 'a', milliGpus: 1_000, startedAtMs: old, endedAtMs: old + 60_000 },
      { key: 'long', user: 'b', milliGpus: 1_000, startedAtMs: old, endedAtMs: old + 90_000 },
    ]);
    await test.query(
      `update run set reported_ended_at_ms = case when record_key = 'short' then started_at_ms + 7 else ended_at_ms end
       where ended_at_ms is not null`,
    );
  });
  afterAll(() => test.close());

  it("G6: counts a running run up to the report's now, and cuts the window there", async () => {
    const window = { startAtMs: presentHour - 1_000, endAtMs: nowMs + MS_PER_DAY };
    const { rows, asOfMs, ...report } = await readReport(test, calendar, { window });
    expect(asOfMs).toBeGreaterThanOrEqual(nowMs);
    expect(report.window.endAtMs).toBe(asOfMs);
    expect(rows.map((row) => row.runMs)).toEqual([BigInt(asOfMs - presentHour + 1_000)]);
  });

  it('G6: books that have not begun give incomplete rows as soon as runs exist', async () => {
    const window = { startAtMs: presentHour - 9 * MS_PER_HOUR, endAtMs: nowMs };
    const { rows } = await readReport(test, calendar, { window, step: 'hour' });
    expect(new Set(rows.map((row) => row.state))).toEqual(new Set(['incomplete']));
    expect(rows).toHaveLength(10);
  });

  it('G6: rows are incomplete before the origin, complete after it, provisional at now', async () => {
    await setOrigin(test, presentHour - 2 * MS_PER_HOUR);
    const window = { startAtMs: presentHour - 4 * MS_PER_HOUR, endAtMs: nowMs + MS_PER_DAY };
    const { rows } = await readReport(test, calendar, { window, step: 'hour' });
    expect(rows.map((row) => row.state)).toEqual([
      'incomplete',
      'incomplete',
      ...rows.slice(3).map(() => 'complete'),
      'provisional',
    ]);
    const upToNow = { startAtMs: presentHour, endAtMs: nowMs };
    const over = await readReport(test, calendar, { window: upToNow, step: 'hour' });
    expect(over.rows.map((row) => row.state)).toEqual(['complete']);
    const whole = await readReport(test, calendar, { window });
    expect(whole.rows.map((row) => row.state)).toEqual(['incomplete']);
  });

  it('G6: rows before the origin are complete when no run is older than it', async () => {
    await setOrigin(test, presentHour - 5 * MS_PER_HOUR);
    const window = { startAtMs: presentHour - 8 * MS_PER_HOUR, endAtMs: presentHour };
    const { rows } = await readReport(test, calendar, { window, step: 'hour' });
    expect(new Set(rows.map((row) => row.state))).toEqual(new Set(['complete']));
  });

  it('says how many runs of the window the minimum lengthened, and by how much', async () => {
    const old = presentHour - 5 * MS_PER_HOUR;
    const lengthened = async (startAtMs: number, user: string | null = null) =>
      (
        await readReport(test, calendar, {
          window: { startAtMs, endAtMs: nowMs },
          filter: { ...NO_FILTER, user },
        })
      ).lengthened;
    expect(await lengthened(old)).toEqual({ runs: 1, lengthenedMs: 59_993n });
    expect(await lengthened(old + 59_999)).toEqual({ runs: 1, lengthenedMs: 59_993n });
    expect(await lengthened(old + 60_000)).toEqual({ runs: 0, lengthenedMs: 0n });
    expect(await lengthened(old, 'b')).toEqual({ runs: 0, lengthenedMs: 0n });
  });

  it('names filters that no record ever had', async () => {
    const window = { startAtMs: presentHour - 1_000, endAtMs: nowMs };
    const filter = { user: 'a', space: 'nowhere', pool: null };
    const { unknown, rows } = await readReport(test, calendar, { window, filter });
    expect(unknown).toEqual(['space']);
    expect(rows.map((row) => row.runMs)).toEqual([0n]);
  });

  it('adds up what is far beyond 2^53 and, over years, beyond bigint in one formula', async () => {
    const startedAtMs = Date.UTC(1991, 0, 1);
    const many = Array.from({ length: 30 }, (_, n) => ({
      key: `huge${n}`,
      user: 'huge',
      milliGpus: 100_000_000,
      startedAtMs,
      endedAtMs: startedAtMs + 3_650 * MS_PER_DAY,
    }));
    await insertRuns(test, many);
    const window = { startAtMs: startedAtMs - 1, endAtMs: startedAtMs + 3_650 * MS_PER_DAY };
    const { rows } = await readReport(test, calendar, {
      window,
      filter: { ...NO_FILTER, user: 'huge' },
    });
    expect(rows[0]?.milliGpuMs).toBe(30n * 100_000_000n * 3_650n * BigInt(MS_PER_DAY));
    expect(rows[0]?.runMs).toBe(30n * 3_650n * BigInt(MS_PER_DAY));
  });

  it('B39: refuses more than 876,000 hours by hours, and a window that begins in the future', async () => {
    const window = { startAtMs: Date.UTC(1990, 0, 1), endAtMs: Date.UTC(2090, 0, 1) };
    await expect(readReport(test, calendar, { window, step: 'hour' })).rejects.toMatchObject({
      code: 'RANGE_TOO_LARGE',
      message: expect.stringMatching(/876600 hours.*876000/),
    });
    const future = { startAtMs: nowMs + MS_PER_HOUR, endAtMs: nowMs + MS_PER_DAY };
    await expect(readReport(test, calendar, { window: future })).rejects.toMatchObject({
      code: 'PERIOD_OPEN',
    });
  });
});
