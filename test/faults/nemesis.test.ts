// Whatever goes wrong in random order: killed, stopped and continued workers, cut and stalled connections, ended
// backends, while writers change runs, ticks come doubled and backfills are created (F34). Afterwards, when nothing is
// broken any more, the books mend themselves, and I1 to I3, I5, I10, I12 to I16 hold. The seed is printed;
// JOBHOURS_SEED=n chooses it again.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { checkPeriods } from '../../client/period-list.js';
import { isJobhoursError } from '../../domain/errors.js';
import { GRANULARITIES } from '../../domain/period.js';
import type { usageTick } from '../../workflows/index.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { Nemesis } from '../support/nemesis.js';
import { randomRuns } from '../support/random-runs.js';
import { noWriterCounts, writeOnce, writerClient } from '../support/random-writer.js';
import {
  aggregateAll,
  insertRuns,
  ledgerDigests,
  setOrigin,
  USAGE_TABLES,
} from '../support/runs.js';
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
import { endWorkerProcesses } from '../support/worker-process.js';

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const SEED = Number(process.env['JOBHOURS_SEED'] ?? Date.now() % 1_000_000);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const LASTS_MS = IS_TORTURE ? 10 * MINUTE_MS : 12_000;
const STRIKE_EVERY_MS = 700;
const DAYS = IS_TORTURE ? 40 : 8;
/** Mending waits for time-outs and for tries that were put off meanwhile. */
const HEALING_MS = IS_TORTURE ? 5 * MINUTE_MS : 90_000;
const SHORT = { ...LIMITS, planMs: 3_000, heartbeatMs: 2_000 };

let one: TemporalBooks;
let proxy: TcpProxy;
let originAtMs: number;
let quietAtMs: number;

beforeAll(async () => {
  await workflowBundle();
  one = await openTemporalBooks();
  proxy = await TcpProxy.start(Number(new URL(one.test.url).port));
  const nowMs = Date.now();
  originAtMs = one.calendar.startOf('hour', nowMs - DAYS * DAY_MS);
  quietAtMs = one.calendar.startOf('hour', nowMs);
  const span = { startAtMs: originAtMs, endAtMs: nowMs };
  await insertRuns(one.test, randomRuns(seededRandom(SEED), span, 300));
  await setOrigin(one.test, originAtMs);
}, MINUTE_MS);
afterAll(async () => {
  await endWorkerProcesses();
  await one.close();
  await proxy.close();
});

/** Until the end: strikes, edits, doubled ticks, a backfill now and then. Returns the names of the backfills. */
async function torment(nemesis: Nemesis): Promise<string[]> {
  const random = seededRandom(SEED + 1);
  const endMs = performance.now() + LASTS_MS;
  const names: string[] = [];
  let strikes = 0;
  const writing = write(endMs);
  while (performance.now() < endMs) {
    const nextMs = performance.now() + STRIKE_EVERY_MS;
    nemesis.keepWorkers();
    if (strikes % 3 === 0) await tick(strikes);
    if (strikes % 8 === 4) names.push(...(await backfill(random.integer(0, DAYS - 2), strikes)));
    if (strikes > 2) await nemesis.strike();
    strikes += 1;
    await until('the next strike', () => Promise.resolve(performance.now() > nextMs));
  }
  await writing;
  return names;
}

/** Late, changed and removed runs: in three spots of the books, hours apart. */
async function write(endMs: number): Promise<void> {
  const random = seededRandom(SEED + 2);
  const client = await writerClient(one.test);
  const keys = await one.test.query<{ id: number }>('select id from usage_key order by id');
  const counts = noWriterCounts();
  const spot = (hoursAgo: number): number[] =>
    [0, 1, 2, 3].map((hour) => quietAtMs - (hoursAgo - hour) * HOUR_MS);
  while (performance.now() < endMs) {
    await writeOnce(
      client,
      random,
      {
        boundariesMs: spot(random.pick([6, 30, 24 * (DAYS - 1)])),
        longAgoMs: originAtMs - 5 * DAY_MS,
        usageKeys: keys.map(({ id }) => id),
        ...{ isLocal: random.chance(0.5), longestSleepMs: 20 },
      },
      counts,
    );
    await client.query('select pg_sleep(0.05)');
  }
  process.stderr.write(`nemesis: writers ${JSON.stringify(counts)}\n`);
}

/** Two ticks of each schedule with the same id, as a server that lost its mind would send them. */
async function tick(second: number): Promise<void> {
  await Promise.all(
    [...GRANULARITIES, ...GRANULARITIES].map((coarsest) =>
      one.temporal.client.workflow.start<typeof usageTick>('usageTick', {
        workflowId: `${one.names.schedule(coarsest)}-${second}`,
        taskQueue: one.names.usageQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
        args: [{ booksName: one.books.name, coarsest, limits: SHORT }],
      }),
    ),
  );
}

/** Its name; nothing when no worker was there to take it, which is refused before anything is stored. */
async function backfill(day: number, number: number): Promise<string[]> {
  const start = originAtMs + day * DAY_MS;
  const name = `n${number}`;
  try {
    await createBackfill(
      one.temporal,
      { ...one, limits: SHORT },
      { ...{ start, end: start + 2 * DAY_MS, lanes: 2, name }, reprocess: 'all' },
    );
    return [name];
  } catch (error) {
    if (isJobhoursError(error, 'NO_WORKER')) return [];
    throw error;
  }
}

const check = () => checkPeriods(one.database, one.calendar, one.settings, () => ({}));

/** Waits until nothing is missing, stale or failed, waking the keeper as its schedules do; says what is left. */
async function untilMended(): Promise<number> {
  const startedMs = performance.now();
  let left: unknown = null;
  let wokenMs = Number.NEGATIVE_INFINITY;
  const isMended = async (): Promise<boolean> => {
    if (performance.now() - wokenMs > 5_000) {
      await wakeKeeper(one.temporal, one.books.name, 'month', SHORT);
      wokenMs = performance.now();
    }
    const { periods } = await check();
    left = periods.slice(0, 3);
    const marks = await one.test.query('select from usage_change where minute < $1 limit 1', [
      quietAtMs / MINUTE_MS,
    ]);
    return periods.length === 0 && marks.length === 0;
  };
  await until('the books mended themselves', isMended, HEALING_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}; left: ${JSON.stringify(left)}`);
  });
  return (performance.now() - startedMs) / 1_000;
}

/** I1, I3, I5: the sums of every cover of the books are one, and the overlap formula's, user by user. */
async function unequalSums(): Promise<unknown[]> {
  return one.test.query(
    `with frame as (select ${originAtMs}::bigint as a, ${quietAtMs}::bigint as b),
     days as (
       select d.* from usage_day d join period p on p.granularity = 'day' and p.start_at_ms = d.period_start_at_ms
     ),
     day_sums as (select usage_key, period_start_at_ms / ${DAY_MS} as day, run_ms, milli_gpu_ms from days),
     hour_sums as (
       select usage_key, period_start_at_ms / ${DAY_MS} as day, sum(run_ms) as run_ms, sum(milli_gpu_ms) as milli_gpu_ms
       from usage_hour group by 1, 2
     ),
     whole as (
       select usage_key, sum(run_ms) as run_ms from usage_hour cross join frame
       where period_start_at_ms >= a and period_start_at_ms < b group by 1
     ),
     runs as (
       select usage_key, sum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a))) as run_ms
       from run cross join frame group by 1
     )
     select 'day' as cover, usage_key, day, d.run_ms, h.run_ms as other from day_sums d
     join hour_sums h using (usage_key, day)
     where (d.run_ms, d.milli_gpu_ms) is distinct from (h.run_ms, h.milli_gpu_ms)
     union all
     select 'all', usage_key, null, w.run_ms, r.run_ms from whole w full join runs r using (usage_key)
     where coalesce(w.run_ms, 0) <> coalesce(r.run_ms, 0)`,
  );
}

/** I14, I15: what must be there and is not, and what is there and must not. */
async function unexpected(): Promise<unknown[]> {
  const rows = await one.test.query<{ granularity: string; start_at_ms: string }>(
    'select granularity, start_at_ms from period where end_at_ms <= $1',
    [quietAtMs],
  );
  const found = new Set(rows.map((row) => `${row.granularity} ${row.start_at_ms}`));
  const span = { startAtMs: originAtMs, endAtMs: quietAtMs };
  const expected = GRANULARITIES.flatMap((granularity) =>
    [...one.calendar.periodsTouching(granularity, span)]
      .filter(({ endAtMs }) => endAtMs <= quietAtMs)
      .map(({ startAtMs }) => `${granularity} ${startAtMs}`),
  );
  return [
    ...expected.filter((key) => !found.has(key)).map((key) => `${key} is missing`),
    ...[...found].filter((key) => !expected.includes(key)).map((key) => `${key} is too much`),
    ...(await one.test.query(
      `select * from period where end_at_ms > (extract(epoch from clock_timestamp()) * 1000)::bigint`,
    )),
  ];
}

const digests = (): Promise<string[]> => ledgerDigests(one.test, quietAtMs);

/** Everything but the runs. */
async function forgetAggregates(): Promise<void> {
  for (const table of [...Object.values(USAGE_TABLES), 'period']) {
    await one.test.query(`delete from ${table}`);
  }
}

describe('books under a random nemesis', () => {
  it(
    'F34: mend themselves when it is over, and are those of a fresh aggregation',
    async () => {
      const nemesis = new Nemesis(seededRandom(SEED), one.test, proxy, testTemporal());
      process.stderr.write(`nemesis: seed ${SEED}, ${LASTS_MS / 1_000} s\n`);
      const backfills = await torment(nemesis);
      await nemesis.heal();
      await one.work();
      const seconds = await untilMended();
      for (const name of backfills) {
        const { outcome } = await waitForBackfill(one.temporal, one, name, () => undefined);
        expect({ name, outcome }).toMatchObject({ outcome: expect.stringMatching(/^completed/) });
      }
      await untilMended();
      expect(await ledgerFaults(one.test, quietAtMs)).toEqual([]);
      expect(await unequalSums()).toEqual([]);
      expect(await unexpected()).toEqual([]);
      const mended = await digests();
      const span = { startAtMs: originAtMs, endAtMs: quietAtMs };
      await aggregateAll(one.test, one.calendar, span);
      expect(await digests()).toEqual(mended);
      await forgetAggregates();
      await aggregateAll(one.test, one.calendar, span);
      expect(await digests()).toEqual(mended);
      const failures = await one.test.query(
        'select code, count(*)::int as times from period_failure group by 1',
      );
      process.stderr.write(
        `nemesis: ${JSON.stringify(Object.fromEntries(nemesis.counts))}, ${backfills.length} backfills; ` +
          `mended in ${seconds.toFixed(1)} s, ${mended.length} periods, failures met ${JSON.stringify(failures)}\n`,
      );
    },
    LASTS_MS + 4 * HEALING_MS,
  );

  it('F34: would be found out by a row that one ms was taken from', async () => {
    await one.test.query(
      `update usage_hour set run_ms = run_ms - 1 where (period_start_at_ms, usage_key) =
         (select period_start_at_ms, usage_key from usage_hour where run_ms > 0 limit 1)`,
    );
    expect(await unequalSums()).not.toEqual([]);
    expect(await ledgerFaults(one.test, quietAtMs)).not.toEqual([]);
    await one.test.query(
      `delete from period where start_at_ms = (select min(start_at_ms) from period where granularity = 'hour')`,
    );
    expect(await unexpected()).not.toEqual([]);
  });
});
