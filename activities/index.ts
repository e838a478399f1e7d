/**
 * The activities of the queue `usage`: every side effect of the workflows. Owns their names, that a request for other
 * books is refused, and that errors become Temporal's failures. Each is idempotent: a repeated try looks at the
 * database again.
 */
import { activityInfo, log } from '@temporalio/activity';
import type { BackfillCounts, BackfillOutcome } from '../db/backfill-store.js';
import type { AuditInput } from '../domain/audit.js';
import { JobhoursError } from '../domain/errors.js';
import type { Period } from '../domain/period.js';
import {
  USUAL_LIMITS,
  type AggregateInput,
  type TickInput,
  type WorkflowLimits,
} from '../domain/workflow-input.js';
import { aggregate } from './aggregate.js';
import { aggregateCoarse, type CoarseRequest } from './aggregate-coarse.js';
import { audit, type AuditOutcome } from './audit.js';
import type { BuildSummary } from './build-summary.js';
import { heartbeating } from './build.js';
import { requireClock } from './clock-refusal.js';
import { withTemporalFailures } from './failures.js';
import { planPass, type PlanPass, type PlanRequest } from './plan-pass.js';
import type { UsageDoor } from './usage-door.js';
import { wakeKeeper, type WakeOutcome } from './wake-keeper.js';

export type { BackfillEnding } from '../db/backfill-store.js';
export type { AuditOutcome } from './audit.js';
export type { BuildSummary, WaitingPeriod } from './build-summary.js';
export type { PlanPass } from './plan-pass.js';
export type { UsageDoor } from './usage-door.js';
export type { WakeOutcome } from './wake-keeper.js';

export interface FailureRequest extends Pick<Period, 'granularity' | 'startAtMs' | 'label'> {
  readonly booksName: string;
  /** Of the catalogue, or of Temporal (`TIMEOUT`). */
  readonly code: string;
  readonly detail: string;
}

export interface EndRequest {
  readonly booksName: string;
  readonly name: string;
  /** An older version asked for `completed with failures` too. */
  readonly outcome: BackfillOutcome;
  /** For the keeper that is woken. Absent in what an older version asks. */
  readonly limits?: WorkflowLimits;
}

/** What became of a backfill. */
export interface EndedBackfill extends BackfillCounts {
  readonly outcome: BackfillOutcome;
}

export interface UsageActivities {
  /** Wakes the keeper; on the first run sets the origin instead. */
  wakeKeeper(request: TickInput): Promise<WakeOutcome>;
  /** What to build now. */
  planPass(request: PlanRequest): Promise<PlanPass>;
  /** Builds a period and every missing or stale part of it; heartbeats. */
  aggregate(request: AggregateInput): Promise<BuildSummary>;
  /** Builds the days, weeks and months that touch a backfill's range; heartbeats. */
  aggregateCoarse(request: CoarseRequest): Promise<BuildSummary>;
  /** Writes to `period_failure` that a period could not be built. */
  recordFailure(request: FailureRequest): Promise<void>;
  /** Writes how a backfill ended, and wakes the keeper: the range is its own again. Counts are the ledger's. */
  endBackfill(request: EndRequest): Promise<EndedBackfill>;
  /** Recomputes a sample of the books from the runs and writes what was found to `audit`; heartbeats. */
  audit(request: AuditInput): Promise<AuditOutcome>;
}

/** The activities of one worker. Each throws BOOKS_MISMATCH for a request of other books; those that plan and build, CLOCK_SKEW. */
export function createActivities(door: UsageDoor): UsageActivities {
  const own =
    <R extends { readonly booksName: string }, T>(work: (request: R) => Promise<T>) =>
    (request: R): Promise<T> =>
      withTemporalFailures(() => {
        requireOwnBooks(door, request.booksName);
        return work(request);
      });
  /** For what judges which periods are over: by a wrong clock it would build hours that still run. */
  const byClock = <R extends { readonly booksName: string }, T>(work: (request: R) => Promise<T>) =>
    own(async (request: R) => {
      await requireClock(door);
      return work(request);
    });
  return {
    wakeKeeper: own((request) => wakeKeeper(door, request)),
    planPass: byClock((request: PlanRequest) => planPass(door, request)),
    aggregate: byClock((request: AggregateInput) =>
      heartbeating(door, (store, hooks) => aggregate(store, door.calendar, request, hooks)),
    ),
    aggregateCoarse: byClock((request: CoarseRequest) =>
      heartbeating(door, (store, hooks) => aggregateCoarse(door, request, store, hooks)),
    ),
    recordFailure: own((request) => recordFailure(door, request)),
    endBackfill: own((request) => endBackfill(door, request)),
    audit: own((request) => audit(door, request)),
  };
}

function requireOwnBooks(door: UsageDoor, booksName: string): void {
  if (booksName === door.booksName) return;
  throw new JobhoursError(
    'BOOKS_MISMATCH',
    `this worker keeps the books ${door.booksName}; the request is for ${booksName}`,
  );
}

async function endBackfill(door: UsageDoor, request: EndRequest): Promise<EndedBackfill> {
  const { booksName, name, outcome, limits = USUAL_LIMITS } = request;
  const ending = outcome === 'completed with failures' ? 'completed' : outcome;
  const ended = await door.endBackfill(name, ending);
  await wakeKeeper(door, { booksName, limits, coarsest: 'month' });
  const { hoursBuilt = 0, periodsBuilt = 0, periodsFailed = 0 } = ended ?? {};
  return { outcome: ended?.outcome ?? ending, hoursBuilt, periodsBuilt, periodsFailed };
}

async function recordFailure(door: UsageDoor, request: FailureRequest): Promise<void> {
  const { granularity, startAtMs, label, code, detail } = request;
  const { workflowExecution } = activityInfo();
  log.error(`${granularity} ${label} was not built: ${code} ${detail}`, { code });
  await door.recordFailure({
    ...{ granularity, startAtMs, label, code, detail },
    sqlstate: null,
    workflowId: workflowExecution?.workflowId ?? null,
    runId: workflowExecution?.runId ?? null,
  });
}
