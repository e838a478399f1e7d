/**
 * Aggregates a chosen range: pieces of months in lanes, side by side; then the days, weeks and months that touch it.
 * Owns the lanes, pauses, and what a failed piece stops (nothing); how the range is cut is domain/backfill-plan.ts. Its
 * state is a cursor for each lane, so that handing over to a next run is small.
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
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BuildSummary } from '../activities/index.js';
import type { BackfillPiece } from '../domain/backfill-plan.js';
import { ids } from '../domain/ids.js';
import type { BackfillCounts, BackfillInput, WorkflowLimits } from '../domain/workflow-input.js';
import { buildActivities, shortActivities } from './activity-calls.js';
import { aggregatePeriod, aggregateTitle } from './aggregate-period.js';

/** True: no new piece begins until false is signalled; those that are being built are finished. */
const pause = defineSignal<[boolean]>('pause');

/** How often a piece is tried again because others changed its hours while they were built. */
const TIMES_AGAIN = 5;

export interface BackfillSummary extends BackfillCounts {
  readonly outcome: 'completed' | 'completed with failures';
}

/** Returns when every piece and every coarser period was tried; what failed is in `period_failure`. */
export async function backfill(input: BackfillInput): Promise<BackfillSummary> {
  const progress = new Progress(input);
  setHandler(pause, (isPaused) => progress.pause(isPaused));
  try {
    await Promise.all(input.lanes.map((lane, index) => runLane(input, lane, index, progress)));
    if (progress.isComplete()) {
      await progress.unpaused();
      return await finish(input, progress);
    }
  } catch (error) {
    await CancellationScope.nonCancellable(() =>
      end(input, progress, isCancellation(error) ? 'cancelled' : 'failed'),
    );
    throw error;
  }
  return continueAsNew<typeof backfill>(progress.handover());
}

/** The pieces of a lane, one after the other, until all are done or this run's history is long. */
async function runLane(
  input: BackfillInput,
  lane: readonly BackfillPiece[],
  index: number,
  progress: Progress,
): Promise<void> {
  for (const piece of lane.slice(progress.cursor(index))) {
    if (workflowInfo().historyLength > input.limits.longestHistory) return;
    await progress.unpaused();
    progress.add(await runPiece(input, piece));
    progress.advance(index);
  }
}

/** Waits while another workflow builds the same month. A failed piece is noted, and null. */
async function runPiece(input: BackfillInput, piece: BackfillPiece): Promise<BuildSummary | null> {
  const { booksName, limits, reprocess } = input;
  const title = aggregateTitle(piece);
  const waits = waitsOf(limits, `another workflow builds ${title}`);
  for (;;) {
    try {
      return await untilNothingWaits(input, (isFirst) =>
        executeChild(aggregatePeriod, {
          workflowId: ids(booksName).period(piece.granularity, piece.startAtMs),
          args: [{ ...piece, booksName, limits, reprocess: isFirst ? reprocess : 'stale' }],
          parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
          staticSummary: title,
        }),
      );
    } catch (error) {
      if (CancellationScope.current().consideredCancelled) throw error;
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return null;
    }
    await waits();
  }
}

/** Each call waits twice as long as the one before. */
function waitsOf(limits: WorkflowLimits, summary: string): () => Promise<void> {
  let waitMs = limits.firstWaitMs;
  return async () => {
    await sleep(waitMs, { summary });
    waitMs = Math.min(waitMs * 2, limits.longestWaitMs);
  };
}

/**
 * Builds again while others change what is built. What waits in the end is recorded as failed: beyond the catch-up
 * nobody else would build it.
 */
async function untilNothingWaits(
  input: BackfillInput,
  build: (isFirst: boolean) => Promise<BuildSummary>,
): Promise<BuildSummary> {
  let built = await build(true);
  const waits = waitsOf(input.limits, 'others changed what was built; it is built again');
  for (let times = 0; (built.waiting ?? 0) > 0 && times < TIMES_AGAIN; times += 1) {
    await waits();
    built = sumOf(built, await build(false));
  }
  for (const period of built.waitingPeriods ?? []) {
    await shortActivities(input.limits).recordFailure({
      booksName: input.booksName,
      ...period,
      code: 'REPLAN',
      detail: `other transactions changed it each of ${TIMES_AGAIN + 1} times that it was built`,
    });
  }
  return { ...built, failed: built.failed + (built.waiting ?? 0) };
}

/** Counts of both; what waits is what the second left. */
function sumOf(first: BuildSummary, second: BuildSummary): BuildSummary {
  return {
    ...second,
    hoursBuilt: first.hoursBuilt + second.hoursBuilt,
    daysBuilt: first.daysBuilt + second.daysBuilt,
    weeksBuilt: first.weeksBuilt + second.weeksBuilt,
    monthsBuilt: first.monthsBuilt + second.monthsBuilt,
    failed: first.failed + second.failed,
  };
}

async function finish(input: BackfillInput, progress: Progress): Promise<BackfillSummary> {
  const { booksName, range, limits } = input;
  const { aggregateCoarse } = buildActivities(limits);
  progress.add(
    await untilNothingWaits(input, (isFirst) =>
      aggregateCoarse({ booksName, range, reprocess: isFirst ? input.reprocess : 'stale' }),
    ),
  );
  const outcome = progress.counts.periodsFailed === 0 ? 'completed' : 'completed with failures';
  await end(input, progress, outcome);
  return { outcome, ...progress.counts };
}

function end(
  { booksName, name, limits }: BackfillInput,
  { counts }: Progress,
  outcome: 'completed' | 'completed with failures' | 'cancelled' | 'failed',
): Promise<void> {
  setCurrentDetails(
    `${outcome}: ${counts.periodsBuilt} periods built, ${counts.periodsFailed} failed`,
  );
  return shortActivities(limits).endBackfill({ booksName, name, counts, outcome, limits });
}

/** Cursors and counts. */
class Progress {
  private readonly cursors: number[];
  counts: BackfillCounts;
  private isPaused: boolean;

  constructor(private readonly input: BackfillInput) {
    this.cursors = input.lanes.map((_, index) => input.resumed?.cursors[index] ?? 0);
    this.counts = input.resumed?.counts ?? { hoursBuilt: 0, periodsBuilt: 0, periodsFailed: 0 };
    this.isPaused = input.isPaused ?? false;
    this.show();
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    this.show();
  }

  /** Resolves when it is not paused. */
  async unpaused(): Promise<void> {
    if (this.isPaused) await condition(() => !this.isPaused);
  }

  cursor(lane: number): number {
    return this.cursors[lane] ?? 0;
  }

  advance(lane: number): void {
    this.cursors[lane] = this.cursor(lane) + 1;
    this.show();
  }

  isComplete(): boolean {
    return this.input.lanes.every((lane, index) => this.cursor(index) >= lane.length);
  }

  add(built: BuildSummary | null): void {
    const { hoursBuilt, periodsBuilt, periodsFailed } = this.counts;
    this.counts =
      built === null
        ? { ...this.counts, periodsFailed: periodsFailed + 1 }
        : {
            hoursBuilt: hoursBuilt + built.hoursBuilt,
            periodsBuilt:
              periodsBuilt +
              built.hoursBuilt +
              built.daysBuilt +
              built.weeksBuilt +
              built.monthsBuilt,
            periodsFailed: periodsFailed + built.failed,
          };
  }

  handover(): BackfillInput {
    const { input, isPaused, cursors, counts } = this;
    return { ...input, isPaused, resumed: { cursors, counts } };
  }

  private show(): void {
    const of = this.input.lanes.reduce((sum, lane) => sum + lane.length, 0);
    const done = this.cursors.reduce((sum, cursor) => sum + cursor, 0);
    const paused = this.isPaused ? 'paused; ' : '';
    setCurrentDetails(
      `${paused}${done} of ${of} months done, ${this.counts.periodsBuilt} periods built`,
    );
  }
}
