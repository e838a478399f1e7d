// Workers that are told to stop, that are stopped and go on later, and whose connections the server ends (F3, F4, F30):
// nothing is lost, nothing is counted twice, and no period stays locked.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { lockedPeriods } from '../../db/period-lock.js';
import { CommandLine } from '../support/command-line.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { randomRuns } from '../support/random-runs.js';
import { insertRuns, ledgerDigests } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import {
  LIMITS,
  openTemporalBooks,
  testTemporal,
  until,
  workflowBundle,
  type TemporalBooks,
} from '../support/temporal-books.js';
import {
  endWorkerProcesses,
  startWorkerProcess,
  type WorkerProcess,
} from '../support/worker-process.js';

const MINUTE_MS = 60_000;
const REQUEST = {
  start: Date.UTC(2026, 1, 23, 5),
  end: Date.UTC(2026, 2, 6, 11),
  lanes: 2,
  reprocess: 'stale',
  name: 'stopped',
} satisfies BackfillRequest;
const SPAN = { startAtMs: REQUEST.start, endAtMs: REQUEST.end };
const SHORT = { ...LIMITS, planMs: 3_000, heartbeatMs: 2_000 };
/** Every connection of a worker has this name. */
const IS_WORKER = `datname = current_database() and application_name = 'jobhours worker'`;

let clean: readonly string[];
const opened: TemporalBooks[] = [];
const proxies: TcpProxy[] = [];

async function withRuns(): Promise<TemporalBooks> {
  const books = await openTemporalBooks();
  opened.push(books);
  await insertRuns(books.test, randomRuns(seededRandom(2), SPAN, 200));
  return books;
}

/** What the backfill built; at its end it wakes the keeper, which builds what is younger. */
const digestsOf = ({ test }: TemporalBooks): Promise<string[]> => ledgerDigests(test, SPAN.endAtMs);

async function create(one: TemporalBooks): Promise<void> {
  await createBackfill(one.temporal, { ...one, limits: SHORT }, REQUEST);
}

/** Ends without a failed period and with the books of the clean run. */
async function expectCleanEnd(one: TemporalBooks): Promise<void> {
  const ended = await waitForBackfill(one.temporal, one, REQUEST.name, () => undefined);
  expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
  expect(await one.test.query('select * from period_failure')).toEqual([]);
  expect(await ledgerFaults(one.test, SPAN.endAtMs)).toEqual([]);
  expect(await digestsOf(one)).toEqual(clean);
}

function untilBuilt(one: TemporalBooks, periods: number): Promise<void> {
  return until(
    `${periods} periods are built`,
    async () => (await digestsOf(one)).length >= periods,
    30_000,
  );
}

/**
 * A worker that has stopped itself in the middle of building an hour: its transaction is open, the hour locked. Its
 * connections to Temporal are cut, as the server does after a minute without an answer: until then its open polls
 * would take tasks, and each would be lost for a heartbeat time-out.
 */
async function stoppedWorker(one: TemporalBooks, url = one.test.url): Promise<WorkerProcess> {
  const { address, namespace } = testTemporal();
  const proxy = await TcpProxy.start(Number(address.split(':')[1]));
  proxies.push(proxy);
  const zombie = startWorkerProcess({
    url,
    temporal: { address: `127.0.0.1:${proxy.port}`, namespace },
    selfSignal: { name: 'SIGSTOP', of: 'period-hour/build', statement: 25, when: 'answered' },
  });
  await zombie.polling;
  await create(one);
  await until('the worker stopped itself', () => Promise.resolve(zombie.said() !== ''));
  proxy.cut();
  return zombie;
}

/** Returns when a build waits for a lock that another one holds. */
function untilSomebodyWaits({ test }: TemporalBooks): Promise<void> {
  return until('another worker waits for the lock', async () => {
    const waiting = await test.query(
      `select from pg_stat_activity where ${IS_WORKER} and wait_event_type = 'Lock'`,
    );
    return waiting.length > 0;
  });
}

beforeAll(async () => {
  await workflowBundle();
  const one = await withRuns();
  await one.work();
  await create(one);
  await waitForBackfill(one.temporal, one, REQUEST.name, () => undefined);
  clean = await digestsOf(one);
  await closeAll();
}, MINUTE_MS);
afterEach(closeAll);

async function closeAll(): Promise<void> {
  await endWorkerProcesses();
  await Promise.all([...proxies.splice(0), ...opened.splice(0)].map((one) => one.close()));
}

describe('a worker that is told to stop', () => {
  let shell: CommandLine;
  beforeAll(async () => {
    shell = await CommandLine.create();
  });
  afterAll(() => shell.remove());

  it(
    'F3: ends with status 0 within 10 s and loses nothing; another one goes on',
    async () => {
      const one = await withRuns();
      const { address, namespace } = testTemporal();
      const worker = shell.start(['worker'], {
        environment: {
          DATABASE_URL: one.test.url,
          TEMPORAL_ADDRESS: address,
          TEMPORAL_NAMESPACE: namespace,
          JOBHOURS_NAME: one.books.name,
        },
      });
      await worker.waitFor('worker of the books');
      await create(one);
      await untilBuilt(one, 20);
      const askedMs = performance.now();
      worker.signal('SIGTERM');
      const { exitCode, stderr } = await worker.finished;
      expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
      expect(performance.now() - askedMs).toBeLessThan(10_000);
      expect((await digestsOf(one)).length).toBeLessThan(clean.length);
      await one.work();
      await expectCleanEnd(one);
    },
    MINUTE_MS,
  );
});

describe('a worker that was stopped for longer than its heartbeat allows', () => {
  it(
    'F4: goes on beside the one that took over, and nothing is doubled',
    async () => {
      const one = await withRuns();
      const zombie = await stoppedWorker(one);
      await one.work();
      await untilSomebodyWaits(one);
      zombie.signal('SIGCONT');
      await expectCleanEnd(one);
      expect(zombie.isGone()).toBe(false);
      zombie.signal('SIGTERM');
      expect(await zombie.exited).toBe(0);
    },
    MINUTE_MS,
  );

  it(
    'F4: holds no period longer than an idle transaction may last, and finds out when it goes on',
    async () => {
      const one = await withRuns();
      const url = new URL(one.test.url);
      // Two minutes by themselves; a parameter of the address goes before the settings of the program.
      const settings = '-c timezone=UTC -c jit=off -c idle_in_transaction_session_timeout=2s';
      url.searchParams.set('options', settings);
      const zombie = await stoppedWorker(one, url.href);
      const locked = await lockedPeriods(one.test.database);
      expect(locked).not.toEqual([]);
      const inLedger = `select from period where granularity = 'hour' and start_at_ms = any ($1)`;
      const starts = locked.map(({ startAtMs }) => startAtMs);
      expect(await one.test.query(inLedger, [starts])).toEqual([]);
      await one.work();
      await until(
        'another worker built what was locked',
        async () => (await one.test.query(inLedger, [starts])).length === starts.length,
      );
      zombie.signal('SIGCONT');
      await expectCleanEnd(one);
      expect(zombie.isGone()).toBe(false);
      zombie.signal('SIGTERM');
      expect(await zombie.exited).toBe(0);
      expect(await one.test.query('select * from period_failure')).toEqual([]);
      expect(await digestsOf(one)).toEqual(clean);
    },
    MINUTE_MS,
  );
});

describe('a worker whose connections the server ends', () => {
  it(
    'F30: does not end, neither when they are idle nor when they are in use, and finishes its work',
    async () => {
      const one = await withRuns();
      const worker = startWorkerProcess({ url: one.test.url, temporal: testTemporal() });
      const end = async (states: string): Promise<number> =>
        (
          await one.test.query(
            `select pg_terminate_backend(pid) from pg_stat_activity where ${IS_WORKER} and ${states}`,
          )
        ).length;
      await worker.polling;
      await until('an idle connection was ended', async () => (await end(`state = 'idle'`)) > 0);
      await create(one);
      for (const periods of [5, 60]) {
        await untilBuilt(one, periods);
        await until('one in use was ended', async () => (await end(`state <> 'idle'`)) > 0);
      }
      await end('true');
      await expectCleanEnd(one);
      expect(worker.isGone()).toBe(false);
      worker.signal('SIGTERM');
      expect(await worker.exited).toBe(0);
    },
    MINUTE_MS,
  );
});
