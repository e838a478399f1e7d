/**
 * Hours that follow a hole in the ledger (rule A7): which of them are stale, for many holes at once, at the beginning of
 * the books and after ledger rows were lost. One hole and one late run are in late-data.test.ts.
 */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readLedgerState } from '../../db/ledger-store.js';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { randomRuns } from '../support/random-runs.js';
import { aggregateNow, differences, insertRuns, setOrigin, type NewRun } from '../support/runs.js';
import { sample, seededRandom } from '../support/seeded-random.js';

const utc = Calendar.of('UTC');
const ORIGIN = Date.UTC(2026, 0, 24);
const HOURS = 10 * 24;
const ROUNDS = process.env['JOBHOURS_TORTURE'] === '1' ? 60 : 4;
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);

const at = (hours: number, minutes = 0): number =>
  ORIGIN + hours * MS_PER_HOUR + minutes * MS_PER_MINUTE;
const run = (key: string, startedAtMs: number, endedAtMs: number | null): NewRun => ({
  ...{ key, user: 'u', milliGpus: 1_000, startedAtMs, endedAtMs },
});

/** Hours after a hole whose digest of the carry is not the one of the overlap formula, each looked at alone. */
const AFTER_CHANGED_HOLES = `
  select h.start_at_ms::float8 as start_at_ms
  from period h
  cross join lateral (
    select sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(runs) || int8send(milli_gpus), ''::bytea order by usage_key), '')) as digest
    from (
      select usage_key, count(*) as runs, isum(milli_gpus) as milli_gpus from run
      where started_at_ms < h.start_at_ms and (ended_at_ms is null or ended_at_ms >= h.start_at_ms)
      group by usage_key
    ) alive
  ) carry
  where h.granularity = 'hour' and h.mark_from_ms = h.start_at_ms and carry.digest <> h.carry_in_digest
    and h.start_at_ms not in (select end_at_ms from period where granularity = 'hour')
  order by 1`;

describe('hours after holes in the ledger (G8, A7)', () => {
  let test: TestDatabase;
  beforeEach(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, ORIGIN);
  });
  afterEach(() => test.close());

  const build = async (...hours: readonly number[]): Promise<void> => {
    for (const n of hours)
      await aggregateNow(test, utc, { ...utc.periodAt('hour', at(n)), reprocess: 'stale' });
  };
  const staleHours = async (): Promise<[hour: number, reason: string][]> =>
    (await readLedgerState(test.database)).stale.map(({ startAtMs, reason }) => [
      (startAtMs - ORIGIN) / MS_PER_HOUR,
      reason,
    ]);

  it('a row planted across two hours takes none of them out of the ledger', async () => {
    await build(0, 1, 2, 3, 6);
    await test.query(
      `insert into period (granularity, start_at_ms, end_at_ms, label, mark_from_ms, carry_in_digest,
        carry_out_digest, digest, row_count, aggregated_at_ms)
       select granularity, start_at_ms + 1800000, end_at_ms + 1800000, 'planted', mark_from_ms, carry_in_digest,
        carry_out_digest, digest, row_count, aggregated_at_ms
       from period where start_at_ms = $1`,
      [at(1)],
    );
    const { ranges } = await readLedgerState(test.database);
    expect(ranges.hour).toEqual([
      { startAtMs: at(0), endAtMs: at(4) },
      { startAtMs: at(6), endAtMs: at(7) },
    ]);
  });

  it.each<[string, NewRun, number[]]>([
    ['a run across two of five', run('late', at(6, 30), at(31, 30)), [8, 31]],
    ['a run of days across all', run('late', at(1, 30), at(150, 30)), [6, 8, 31, 60, 120]],
    ['an open run', run('late', at(32, 30), null), [60, 120]],
    ['a run that ends when the hour after a hole begins', run('late', at(58), at(60)), [60]],
    ['a run that begins then', run('late', at(60), at(60, 30)), []],
    ['a run that ends a ms earlier', run('late', at(58), at(60) - 1), []],
    ['a run of exactly a day', run('late', at(7), at(31)), [8, 31]],
    ['a run of a day less a ms', run('late', at(31) - 1, at(55) - 2), [31]],
    ['a run inside one hole', run('late', at(40), at(50)), []],
  ])(
    'of several holes, %s makes stale what follows those it reaches over',
    async (_what, late, holes) => {
      const built = [0, 1, 6, 8, 9, 31, 60, 61, 120];
      await insertRuns(test, [run('a', at(0, 5), at(170)), run('b', at(5, 5), at(8, 5))]);
      await build(...built);
      expect(await staleHours()).toEqual([]);
      await insertRuns(test, [late]);
      // Told first, where an hour has both: so the marks are put aside.
      const marks = await test.query<{ minute: string }>(
        'delete from usage_change returning minute',
      );
      expect(await staleHours()).toEqual(holes.map((n) => [n, 'hole']));
      await test.query('insert into usage_change select unnest($1::bigint[])', [
        marks.map(({ minute }) => minute),
      ]);
      for (let pass = 0; pass < 3; pass += 1) await build(...built);
      expect(await staleHours()).toEqual([]);
      expect(await differences(test)).toEqual([]);
    },
  );

  it('the first hour of the books follows no hole: what comes late before it is a mark of its own', async () => {
    await insertRuns(test, [run('a', at(-9), at(5))]);
    await build(0, 1, 2);
    await insertRuns(test, [run('ended before', at(-3), at(-1))]);
    expect(await staleHours()).toEqual([[0, 'mark']]);
    await build(0);
    expect(await staleHours()).toEqual([]);
    await insertRuns(test, [run('reaches in', at(-3), at(1, 30))]);
    expect(await staleHours()).toEqual([
      [0, 'mark'],
      [1, 'mark'],
    ]);
    await build(0, 1, 2);
    await insertRuns(test, [run('reaches over', at(-30), at(40))]);
    expect(await staleHours()).toEqual([[0, 'mark']]);
    await build(0, 1, 2);
    expect(await staleHours()).toEqual([]);
    expect(await differences(test)).toEqual([]);
  });

  it('hours that took their marks and were lost leave a hole without marks, and what follows is found', async () => {
    await insertRuns(test, [run('a', at(0, 5), at(9))]);
    await build(0, 1, 2, 3, 4, 5, 6, 7);
    await insertRuns(test, [run('late', at(3, 30), at(8, 30))]);
    await build(3, 4);
    for (const lost of [3, 4, 5]) {
      await test.query('delete from period where start_at_ms = $1', [at(lost)]);
      await test.query('delete from usage_hour where period_start_at_ms = $1', [at(lost)]);
    }
    expect(
      await test.query('select from usage_change where minute < $1', [at(6) / MS_PER_MINUTE]),
    ).toEqual([]);
    expect(await staleHours()).toEqual([[6, 'hole']]);
    await build(6, 7);
    expect(await staleHours()).toEqual([]);
    expect(await differences(test)).toEqual([]);
  });

  it('nothing that runs over a hole is a carry like any other', async () => {
    await insertRuns(test, [run('gone', at(2), at(6, 30)), run('late', at(20), at(21))]);
    await build(0, 6, 12);
    expect(await staleHours()).toEqual([]);
    await test.query(`delete from run where record_key = 'gone'`);
    await test.query('delete from usage_change');
    expect(await staleHours()).toEqual([[6, 'hole']]);
    await build(6);
    expect(await staleHours()).toEqual([]);
  });

  it(`random holes and changes, ${ROUNDS} rounds: the hours found are those found one by one`, async () => {
    let found = 0;
    process.stdout.write(`holes, seed ${SEED}, ${ROUNDS} rounds\n`);
    for (let round = 0; round < ROUNDS; round += 1) {
      const random = seededRandom(SEED + round);
      await test.query('delete from run');
      await test.query('delete from period');
      await test.query('delete from usage_hour');
      const span = { startAtMs: ORIGIN, endAtMs: at(HOURS) };
      await insertRuns(test, randomRuns(random, span, 150));
      const hours = Array.from({ length: HOURS }, (_, n) => n);
      const built = sample(hours, random.integer(2, 60), SEED + round).sort((a, b) => a - b);
      await build(...built);
      await insertRuns(test, [
        ...randomRuns(random, span, 1, 'late'),
        run('whole minutes', at(random.integer(0, 200)), at(random.integer(200, HOURS))),
      ]);
      await test.query(
        `update run set ended_at_ms = ended_at_ms + $1 where record_key in ('r1', 'r2')`,
        [random.integer(1, MS_PER_DAY)],
      );
      // Marks would be told first; this is about holes alone.
      await test.query('delete from usage_change');
      const expected = await test.query<{ start_at_ms: number }>(AFTER_CHANGED_HOLES);
      const hole = (await readLedgerState(test.database)).stale.filter(
        ({ reason }) => reason === 'hole',
      );
      expect(hole.map(({ startAtMs }) => startAtMs)).toEqual(
        expected.map(({ start_at_ms }) => start_at_ms),
      );
      found += hole.length;
    }
    expect(found).toBeGreaterThan(ROUNDS);
  }, 180_000);
});
