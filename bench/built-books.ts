/**
 * Builds books as a worker does, without Temporal in between: the same activities on the same store, in lanes. Owns how
 * many connections work.
 */
import { aggregate } from '../activities/aggregate.js';
import { aggregateCoarse } from '../activities/aggregate-coarse.js';
import type {
  AggregateHooks,
  AggregateStore,
  AggregateSummary,
} from '../activities/period-builds.js';
import { Database } from '../db/database.js';
import { lanesOf, piecesOf } from '../domain/backfill-plan.js';
import { Calendar } from '../domain/calendar.js';
import { keeperTasks } from '../domain/keeper-task.js';
import { GRANULARITIES, type Span } from '../domain/period.js';
import { plan } from '../domain/plan.js';
import { MS_PER_DAY } from '../domain/units.js';
import { aggregateStore } from '../workers/aggregate-store.js';
import { costOf, type Cost } from './cost.js';

export const UTC = Calendar.of('UTC');

const HOOKS: AggregateHooks = { heartbeat: () => undefined, isCancelled: () => false };
const TASKS_AT_ONCE = 50;
/** Rounds of planning after which something does not end. */
const MOST_PASSES = 100;

function storeOf(database: Database): AggregateStore {
  return aggregateStore({
    database,
    isDemo: false,
    workflowId: null,
    runId: null,
    onFailure: (failure, error) => {
      throw new Error(`${failure.granularity} ${failure.label}: ${failure.detail}`, {
        cause: error,
      });
    },
  });
}

function requireBuilt(summary: AggregateSummary): void {
  const { failed, waiting } = summary;
  if (failed.length + waiting.length > 0) {
    throw new Error(`not built: ${JSON.stringify([...failed, ...waiting].slice(0, 3))}`);
  }
}

/** Connections of their own, and what `work` on them cost. */
async function withLanes(
  url: string,
  lanes: number,
  work: (stores: readonly AggregateStore[]) => Promise<unknown>,
): Promise<Cost> {
  const databases = Array.from({ length: lanes }, () =>
    Database.open({ url, maxConnections: 1, timeoutMs: 3_600_000 }),
  );
  try {
    const pids = await Promise.all(
      databases.map((database) =>
        database.transaction({}, (transaction) => Promise.resolve(transaction.backendPid)),
      ),
    );
    return await costOf(pids, () => work(databases.map(storeOf)));
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
}

/** Builds the hours and days of a range, cut into lanes of whole months as a backfill does. */
export function buildHoursAndDays(url: string, range: Span, lanes: number): Promise<Cost> {
  const pieces = lanesOf(piecesOf(UTC, range), lanes);
  return withLanes(url, pieces.length, (stores) =>
    Promise.all(
      pieces.map(async (lane, at) => {
        const store = stores[at];
        if (store === undefined) return;
        for (const { only } of lane) {
          const request = { ...only, granularity: 'month', only, reprocess: 'stale' } as const;
          requireBuilt(await aggregate(store, UTC, request, HOOKS));
        }
      }),
    ),
  );
}

/** Builds the days, weeks and months of a range that are still missing. */
export function buildCoarse(url: string, range: Span): Promise<Cost> {
  return withLanes(url, 1, async ([store]) => {
    if (store === undefined) return;
    const request = { booksName: 'bench', range, reprocess: 'stale' } as const;
    requireBuilt(await aggregateCoarse({ calendar: UTC, graceMs: 0 }, request, store, HOOKS));
  });
}

/** What the keeper does after late records: plans, builds its tasks, and plans again until nothing is left. */
export function mend(url: string, originAtMs: number): Promise<{ cost: Cost; builds: number }> {
  let builds = 0;
  const work = withLanes(url, 1, async ([store]) => {
    if (store === undefined) return;
    for (let pass = 1; ; pass += 1) {
      const tasks = await nextTasks(store, originAtMs);
      if (tasks.length === 0) return;
      if (pass > MOST_PASSES) throw new Error(`${tasks.length} tasks are left after ${pass} plans`);
      for (const task of tasks) {
        const summary = await aggregate(store, UTC, { ...task, reprocess: 'stale' }, HOOKS);
        requireBuilt(summary);
        builds += summary.hoursBuilt + summary.daysBuilt + summary.weeksBuilt + summary.monthsBuilt;
      }
    }
  });
  return work.then((cost) => ({ cost, builds }));
}

async function nextTasks(
  store: AggregateStore,
  originAtMs: number,
): Promise<ReturnType<typeof keeperTasks>> {
  const { ranges, stale } = await store.ledgerState();
  const planned = plan({
    // Missing periods after the data are nobody's here: stale ones are what is mended.
    nowMs: Math.max(...GRANULARITIES.flatMap((one) => ranges[one].map((span) => span.endAtMs))),
    graceMs: 0,
    catchUpMs: MS_PER_DAY,
    calendar: UTC,
    originAtMs,
    ledger: ranges,
    stale,
    coarsest: 'month',
    leftOut: [],
    failed: new Set(),
  });
  return keeperTasks(planned.build, ranges.hour, [], TASKS_AT_ONCE);
}
