// PostgreSQL goes away in the middle of a backfill and of the keeper's pass and comes back after some seconds (F10):
// activities are tried again, the worker lives on, the books are right without anybody's help.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { checkPeriods } from '../../client/period-list.js';
import type { usageKeeper } from '../../workflows/index.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { randomRuns } from '../support/random-runs.js';
import { insertRuns, ledgerDigests } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import {
  LIMITS,
  openTemporalBooks,
  testTemporal,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';
import { endWorkerProcesses, startWorkerProcess } from '../support/worker-process.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AWAY_MS = 3_000;
const SHORT = { ...LIMITS, planMs: 3_000, heartbeatMs: 2_000 };

let postgres: OwnPostgres;
let one: TemporalBooks;

beforeAll(async () => {
  postgres = await OwnPostgres.start();
  const test = await postgres.createDatabase('outage');
  one = await openTemporalBooks('UTC', { test });
}, MINUTE_MS);
afterAll(async () => {
  await endWorkerProcesses();
  await one.close();
  await postgres.close();
}, MINUTE_MS);

async function restart(): Promise<void> {
  await postgres.end('immediate');
  const goneMs = performance.now();
  await until('it was away', () => Promise.resolve(performance.now() - goneMs > AWAY_MS));
  await postgres.startAgain();
}

describe('a PostgreSQL that is stopped at once and comes back after 3 s', () => {
  it(
    'F10: in the middle of a backfill and a keeper pass costs tries, and nothing else',
    async () => {
      const nowMs = Date.now();
      const start = one.calendar.startOf('day', nowMs - 20 * DAY_MS);
      const request = {
        ...{ start, end: nowMs - 6 * HOUR_MS, lanes: 2, name: 'interrupted' },
        reprocess: 'stale',
      } satisfies BackfillRequest;
      const span = { startAtMs: start, endAtMs: nowMs };
      await insertRuns(one.test, randomRuns(seededRandom(5), span, 300));
      const worker = startWorkerProcess({ url: one.test.url, temporal: testTemporal() });
      await worker.polling;
      await createBackfill(one.temporal, { ...one, limits: SHORT }, request);
      await wakeKeeper(one.temporal, one.books.name, 'month', SHORT);
      await until('50 periods are built', async () => (await ledgerDigests(one.test)).length >= 50);
      await restart();
      const ended = await waitForBackfill(one.temporal, one, request.name, () => undefined);
      expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
      const keeper = one.temporal.client.workflow.getHandle<typeof usageKeeper>(one.names.keeper);
      expect(await keeper.result()).toMatchObject({ failed: 0 });
      expect(worker.isGone()).toBe(false);
      const check = () => checkPeriods(one.database, one.calendar, one.settings, () => ({}));
      await until('every period is good', async () => (await check()).periods.length === 0);
      expect(await one.test.query('select * from period_failure')).toEqual([]);
      expect(await ledgerFaults(one.test, one.calendar.startOf('hour', nowMs))).toEqual([]);
      worker.signal('SIGTERM');
      expect(await worker.exited).toBe(0);
    },
    2 * MINUTE_MS,
  );
});
