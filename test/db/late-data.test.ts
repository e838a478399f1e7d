import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { moveOrigin } from '../../db/books-store.js';
import { readLedgerState } from '../../db/ledger-store.js';
import { lockPeriod } from '../../db/period-lock.js';
import { Calendar } from '../../domain/calendar.js';
import { goodForReaders } from '../../domain/ledger.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { HOUR_STEPS } from '../support/interleaving.js';
import {
  aggregateAll,
  aggregateNow,
  differences,
  insertRuns,
  ledgerDigests,
  setOrigin,
  type NewRun,
} from '../support/runs.js';

const calendar = Calendar.of('Asia/Shanghai');
/** Saturday, so that a week and the month begin before the origin. */
const ORIGIN = calendar.periodAt('day', Date.UTC(2026, 0, 24)).startAtMs;
const BOOKS = { startAtMs: ORIGIN, endAtMs: ORIGIN + 8 * MS_PER_DAY };
const at = (hours: number, minutes = 0): number => ORIGIN + hours * MS_PER_HOUR + minutes * 60_000;

function someRuns(): NewRun[] {
  return Array.from({ length: 60 }, (_, n) => ({
    key: `run-${n}`,
    user: `u${n % 7}`,
    space: `s${n % 3}`,
    milliGpus: 125 * (n % 9),
    startedAtMs: at(n * 3, (n * 17) % 60) + n,
    endedAtMs: n % 11 === 0 ? null : at(n * 3 + (n % 30), (n * 29) % 60) + 7 * n,
  })).map((run) =>
    run.endedAtMs !== null && run.endedAtMs < run.startedAtMs
      ? { ...run, endedAtMs: run.startedAtMs }
      : run,
  );
}

describe('late data (G8)', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: 'Asia/Shanghai' });
    await setOrigin(test, ORIGIN);
    await insertRuns(test, someRuns());
    await aggregateAll(test, calendar, BOOKS);
  });
  afterAll(() => test.close());

  const staleNow = async (): Promise<string[]> =>
    (await readLedgerState(test.database)).stale.map(
      (period) => `${period.granularity} ${period.label} ${period.reason}`,
    );

  async function expectMended(): Promise<void> {
    await aggregateAll(test, calendar, BOOKS);
    expect(await differences(test)).toEqual([]);
    expect(await staleNow()).toEqual([]);
    expect(
      await test.query('select * from usage_change where minute < $1', [at(24 * 8) / 60_000]),
    ).toEqual([]);
  }

  it('books are equal to the overlap formula before anything is late', async () => {
    expect(await differences(test)).toEqual([]);
    expect(await staleNow()).toEqual([]);
  });

  it('a late run makes the hours of its edges stale, and building mends all levels', async () => {
    await insertRuns(test, [
      { key: 'late', user: 'u1', milliGpus: 4000, startedAtMs: at(10, 30), endedAtMs: at(13, 30) },
    ]);
    expect(await staleNow()).toEqual([
      'hour 2026-01-24T10:00+08:00 mark',
      'hour 2026-01-24T13:00+08:00 mark',
    ]);
    await expectMended();
  });

  it('readers do not take the hours between the marks while they wait', async () => {
    await test.query(
      `update run set ended_at_ms = ended_at_ms + 3600000 where record_key = 'late'`,
    );
    const state = await readLedgerState(test.database);
    const good = goodForReaders(state, calendar);
    expect(good.hour).toEqual([{ startAtMs: ORIGIN, endAtMs: at(13) }]);
    expect(good.day).toEqual([]);
    await expectMended();
  });

  it.each([
    [
      'an ended run',
      `update run set ended_at_ms = started_at_ms + 5400001 where record_key = 'run-11'`,
    ],
    [
      'a moved run',
      `update run set started_at_ms = started_at_ms + 86400000, ended_at_ms = ended_at_ms + 90000000 where record_key = 'run-20'`,
    ],
    ['a run with other GPUs', `update run set milli_gpus = 7777 where record_key = 'run-21'`],
    ['a run that is open again', `update run set ended_at_ms = null where record_key = 'run-30'`],
    ['a removed run', `delete from run where record_key in ('late', 'run-3', 'run-33')`],
  ])('%s ends in the same books as a fresh aggregation', async (_name, change) => {
    await test.query(change);
    expect((await staleNow()).length).toBeGreaterThan(0);
    await expectMended();
  });

  it('lost ledger rows, dirty rows and foreign rows are mended, and dirty rows are counted (S0 3.2)', async () => {
    await test.query(`delete from period where granularity = 'hour' and start_at_ms = $1`, [
      at(30),
    ]);
    await test.query(`update usage_hour set run_ms = run_ms + 1 where period_start_at_ms = $1`, [
      at(30),
    ]);
    const summaries = await aggregateAll(test, calendar, BOOKS);
    expect(summaries.reduce((sum, one) => sum + one.dirtyRowsRemoved, 0)).toBeGreaterThan(0);
    await expectMended();
  });

  it('everything dropped and built again gives the same digests (I12)', async () => {
    const before = await ledgerDigests(test);
    await test.query('delete from period');
    for (const table of ['usage_hour', 'usage_day', 'usage_week', 'usage_month']) {
      await test.query(`delete from ${table}`);
    }
    await aggregateAll(test, calendar, BOOKS);
    expect(await ledgerDigests(test)).toEqual(before);
  });

  it('the origin moves to the past: the old first hour keeps only its own marks (A4)', async () => {
    const older = ORIGIN - 5 * MS_PER_HOUR;
    await test.database.transaction({}, async (transaction) => {
      await lockPeriod(transaction, 'hour', ORIGIN);
      await moveOrigin(transaction, older);
    });
    await insertRuns(test, [
      { key: 'before', user: 'u1', milliGpus: 1000, startedAtMs: older + 1, endedAtMs: at(1) },
    ]);
    await aggregateAll(test, calendar, { startAtMs: older, endAtMs: BOOKS.endAtMs });
    expect(await differences(test)).toEqual([]);
    expect(await staleNow()).toEqual([]);
  });
});

describe('a late run that reaches over a hole in the ledger (G8, A7)', () => {
  let test: TestDatabase;
  beforeEach(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, at(0));
  });
  afterEach(() => test.close());

  const utc = Calendar.of('UTC');
  const build = async (n: number): Promise<void> => {
    await aggregateNow(test, utc, { ...utc.periodAt('hour', at(n)), reprocess: 'stale' });
  };
  const staleHours = async () =>
    (await readLedgerState(test.database)).stale.map((period) => [period.startAtMs, period.reason]);

  it.each([
    ['begins in the hole and ends behind it', at(3, 30), at(8, 30), [[at(6), 'hole']]],
    [
      'begins before the hole and ends behind what was built after it',
      at(1, 30),
      at(8, 30),
      [
        [at(1), 'mark'],
        [at(6), 'hole'],
      ],
    ],
    [
      'begins before the hole and ends in an hour behind it',
      at(1, 30),
      at(7, 30),
      [
        [at(1), 'mark'],
        [at(6), 'hole'],
        [at(7), 'mark'],
      ],
    ],
  ])(
    '%s: the hour after the hole is stale, and the run is not lost',
    async (_how, startedAtMs, endedAtMs, expected) => {
      await insertRuns(test, [
        { key: 'a', user: 'u', milliGpus: 1000, startedAtMs: at(0, 5), endedAtMs: at(9, 5) },
      ]);
      for (const n of [0, 1, 6, 7]) await build(n);
      await insertRuns(test, [{ key: 'b', user: 'u', milliGpus: 1000, startedAtMs, endedAtMs }]);
      expect(await staleHours()).toEqual(expected);
      // However the hours before the hole are mended, those behind it stay stale.
      await build(1);
      expect(await staleHours()).toEqual(expected.filter(([hour]) => hour !== at(1)));
      for (const n of [6, 7]) await build(n);
      expect(await staleHours()).toEqual([]);
      expect(await differences(test)).toEqual([]);
    },
  );
});

describe('kill -9 in the middle of a build (G9)', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, at(0));
    await insertRuns(test, someRuns());
  });
  afterAll(() => test.close());

  it.each(HOUR_STEPS)(
    'after %s: readers see the hour before or after, and the next build mends it',
    async (step) => {
      const utc = Calendar.of('UTC');
      const target = utc.periodAt('hour', at(3));
      const hours = { ...target, startAtMs: at(0), granularity: 'hour' as const };
      for (const hour of utc.periodsWithin('hour', hours)) {
        await aggregateNow(test, utc, { ...hour, reprocess: 'stale' });
      }
      const before = await ledgerDigests(test);
      await test.query(
        `update run set milli_gpus = milli_gpus + 1 where record_key in ('run-0', 'run-1')`,
      );
      const script = fileURLToPath(new URL('../support/build-and-die.mjs', import.meta.url));
      const child = spawnSync(process.execPath, [script, test.url, String(target.startAtMs), step]);
      expect([child.signal, String(child.stderr)]).toEqual(['SIGKILL', '']);
      const after = await ledgerDigests(test);
      if (step === 'commit') expect(after).not.toEqual(before);
      else expect(after).toEqual(before);
      for (const hour of utc.periodsWithin('hour', hours)) {
        await aggregateNow(test, utc, { ...hour, reprocess: 'stale' });
      }
      expect(await differences(test)).toEqual([]);
      expect((await readLedgerState(test.database)).stale).toEqual([]);
    },
  );
});
