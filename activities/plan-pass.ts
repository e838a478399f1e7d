/**
 * One plan of the keeper: reads books, ledger and open backfills in one snapshot, asks the planner, cuts the answer
 * into tasks. Owns the words in which a plan is told to people; the rules are domain/plan.ts.
 */
import { log } from '@temporalio/activity';
import { keeperTasks, type KeeperTask } from '../domain/keeper-task.js';
import type { Granularity, PeriodKey } from '../domain/period.js';
import { beyondReachText } from '../domain/plan-text.js';
import { periodKey, plan, type Plan } from '../domain/plan.js';
import { instantText } from '../domain/units.js';
import type { WorkflowLimits } from '../domain/workflow-input.js';
import { notePlan } from './observation.js';
import { runningBackfills } from './open-backfills.js';
import type { PlanningState, UsageDoor } from './usage-door.js';

/** Tasks of one plan: few enough for a payload, many enough to plan seldom. */
const BATCH = 50;
/** Blocked periods that are told by name. */
const TOLD = 3;

export interface PlanRequest {
  readonly booksName: string;
  readonly coarsest: Granularity;
  /** Failed or made no progress: left until the next wake. */
  readonly leftOut: readonly PeriodKey[];
  /** The first plan after a wake: warnings are logged once. */
  readonly isFirst: boolean;
  /** For backfills that are started again. Absent in what an older version asks. */
  readonly limits?: WorkflowLimits;
}

export interface PlanPass {
  /** To be built in this order. Empty: nothing is left to do now. */
  readonly tasks: readonly KeeperTask[];
  /** Periods to build, those beyond this batch too. */
  readonly periods: number;
  readonly blocked: number;
  /** In words for people; empty when nothing is blocked. */
  readonly blockedText: string;
  /** What is missing for good and the command that mends it; empty when nothing is. */
  readonly beyondReachText: string;
}

/** What to build now, at most 50 tasks. Backfills whose workflow runs keep their ranges to themselves. */
export async function planPass(door: UsageDoor, request: PlanRequest): Promise<PlanPass> {
  const startedAtMs = performance.now();
  const state = await door.planningState();
  const leftOut = await runningBackfills(door, state.openBackfills, request);
  const { originAtMs } = state.books;
  const planned = plan({
    nowMs: state.ledger.nowMs,
    graceMs: door.graceMs,
    catchUpMs: door.catchUpMs,
    calendar: door.calendar,
    originAtMs,
    ledger: state.ledger.ranges,
    stale: state.ledger.stale,
    coarsest: request.coarsest,
    leftOut,
    failed: new Set(request.leftOut.map(periodKey)),
  });
  const tasks = keeperTasks(planned.build, state.ledger.ranges.hour, leftOut, BATCH);
  const pass = told(planned, tasks, originAtMs);
  // The other ticks do not look at all granularities.
  if (request.isFirst && request.coarsest === 'month') warn(pass, planned, state);
  notePlan(door, request.coarsest, pass, performance.now() - startedAtMs);
  return pass;
}

function told(planned: Plan, tasks: readonly KeeperTask[], originAtMs: number | null): PlanPass {
  return {
    tasks,
    periods: planned.build.length,
    blocked: planned.blocked.length,
    blockedText: planned.blocked
      .slice(0, TOLD)
      .map(({ period, because }) => `${period.granularity} ${period.label}: ${because}`)
      .join('; '),
    beyondReachText: beyondReachText(planned.beyondReach, originAtMs),
  };
}

function warn(pass: PlanPass, planned: Plan, { books, ledger }: PlanningState): void {
  if (pass.beyondReachText !== '') log.warn(pass.beyondReachText, { code: 'BEYOND_REACH' });
  const isEmpty = Object.values(ledger.ranges).every((ranges) => ranges.length === 0);
  const hours = planned.build.filter((period) => period.granularity === 'hour').length;
  // One hour and an empty ledger are new books; more are books that lost their ledger or had no worker.
  if (isEmpty && books.originAtMs !== null && hours > 1) {
    log.warn(
      `reset: the ledger is empty, ${planned.build.length} periods since ${instantText(books.originAtMs)} are built`,
      { code: 'RESET', periods: planned.build.length },
    );
  }
}
