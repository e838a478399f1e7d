/**
 * The one mender: plans, builds what is missing or stale, plans again until nothing is left, ends. Owns that no wake
 * is lost and that no period is tried for ever; what to build is the planner's.
 *
 * Between the last look at the inbox and the end of a run nothing may be awaited: a wake that came in between would
 * be lost.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { PlanPass, WaitingPeriod } from '../activities/index.js';
import { ids } from '../domain/ids.js';
import { isSamePeriod, type Granularity, type PeriodKey } from '../domain/period.js';
import { compareGranularity } from '../domain/reach.js';
import type { KeeperTask } from '../domain/keeper-task.js';
import type {
  KeeperCounts,
  KeeperInput,
  KeeperState,
  WakeRequest,
} from '../domain/workflow-input.js';
import { shortActivities } from './activity-calls.js';
import { aggregatePeriod, aggregateTitle, replanFailure } from './aggregate-period.js';

const wake = defineSignal<[WakeRequest]>('wake');

/** A task that is planned this often in a row with the same inputs makes no progress. */
const TIMES_WITHOUT_PROGRESS = 3;
/** How often the keeper waits for periods that other workflows build, before it leaves them to the next wake. */
const WAITS = 5;

export interface KeeperSummary extends KeeperCounts {
  /** In words for people. */
  readonly outcome: string;
  /** What is missing for good and the command that mends it. */
  readonly beyondReach: string;
  readonly blocked: number;
}

/** Brings the books up to date. Runs until nothing is left to build and nobody woke it meanwhile. */
export async function usageKeeper(input: KeeperInput): Promise<KeeperSummary> {
  const inbox: Inbox = { coarsest: null, wakes: input.resumed?.counts.wakes ?? 0 };
  setHandler(wake, ({ coarsest }) => {
    inbox.wakes += 1;
    inbox.coarsest = coarser(inbox.coarsest, coarsest);
  });
  const mending = new Mending(input, inbox);
  let isResumed = input.resumed !== undefined;
  do {
    if (!isResumed) mending.begin();
    isResumed = false;
    await mending.run();
    if (isHistoryLong(input)) await continueAsNew<typeof usageKeeper>(mending.handover());
  } while (inbox.coarsest !== null);
  return mending.summary();
}

interface Inbox {
  /** The coarsest granularity asked for since mending last began; null = nobody woke the keeper since. */
  coarsest: Granularity | null;
  wakes: number;
}

function coarser(a: Granularity | null, b: Granularity): Granularity {
  return a !== null && compareGranularity(a, b) > 0 ? a : b;
}

function isHistoryLong(input: KeeperInput): boolean {
  return workflowInfo().historyLength > input.limits.longestHistory;
}

const keyOf = ({ granularity, startAtMs }: PeriodKey): PeriodKey => ({ granularity, startAtMs });

/** A task that was not built because of others. */
interface Collision extends PeriodKey {
  /** Its periods that were changed while they were built; none when another workflow builds it. */
  readonly changed: readonly WaitingPeriod[];
}

/** One wake's work: plan and build until nothing is left. */
class Mending {
  private state: KeeperState;
  /** Built or changed by others just now. */
  private collided: Collision[] = [];
  private pass: PlanPass | null = null;
  private readonly activities;

  constructor(
    private readonly input: KeeperInput,
    private readonly inbox: Inbox,
  ) {
    this.activities = shortActivities(input.limits);
    this.state = input.resumed ?? {
      coarsest: 'month',
      leftOut: [],
      tried: [],
      counts: { wakes: 0, plans: 0, hoursBuilt: 0, periodsBuilt: 0, failed: 0 },
    };
  }

  /** Takes what was asked for; everything that failed before is tried again. Started by hand, it asks for months. */
  begin(): void {
    const { coarsest, wakes } = this.inbox;
    const counts = { ...this.state.counts, wakes };
    this.state = { coarsest: coarsest ?? 'month', leftOut: [], tried: [], counts };
    this.inbox.coarsest = null;
  }

  /** Until nothing is left to build, or this run's history is long. */
  async run(): Promise<void> {
    let waits = 0;
    for (let isFirst = true; !isHistoryLong(this.input); isFirst = false) {
      const tasks = await this.plan(isFirst);
      if (tasks.length > 0) {
        await this.build(tasks);
      } else if (this.collided.length === 0) {
        return;
      } else if (waits === WAITS) {
        await this.giveUp();
        return;
      } else {
        await this.waitForOthers(waits);
        if (this.inbox.coarsest !== null) return;
        waits += 1;
      }
    }
  }

  private async plan(isFirst: boolean): Promise<readonly KeeperTask[]> {
    const { booksName, limits } = this.input;
    const { coarsest, leftOut } = this.state;
    this.pass = await this.activities.planPass({
      ...{ booksName, limits, coarsest, isFirst },
      leftOut: [...leftOut, ...this.collided.map(keyOf)],
    });
    const { tasks } = this.pass;
    this.state = {
      ...this.state,
      tried: this.state.tried.filter((before) => tasks.some((task) => isSamePeriod(before, task))),
    };
    this.count({ plans: 1 });
    setCurrentDetails(this.outcome());
    return tasks;
  }

  private async build(tasks: readonly KeeperTask[]): Promise<void> {
    for (const task of tasks) {
      if (isHistoryLong(this.input)) return;
      if (await this.makesProgress(task)) await this.buildOne(task);
    }
  }

  /** False, and recorded, when the task comes with the same inputs for the third time in a row. */
  private async makesProgress(task: KeeperTask): Promise<boolean> {
    const before = this.state.tried.find((one) => isSamePeriod(one, task));
    const times = before?.fingerprint === task.fingerprint ? before.times + 1 : 1;
    const tried = { ...keyOf(task), fingerprint: task.fingerprint, times };
    this.state = {
      ...this.state,
      tried: [...this.state.tried.filter((one) => one !== before), tried],
    };
    if (times < TIMES_WITHOUT_PROGRESS) return true;
    const { granularity, startAtMs, label, fingerprint } = task;
    await this.activities.recordFailure({
      booksName: this.input.booksName,
      ...{ granularity, startAtMs, label },
      code: 'NO_PROGRESS',
      detail: `planned ${times} times with the same inputs (${fingerprint}); left until the next tick`,
    });
    this.leaveOut([task]);
    return false;
  }

  private async buildOne(task: KeeperTask): Promise<void> {
    const { booksName, limits } = this.input;
    const { granularity, startAtMs, endAtMs, label, only } = task;
    try {
      const built = await executeChild(aggregatePeriod, {
        workflowId: ids(booksName).period(granularity, startAtMs),
        args: [
          {
            ...{ booksName, limits, granularity, startAtMs, endAtMs, label },
            ...(only === undefined ? {} : { only }),
            reprocess: 'stale',
          },
        ],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: aggregateTitle(task),
      });
      this.leaveOut(built.failedPeriods);
      // Others change it just now: after a wait it may be built.
      if ((built.waiting ?? 0) > 0) this.collide(task, built.waitingPeriods);
      const coarse = built.daysBuilt + built.weeksBuilt + built.monthsBuilt;
      this.count({ hoursBuilt: built.hoursBuilt, periodsBuilt: built.hoursBuilt + coarse });
    } catch (error) {
      if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
      // Never success: the other may have read before the change.
      if (error instanceof WorkflowExecutionAlreadyStartedError) this.collide(task);
      else this.leaveOut([task]);
    }
  }

  private collide(task: KeeperTask, changed: readonly WaitingPeriod[] = []): void {
    this.collided.push({ ...keyOf(task), changed });
  }

  /** What others build is theirs; what could not be built in all this time is recorded. */
  private async giveUp(): Promise<void> {
    for (const period of this.collided.flatMap(({ changed }) => changed)) {
      const { booksName } = this.input;
      await this.activities.recordFailure(replanFailure(booksName, period, WAITS + 1));
      this.leaveOut([period]);
    }
    this.collided = this.collided.filter(({ changed }) => changed.length === 0);
    setCurrentDetails(this.outcome());
  }

  /** A wake ends the wait. */
  private async waitForOthers(waits: number): Promise<void> {
    const { firstWaitMs, longestWaitMs } = this.input.limits;
    const waitMs = Math.min(firstWaitMs * 2 ** waits, longestWaitMs);
    await condition(() => this.inbox.coarsest !== null, waitMs);
    this.collided = [];
  }

  private leaveOut(periods: readonly PeriodKey[]): void {
    this.state = { ...this.state, leftOut: [...this.state.leftOut, ...periods.map(keyOf)] };
    this.count({ failed: periods.length });
  }

  private count(more: Partial<KeeperCounts>): void {
    const counts = { ...this.state.counts };
    for (const [name, amount] of Object.entries(more)) counts[name as keyof KeeperCounts] += amount;
    this.state = { ...this.state, counts };
  }

  /** What the next run goes on with. A wake since is served by it too: its first act is a plan. */
  handover(): KeeperInput {
    const coarsest = coarser(this.inbox.coarsest, this.state.coarsest);
    const counts = { ...this.state.counts, wakes: this.inbox.wakes };
    return { ...this.input, resumed: { ...this.state, coarsest, counts } };
  }

  summary(): KeeperSummary {
    return {
      outcome: this.outcome(),
      ...this.state.counts,
      blocked: this.pass?.blocked ?? 0,
      beyondReach: this.pass?.beyondReachText ?? '',
    };
  }

  private outcome(): string {
    const { counts } = this.state;
    const left = this.pass?.periods ?? 0;
    const parts = [
      left === 0 ? 'nothing is left to build' : `${left} periods are to be built`,
      `${counts.periodsBuilt} built`,
      `${counts.failed} failed`,
    ];
    if (this.collided.length > 0)
      parts.push(`${this.collided.length} are built or changed by others`);
    const texts = [this.pass?.blockedText ?? '', this.pass?.beyondReachText ?? ''];
    return [parts.join(', '), ...texts.filter((text) => text !== '')].join('; ');
  }
}
