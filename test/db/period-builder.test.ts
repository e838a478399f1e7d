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

  it('writes no usage row when nothing changed (G5)', async () => {
    const result = await buildPeriod(test.database, hour(2));
    expect(result).toMatchObject({ rowCount: 4, rowsWritten: 0, rowsRemoved: 0 });
  });

  it('makes every level equal to the overlap formula (G1, G2, G3)', async () => {
    await aggregateAll(test, calendar, { startAtMs: T, endAtMs: T + 40 * 24 * MS_PER_HOUR });
    expect(await differences(test)).toEqual([]);
    const state = await readLedgerState(test.database);
    expect(state.stale).toEqual([]);
    expect(state.ranges.month).toHaveLength(1);
  });
});
