// Ticks that come doubled, all at once and while a catch-up runs; two workers and two keepers on the same books; a
// worker that was absent for a day (F5, F8, I21, I37). However they come, the books are the same and one keeper works.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { wakeKeeper } from '../../client/keeper.js';
import { checkPeriods, listPeriods, type ListedPeriod } from '../../client/period-list.js';
import { applySchedules, triggerSchedule } from '../../client/schedules.js';
import { GRANULARITIES, type Granularity } from '../../domain/period.js';
import { keeperWake } from '../../domain/workflow-input.js';
import type { aggregatePeriod, usageKeeper, usageTick } from '../../workflows/index.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { randomRuns } from '../support/random-runs.js';
import {
  aggregateAll,
  insertRuns,
  ledgerDigests,
  setOrigin,
  USAGE_TABLES,
} from '../support/runs.js';
import { sample, seededRandom } from '../support/seeded-random.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAYS = 4;
/** Seconds of a schedule that fires every second. */
const SECONDS = IS_TORTURE ? 60 : 12;

let nowMs: number;
let originAtMs: number;
let clean: readonly string[];
const opened: TemporalBooks[] = [];

async function withRuns(): Promise<TemporalBooks> {
  const books = await openTemporalBooks();
  opened.push(books);
  const span = { startAtMs: originAtMs, endAtMs: nowMs };
  await insertRuns(books.test, randomRuns(seededRandom(4), span, 200));
  await setOrigin(books.test, originAtMs);
  return books;
}

/** What was over when the tests began: an hour may end while they run. */
const digestsOf = ({ test }: TemporalBooks): Promise<string[]> => ledgerDigests(test, nowMs);

async function expectCleanBooks(one: TemporalBooks): Promise<void> {
  expect(await digestsOf(one)).toEqual(clean);
  expect(await ledgerFaults(one.test, one.calendar.startOf('hour', nowMs))).toEqual([]);
  expect(await one.test.query('select * from period_failure')).toEqual([]);
}

/** A tick as a schedule starts it: one id for each second, so that a doubled one is one. */
async function tick(one: TemporalBooks, coarsest: Granularity, second: number): Promise<void> {
  await one.temporal.client.workflow.start<typeof usageTick>('usageTick', {
    workflowId: `${one.names.schedule(coarsest)}-${second}`,
    taskQueue: one.names.usageQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [{ booksName: one.books.name, coarsest, limits: LIMITS }],
  });
}

interface KeeperRun {
  readonly runId: string;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** The runs of the keeper, the first one first; waits until the last one has ended. */
async function keeperRuns({ temporal, names }: TemporalBooks): Promise<KeeperRun[]> {
  await temporal.client.workflow.getHandle(names.keeper).result();
  const found: KeeperRun[] = [];
  const list = async (): Promise<boolean> => {
    found.length = 0;
    const query = `WorkflowType = 'usageKeeper' and TaskQueue = '${names.usageQueue}'`;
    for await (const { runId, startTime, closeTime } of temporal.client.workflow.list({ query })) {
      if (closeTime === undefined) return false;
      found.push({ runId, startedMs: startTime.getTime(), endedMs: closeTime.getTime() });
    }
    return found.length > 0;
  };
  await until('every keeper is listed with its end', list);
  return found.sort((a, b) => a.startedMs - b.startedMs);
}

/** Pairs of runs that were open at the same time. */
const overlaps = (runs: readonly KeeperRun[]): unknown[] =>
  runs.filter((run, at) => at > 0 && run.startedMs < (runs[at - 1]?.endedMs ?? 0));

beforeAll(async () => {
  nowMs = Date.now();
  const one = await openTemporalBooks();
  originAtMs = one.calendar.startOf('hour', nowMs - DAYS * 24 * HOUR_MS);
  await one.close();
  const reference = await withRuns();
  await aggregateAll(reference.test, reference.calendar, {
    startAtMs: originAtMs,
    endAtMs: nowMs,
  });
  clean = await digestsOf(reference);
}, MINUTE_MS);
afterEach(closeAll);
afterAll(closeAll);

async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((one) => one.close()));
}

/** Books as they were at an instant. */
async function forget({ test }: TemporalBooks, fromAtMs: number): Promise<void> {
  for (const granularity of GRANULARITIES) {
    await test.query(
      `with gone as (delete from period where granularity = $1 and end_at_ms > $2 returning start_at_ms)
       delete from ${USAGE_TABLES[granularity]} where period_start_at_ms in (select start_at_ms from gone)`,
      [granularity, fromAtMs],
    );
  }
}

describe('ticks of a schedule', () => {
  it(
    'F5, I21, I37: doubled, skipped and during a catch-up, make the same books with one keeper at a time',
    async () => {
      const one = await withRuns();
      await Promise.all([one.work(), one.work()]);
      const skipped = new Set(
        sample(
          Array.from({ length: SECONDS }, (_, second) => second),
          SECONDS / 6,
          nowMs,
        ),
      );
      const startedMs = performance.now();
      for (let second = 0; second < SECONDS; second += 1) {
        if (skipped.has(second)) continue;
        await Promise.all(
          [...GRANULARITIES, ...GRANULARITIES].map((coarsest) => tick(one, coarsest, second)),
        );
        // At once without torture: what is more than the schedule ever does.
        const dueMs = startedMs + (second + 1) * 1_000;
        if (IS_TORTURE)
          await until('a second passed', () => Promise.resolve(performance.now() > dueMs));
      }
      const first = one.names.schedule('hour');
      const last = one.temporal.client.workflow.getHandle(`${first}-${SECONDS - 1}`);
      if (!skipped.has(SECONDS - 1)) await last.result();
      const runs = await keeperRuns(one);
      expect(overlaps(runs)).toEqual([]);
      await expectCleanBooks(one);
      process.stderr.write(
        `ticks: ${SECONDS} s, ${skipped.size} skipped, 8 each; ${runs.length} keepers, one at a time\n`,
      );
    },
    2 * MINUTE_MS,
  );

  it(
    'I21: 200 wakes at once start one keeper',
    async () => {
      const one = await withRuns();
      const { workflowType, options } = keeperWake({
        ...{ booksName: one.books.name, coarsest: 'hour', limits: LIMITS },
      });
      await setOrigin(one.test, one.calendar.startOf('hour', nowMs) - 3 * HOUR_MS);
      // Without a worker none can end in between.
      const handles = await Promise.all(
        Array.from({ length: 200 }, () =>
          one.temporal.client.workflow.signalWithStart(workflowType, options),
        ),
      );
      expect(new Set(handles.map(({ signaledRunId }) => signaledRunId)).size).toBe(1);
      await one.work();
      const keeper = one.temporal.client.workflow.getHandle<typeof usageKeeper>(one.names.keeper);
      expect(await keeper.result()).toMatchObject({ wakes: 200, failed: 0 });
      expect(await keeperRuns(one)).toHaveLength(1);
    },
    MINUTE_MS,
  );

  it(
    'F5: the same books come from two keepers that pass over them at once',
    async () => {
      const one = await withRuns();
      await Promise.all([one.work(), one.work()]);
      const keep = (workflowId: string) =>
        one.temporal.client.workflow.execute<typeof usageKeeper>('usageKeeper', {
          workflowId,
          taskQueue: one.names.usageQueue,
          args: [{ booksName: one.books.name, limits: { ...LIMITS, firstWaitMs: 100 } }],
        });
      const results = await Promise.all([
        keep(one.names.keeper),
        keep(`${one.names.keeper}-other`),
      ]);
      expect(results.map(({ failed }) => failed)).toEqual([0, 0]);
      expect(overlaps(await keeperRuns(one))).toHaveLength(1);
      await expectCleanBooks(one);
    },
    MINUTE_MS,
  );
});

describe('a keeper that meets the build of another workflow again and again', () => {
  it(
    'F5: waits and does not call it a failure',
    async () => {
      const one = await withRuns();
      await one.work();
      const hour = one.calendar.periodAt('hour', one.calendar.startOf('hour', nowMs) - 1);
      await aggregateAll(one.test, one.calendar, { startAtMs: originAtMs, endAtMs: nowMs });
      await forget(one, hour.startAtMs);
      const session = await one.test.connect();
      await session.query('begin');
      await session.query('lock table usage_hour in exclusive mode');
      const limits = { ...LIMITS, firstWaitMs: 100, longestWaitMs: 100 };
      const { client } = one.temporal;
      const other = await client.workflow.start<typeof aggregatePeriod>('aggregatePeriod', {
        workflowId: one.names.period('hour', hour.startAtMs),
        taskQueue: one.names.usageQueue,
        args: [{ ...hour, booksName: one.books.name, limits, reprocess: 'stale' }],
      });
      await wakeKeeper(one.temporal, one.books.name, 'hour', limits);
      const keeper = client.workflow.getHandle<typeof usageKeeper>(one.names.keeper);
      expect(await keeper.result()).toMatchObject({ failed: 0 });
      expect(await one.test.query('select code from period_failure')).toEqual([]);
      await session.query('commit');
      await other.result();
      // The hour may have been the last one of its day, week or month.
      await wakeKeeper(one.temporal, one.books.name, 'month', limits);
      expect(await keeper.result()).toMatchObject({ failed: 0 });
      await expectCleanBooks(one);
    },
    MINUTE_MS,
  );
});

describe('books without a worker for 26 hours', () => {
  it(
    'F8: say what is missing and that it mends itself, and are mended when a worker comes; nobody has to do anything',
    async () => {
      const one = await withRuns();
      const gapAtMs = one.calendar.startOf('hour', nowMs - 26 * HOUR_MS);
      await aggregateAll(one.test, one.calendar, { startAtMs: originAtMs, endAtMs: nowMs });
      await forget(one, gapAtMs);
      await applySchedules(one.temporal, one);
      // The ticks that the schedules started meanwhile wait in the queue.
      for (const granularity of GRANULARITIES) {
        await triggerSchedule(one.temporal, one.books.name, granularity);
      }
      const missing = await listed(one);
      const hours = missing.filter(({ granularity }) => granularity === 'hour');
      expect(hours.length).toBeGreaterThanOrEqual(24);
      expect(new Set(missing.map(({ state }) => state))).toEqual(new Set(['missing']));
      expect(new Set(missing.map(({ mend }) => mend))).toEqual(new Set(['by itself']));
      await one.work();
      await until('nothing is missing', async () => (await listed(one)).length === 0, 30_000);
      await expectCleanBooks(one);
      const { periods, checked } = await checkPeriods(
        one.database,
        one.calendar,
        one.settings,
        () => ({}),
      );
      expect(periods).toEqual([]);
      expect(checked.hour).toBeGreaterThanOrEqual(DAYS * 24);
    },
    MINUTE_MS,
  );

  /** What `periods list` shows and is not good, or not over yet. */
  async function listed(one: TemporalBooks): Promise<ListedPeriod[]> {
    const { periods } = await listPeriods(one.database, one.calendar, one.settings, {
      granularities: GRANULARITIES,
      rangeAt: () => ({}),
      state: null,
    });
    return periods.filter(({ state }) => state !== 'good' && state !== 'provisional');
  }
});
