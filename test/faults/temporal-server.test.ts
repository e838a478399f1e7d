// Temporal's server killed and started again, with its database and without it, while a backfill and the keeper work
// (F22). What it knew is lost with its database, what was built is not; workers make the schedules again, the keeper
// starts lost backfills again.
import { afterAll, afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { checkPeriods } from '../../client/period-list.js';
import { keepSchedules } from '../../client/keep-schedules.js';
import { applySchedules, listSchedules } from '../../client/schedules.js';
import { SCHEDULE_NAMES } from '../../domain/ids.js';
import { GRANULARITIES } from '../../domain/period.js';
import type { usageKeeper } from '../../workflows/index.js';
import { cleanUp, temporaryFolder } from '../local/child.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { OwnTemporal } from '../support/own-temporal.js';
import { randomRuns } from '../support/random-runs.js';
import { insertRuns, ledgerDigests } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SHORT = { ...LIMITS, planMs: 3_000, heartbeatMs: 2_000 };

let temporal: OwnTemporal;
let one: TemporalBooks;
let nowMs: number;
let request: BackfillRequest & { readonly name: string };

beforeEach(async () => {
  temporal = await OwnTemporal.start(await temporaryFolder());
  one = await openTemporalBooks('UTC', { temporal: temporal.target });
  nowMs = Date.now();
  // Beyond the catch-up of the workers only the backfill builds; what is younger than its end is the keeper's.
  const start = one.calendar.startOf('day', nowMs - 20 * DAY_MS);
  request = {
    ...{ start, end: nowMs - 6 * HOUR_MS, lanes: 2, reprocess: 'stale', name: 'interrupted' },
  };
  await insertRuns(
    one.test,
    randomRuns(seededRandom(3), { startAtMs: start, endAtMs: nowMs }, 300),
  );
}, MINUTE_MS);
afterEach(async () => {
  await one.close();
  await temporal.stop();
});
afterAll(cleanUp);

const context = (): TemporalBooks => ({ ...one, limits: SHORT });

/** A worker, schedules, and a backfill that has built something and much before it. */
async function begin(): Promise<void> {
  await one.work({ catchUpMs: DAY_MS });
  await applySchedules(one.temporal, one);
  await createBackfill(one.temporal, context(), request);
  await wakeKeeper(one.temporal, one.books.name, 'month', SHORT);
  await until('50 periods are built', async () => (await ledgerDigests(one.test)).length >= 50);
}

/** Waits for what an operator would wait for: that nothing is missing, stale or failed. */
async function expectHealed(): Promise<void> {
  const check = () => checkPeriods(one.database, one.calendar, one.settings, () => ({}));
  await until('every period is good', async () => (await check()).periods.length === 0, 45_000);
  expect(await one.test.query('select * from period_failure')).toEqual([]);
  expect(await ledgerFaults(one.test, one.calendar.startOf('hour', nowMs))).toEqual([]);
}

const scheduleIds = async (): Promise<string[]> =>
  (await listSchedules(one.temporal, one.books.name)).map(({ id }) => id);

describe('a Temporal server that is killed while a backfill and the keeper work', () => {
  it(
    'F22: started again with its database, goes on with all of them; nobody has to do anything',
    async () => {
      await begin();
      const before = await scheduleIds();
      const waiting = waitForBackfill(one.temporal, one, request.name, () => undefined);
      await temporal.kill();
      await temporal.restart('kept');
      expect(await waiting).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
      const keeper = one.temporal.client.workflow.getHandle<typeof usageKeeper>(one.names.keeper);
      expect(await keeper.result()).toMatchObject({ failed: 0 });
      await expectHealed();
      expect(await scheduleIds()).toEqual(before);
      expect(before.length).toBeGreaterThanOrEqual(GRANULARITIES.length);
    },
    2 * MINUTE_MS,
  );

  it(
    'F22: started without its database, gets its schedules and its backfills back from those who work with it',
    async () => {
      await begin();
      const notes: string[] = [];
      const note = (text: string): void => void notes.push(text);
      const endSchedules = await keepSchedules(one.temporal, context(), { note, againMs: 300 });
      try {
        await temporal.kill();
        const built = await ledgerDigests(one.test);
        await temporal.restart('lost');
        await until('the schedules are back', () =>
          scheduleIds().then(
            (found) => found.length === SCHEDULE_NAMES.length,
            () => false,
          ),
        );
        const ended = await waitForBackfill(one.temporal, one, request.name, () => undefined);
        expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
        await expectHealed();
        expect(await ledgerDigests(one.test)).toEqual(expect.arrayContaining(built));
      } finally {
        await endSchedules();
      }
    },
    2 * MINUTE_MS,
  );
});
