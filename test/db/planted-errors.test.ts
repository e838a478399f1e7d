/**
 * A test of the tests: each rule of the ledger is broken on purpose, and the interleavings must notice. The
 * planted builders run the statements of the real one in another order or with one more.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  begin,
  buildCoarse,
  buildHour,
  commit,
  deleteMarks,
  lock,
  readCarryDigestAgain,
  readInputsDigestAgain,
  type Step,
} from '../support/build-steps.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import {
  buildActor,
  closeActors,
  orders,
  runOrder,
  sqlActor,
  type Actor,
} from '../support/interleaving.js';
import { setOrigin } from '../support/runs.js';
import { at, day, faults, hour, ORIGIN, resetRuns, settle } from '../support/three-hours.js';

const insertLate = (startedAtMs: number, endedAtMs: number): Step => [
  `insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
   select source, 'late', 'late', usage_key, 3000, $1, $2, 0 from run where record_key = 'inside'`,
  [startedAtMs, endedAtMs],
];
/** Lies in hour 1 alone, so that no other hour's mark or carry repairs what a planted error loses. */
const inHourOne = insertLate(at(1, 15), at(1, 20));
/** Spans hour 1, so that its only way into that hour is the carry. */
const overHourOne = insertLate(at(0, 40), at(2, 20));

/** How many orders of the two actors end in wrong books. */
async function wrongOrders(
  test: TestDatabase,
  arrange: () => Promise<void>,
  actors: () => Promise<readonly [Actor, Actor]>,
): Promise<number> {
  const first = await actors();
  const all = [...orders(first[0].steps, first[1].steps)];
  let wrong = 0;
  let tried = 0;
  for (const order of all) {
    await arrange();
    const pair = await actors();
    await runOrder(test, pair, order);
    tried += 1;
    if ((await faults(test)).length > 0) wrong += 1;
    // One is enough to show that the harness sees it; all of them are counted under torture.
    if (wrong > 0 && process.env['JOBHOURS_TORTURE'] !== '1') break;
  }
  process.stdout.write(`planted: ${wrong} of ${tried} orders tried of ${all.length} are wrong\n`);
  return wrong;
}

describe('planted errors are found', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, ORIGIN);
  });
  afterAll(async () => {
    await closeActors();
    await test.close();
  });

  const allGood = async (): Promise<void> => {
    await resetRuns(test);
    await settle(test);
  };
  const lateRun =
    ([text, values]: Step) =>
    async (): Promise<void> => {
      await allGood();
      await test.query(text, values);
    };

  it('marks deleted after the data was read', async () => {
    const period = hour(1);
    const wrong = await wrongOrders(test, allGood, async () => [
      await sqlActor(test, 'writer', [begin, inHourOne, commit]),
      await sqlActor(test, 'builder', [
        begin,
        lock(period),
        buildHour(period),
        deleteMarks(period.startAtMs, period.endAtMs),
        commit,
      ]),
    ]);
    expect(wrong).toBeGreaterThan(0);
  }, 120_000);

  it('the previous hour`s digest read in a later statement than its rows', async () => {
    const period = hour(1);
    const wrong = await wrongOrders(test, lateRun(overHourOne), async () => [
      buildActor(test, 'redo', hour(0)),
      await sqlActor(test, 'builder', [
        begin,
        lock(period),
        deleteMarks(period.startAtMs, period.endAtMs),
        buildHour(period),
        readCarryDigestAgain(period),
        commit,
      ]),
    ]);
    expect(wrong).toBeGreaterThan(0);
  }, 300_000);

  it('a day`s inputs digest read in a later statement than its rows', async () => {
    const wrong = await wrongOrders(test, lateRun(inHourOne), async () => [
      buildActor(test, 'redo', hour(1)),
      await sqlActor(test, 'builder', [
        begin,
        lock(day),
        buildCoarse(day),
        readInputsDigestAgain(day),
        commit,
      ]),
    ]);
    expect(wrong).toBeGreaterThan(0);
  }, 300_000);

  it('a key change that marks the start only (B5: a compensated swap)', async () => {
    const planted = await createTestDatabase();
    try {
      await openTestBooks(planted);
      await setOrigin(planted, ORIGIN);
      await planted.query(`
        create or replace function mark_updated_runs() returns trigger language plpgsql as $$
        begin
          insert into usage_change (minute)
          select started_at_ms / 60000 from added;
          return null;
        end $$`);
      expect(await swapKeys(planted)).not.toEqual([]);
    } finally {
      await planted.close();
    }
    expect(await swapKeys(test)).toEqual([]);
  });

  it('a seed that consumes earlier marks (B4: two lanes)', async () => {
    const seed = hour(2);
    const wrong = await wrongOrders(
      test,
      () => resetRuns(test),
      async () => [
        buildActor(test, 'lane-1', hour(0), {}),
        await sqlActor(test, 'lane-2', [
          insertLate(at(0, 20), at(0, 40)),
          begin,
          lock(seed),
          deleteMarks(0, seed.endAtMs),
          buildHour(seed),
          commit,
        ]),
      ],
    );
    expect(wrong).toBeGreaterThan(0);
  }, 300_000);
});

/** Two runs of equal GPUs, alive over an edge, swap their users in one statement; the faults after settling. */
async function swapKeys(test: TestDatabase): Promise<unknown[]> {
  await resetRuns(test);
  await test.query(
    `update run set milli_gpus = 1000, started_at_ms = $1, ended_at_ms = $2 where record_key = 'spans'`,
    [at(0, 10), at(2, 10)],
  );
  await test.query(
    `update run set milli_gpus = 1000, started_at_ms = $1, ended_at_ms = $2 where record_key = 'inside'`,
    [at(0, 10), at(2, 40)],
  );
  await settle(test);
  await test.query(`
    update run r set usage_key = other.usage_key
    from run other
    where r.record_key in ('spans', 'inside') and other.record_key in ('spans', 'inside')
      and r.record_key <> other.record_key`);
  return faults(test);
}
