import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readLedgerState } from '../../db/ledger-store.js';
import { buildPeriod } from '../../db/period-builder.js';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, differences, insertRuns, setOrigin } from '../support/runs.js';

const T = Date.UTC(2026, 0, 31, 8);
const calendar = Calendar.of('UTC');
const hour = (n: number): ReturnType<Calendar['periodAt']> =>
  calendar.periodAt('hour', T + n * MS_PER_HOUR);

describe('building one hour', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, T);
  });
  afterAll(() => test.close());

  it('counts the four cases of S0 3.3 to the ms', async () => {
    const at = (minutes: number): number => T + 2 * MS_PER_HOUR + minutes * MS_PER_MINUTE;
    await insertRuns(test, [
      { key: '1', user: 'starts-inside', milliGpus: 2000, startedAtMs: at(30), endedAtMs: at(90) },
      { key: '2', user: 'ends-inside', milliGpus: 1500, startedAtMs: at(-30), endedAtMs: at(15) },
      { key: '3', user: 'spans', milliGpus: 1000, startedAtMs: at(-60), endedAtMs: at(120) },
      { key: '4', user: 'inside', milliGpus: 250, startedAtMs: at(15), endedAtMs: at(45) },
    ]);
    const result = await buildPeriod(test.database, hour(2));
    expect(result).toMatchObject({ rowCount: 4, rowsWritten: 4, rowsRemoved: 0 });
    const rows = await test.query(
      `select name, run_ms::int, milli_gpu_ms::bigint::text as milli_gpu_ms, runs_started::int, runs_ended::int, runs_carried_in::int, runs_out::int
       from usage_hour u join usage_key k on k.id = u.usage_key join dim_user d on d.id = k.user_id
       where period_start_at_ms = $1 order by name`,
      [hour(2).startAtMs],
    );
    expect(rows).toEqual([
      {
        name: 'ends-inside',
        run_ms: 900_000,
        milli_gpu_ms: '1350000000',
        runs_started: 0,
        runs_ended: 1,
        runs_carried_in: 1,
        runs_out: 0,
      },
      {
        name: 'inside',
        run_ms: 1_800_000,
        milli_gpu_ms: '450000000',
        runs_started: 1,
        runs_ended: 1,
        runs_carried_in: 0,
        runs_out: 0,
      },
      {
        name: 'spans',
        run_ms: 3_600_000,
        milli_gpu_ms: '3600000000',
        runs_started: 0,
        runs_ended: 0,
        runs_carried_in: 1,
        runs_out: 1,
      },
      {
        name: 'starts-inside',
        run_ms: 1_800_000,
        milli_gpu_ms: '3600000000',
        runs_started: 1,
        runs_ended: 0,
        runs_carried_in: 0,
        runs_out: 1,
      },
    ]);
  });

  it.each([
    // start, end in minutes from the hour's start; what the hour holds, and what is carried into it and out of it
    ['ends exactly at the start', -10, 0, { run_ms: 0, carried: 1, started: 0, ended: 1, out: 0 }],
    ['is empty, at the start', 0, 0, { run_ms: 0, carried: 0, started: 1, ended: 1, out: 0 }],
    [
      'starts exactly at the start',
      0,
      10,
      { run_ms: 600_000, carried: 0, started: 1, ended: 1, out: 0 },
    ],
    ['is the hour', 0, 60, { run_ms: 3_600_000, carried: 0, started: 1, ended: 0, out: 1 }],
    [
      'ends exactly at the end',
      50,
      60,
      { run_ms: 600_000, carried: 0, started: 1, ended: 0, out: 1 },
    ],
    ['starts exactly at the end', 60, 70, null],
    ['is empty, at the end', 60, 60, null],
    ['is empty, inside', 30, 30, { run_ms: 0, carried: 0, started: 1, ended: 1, out: 0 }],
    [
      'begins before and ends exactly at the end',
      -10,
      60,
      { run_ms: 3_600_000, carried: 1, started: 0, ended: 0, out: 1 },
    ],
    [
      'begins at the start and goes on',
      0,
      61,
      { run_ms: 3_600_000, carried: 0, started: 1, ended: 0, out: 1 },
    ],
    ['ended before the start', -20, -10, null],
  ])('half-open edges: a run that %s', async (name, from, to, expected) => {
    const target = hour(300);
    const at = (minutes: number): number => target.startAtMs + minutes * MS_PER_MINUTE;
    await test.query(`delete from run where job_id = 'edge'`);
    await insertRuns(test, [
      {
        key: 'edge',
        user: `edge: ${name}`,
        milliGpus: 1000,
        startedAtMs: at(from),
        endedAtMs: at(to),
      },
    ]);
    await buildPeriod(test.database, target);
    const rows = await test.query(
      `select run_ms::int, runs_carried_in::int as carried, runs_started::int as started, runs_ended::int as ended, runs_out::int as out
       from usage_hour u join usage_key k on k.id = u.usage_key join dim_user d on d.id = k.user_id
       where period_start_at_ms = $1 and name = $2`,
      [target.startAtMs, `edge: ${name}`],
    );
    expect(rows).toEqual(expected === null ? [] : [expected]);
  });

  it('I8: no row says more than its runs could run, and PostgreSQL refuses less than nothing', async () => {
    const rows = await test.query<{ run_ms: string; longest: string }>(
      `select run_ms, (runs_carried_in + runs_started) * 3600000 as longest from usage_hour`,
    );
    expect(rows.length).toBeGreaterThan(3);
    for (const row of rows) expect(BigInt(row.run_ms)).toBeLessThanOrEqual(BigInt(row.longest));
    for (const column of ['run_ms', 'milli_gpu_ms', 'milli_gpus_out']) {
      await expect(test.query(`update usage_hour set ${column} = -1`)).rejects.toThrow(column);
    }
  });

  it('writes no usage row when nothing changed (G5)', async () => {
    const result = await buildPeriod(test.database, hour(2));
    expect(result).toMatchObject({ rowCount: 4, rowsWritten: 0, rowsRemoved: 0 });
  });

  it('refuses an hour that is not over by the database clock', async () => {
    const current = calendar.periodAt('hour', Date.now() + 1_000);
    await expect(buildPeriod(test.database, current)).rejects.toMatchObject({
      code: 'PERIOD_OPEN',
    });
  });

  it('refuses a day whose hours are not all in the ledger, and leaves nothing behind (A5)', async () => {
    const day = calendar.periodAt('day', T + 500 * MS_PER_HOUR);
    const expectedPartStarts = [...calendar.periodsWithin('hour', day)].map(
      (part) => part.startAtMs,
    );
    await expect(buildPeriod(test.database, day, { expectedPartStarts })).rejects.toMatchObject({
      code: 'REPLAN',
    });
    expect(await test.query(`select 1 from period where granularity = 'day'`)).toEqual([]);
  });

  it('an overflowing sum fails loudly and leaves nothing behind', async () => {
    const target = hour(400);
    const runs = Array.from({ length: 30_000 }, (_, n) => ({
      key: `huge-${n}`,
      user: 'huge',
      milliGpus: 100_000_000,
      startedAtMs: target.startAtMs,
      endedAtMs: target.endAtMs,
    }));
    await insertRuns(test, runs);
    await expect(buildPeriod(test.database, target)).rejects.toMatchObject({
      code: 'DATABASE_FAILURE',
      details: { sqlstate: '22003' },
    });
    expect(
      await test.query('select 1 from period where start_at_ms = $1', [target.startAtMs]),
    ).toEqual([]);
    await test.query(`delete from run where job_id like 'huge-%'`);
  });

  it('the formula is inlined into the statement that builds an hour', async () => {
    const plan = await test.query<Record<string, string>>(
      'explain select * from usage_between(1769846400000, 1769850000000, true, null, null, null)',
    );
    const text = plan.map((line) => line['QUERY PLAN']).join('\n');
    expect(text).toContain('run_started');
    expect(text).not.toContain('Function Scan on usage_between');
  });

  it('makes every level equal to the overlap formula (G1, G2, G3)', async () => {
    await aggregateAll(test, calendar, { startAtMs: T, endAtMs: T + 10 * 24 * MS_PER_HOUR });
    expect(await differences(test)).toEqual([]);
    const state = await readLedgerState(test.database);
    expect(state.stale).toEqual([]);
    expect(state.ranges.month).toHaveLength(1);
  });
});
