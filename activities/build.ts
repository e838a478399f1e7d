/**
 * A heartbeating build: what `aggregate` and `aggregateCoarse` have in common. Owns heartbeats, cancellation and
 * the log of failures; what is built is activities/aggregate.ts and activities/aggregate-coarse.ts, what is told of each
 * build is activities/observation.ts.
 */
import { Context, log } from '@temporalio/activity';
import type {
  AggregateHooks,
  AggregateStore,
  AggregateSummary,
  FailedPeriod,
} from './period-builds.js';
import { buildSummary, type BuildSummary } from './build-summary.js';
import { noteSummary, observed } from './observation.js';
import type { UsageDoor } from './usage-door.js';

/** One hour of millions of runs takes longer than a heartbeat time-out; cancellation comes with heartbeats. */
const HEARTBEAT_EVERY_MS = 2_000;

/** Runs `work` with heartbeats `{ done, of, now }`, observed. A cancellation stops it between two builds. */
export async function heartbeating(
  door: UsageDoor,
  work: (store: AggregateStore, hooks: AggregateHooks) => Promise<AggregateSummary>,
): Promise<BuildSummary> {
  const context = Context.current();
  const { workflowExecution } = context.info;
  let progress = { done: 0, of: 0, now: 'begins' };
  const timer = setInterval(() => context.heartbeat(progress), HEARTBEAT_EVERY_MS);
  const hooks: AggregateHooks = {
    heartbeat: (reached) => {
      progress = reached;
      context.heartbeat(progress);
    },
    isCancelled: () => context.cancellationSignal.aborted,
  };
  const plain = door.aggregateStore({
    workflowId: workflowExecution?.workflowId ?? null,
    runId: workflowExecution?.runId ?? null,
    onFailure: logFailure,
  });
  const store = observed(plain, door, () => progress.of);
  const startedAtMs = Date.now();
  try {
    const summary = buildSummary(await work(store, hooks), Date.now() - startedAtMs);
    noteSummary(summary);
    return summary;
  } catch (error) {
    // Rejects with Temporal's own failure, which tells a cancellation from a worker that shuts down.
    if (context.cancellationSignal.aborted) await context.cancelled;
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function logFailure({ granularity, label, code, detail }: FailedPeriod, error: unknown): void {
  const stack = error instanceof Error ? error.stack : undefined;
  log.error(`${granularity} ${label} was not built: ${code} ${detail}`, { code, stack });
}
