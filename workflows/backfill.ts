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
  defineQuery,
  defineSignal,
  executeChild,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BackfillEnding, BuildSummary, EndedBackfill } from '../activities/index.js';
import type { BackfillPiece, Reprocess } from '../domain/backfill-plan.js';
import { ids } from '../domain/ids.js';
import type { BackfillInput, WorkflowLimits } from '../domain/workflow-input.js';
import { buildActivities, shortActivities } from './activity-calls.js';
import {
  aggregatePeriod,
  aggregateTitle,
  replanFailure,
  wasCancelled,
} from './aggregate-period.js';

/** What the keeper asks before it tells what an operator wants. */
const isPausedQuery = defineQuery<boolean>('isPaused');
/** True: no new piece begins until false is signalled; those that are being built are finished. */
const pause = defineSignal<[boolean]>('pause');

/** How often a piece is tried again because others changed its hours while they were built. */
const TIMES_AGAIN = 5;

/** Returns when every piece and every coarser period was tried; what failed is in `period_failure`. */
export async function backfill(input: BackfillInput): Promise<EndedBackfill> {
  const progress = new Progress(input);
  setHandler(pause, (isPaused) => progress.pause(isPaused));
  setHandler(isPausedQuery, () => progress.isPaused);
  try {
    await allEnded(input.lanes.map((lane, index) => runLane(input, lane, index, progress)));
    if (progress.isComplete()) {
      await progress.unpaused();
      await finish(input, progress);
      return await end(input, progress, 'completed');
    }
  } catch (error) {
    // Asked here: inside of the scope below nothing is cancelled.
    const ending = wasCancelled(error) ? 'cancelled' : 'failed';
    await CancellationScope.nonCancellable(() => end(input, progress, ending));
    throw error;
  }
  return continueAsNew<typeof backfill>(progress.handover());
}

/** Rejects with the first rejection, but not before the others have ended: a lane that still builds has not stopped. */
async function allEnded(lanes: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
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
    await untilNothingWaits(input, progress, (reprocess) => buildPiece(input, piece, reprocess));
    progress.advance(index);
  }
}

/** Builds a piece; waits while another workflow builds the same month. Null when it failed, which is recorded. */
async function buildPiece(
  { booksName, limits }: BackfillInput,
  piece: BackfillPiece,
  reprocess: Reprocess,
): Promise<BuildSummary | null> {
  const title = aggregateTitle(piece);
  const waits = waitsOf(limits, `another workflow builds ${title}`);
  for (;;) {
    try {
      return await executeChild(aggregatePeriod, {
        workflowId: ids(booksName).period(piece.granularity, piece.startAtMs),
        args: [{ ...piece, booksName, limits, reprocess }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: title,
      });
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
 * Builds again while others change what is built; after the first time only what does not fit. What waits in the end is
 * recorded as failed: beyond the catch-up nobody else would build it.
 */
async function untilNothingWaits(
  { booksName, limits, reprocess }: BackfillInput,
  progress: Progress,
  build: (reprocess: Reprocess) => Promise<BuildSummary | null>,
): Promise<void> {
  const again = reprocess === 'missing' ? 'missing' : 'stale';
  const waits = waitsOf(limits, 'others changed what was built; it is built again');
  let built = progress.add(await build(reprocess));
  for (let times = 0; (built?.waiting ?? 0) > 0 && times < TIMES_AGAIN; times += 1) {
    await waits();
    built = progress.add(await build(again));
  }
  for (const period of built?.waitingPeriods ?? []) {
    await shortActivities(limits).recordFailure(replanFailure(booksName, period, TIMES_AGAIN + 1));
  }
}

async function finish(input: BackfillInput, progress: Progress): Promise<void> {
  const { booksName, range, limits } = input;
  const { aggregateCoarse } = buildActivities(limits);
  await untilNothingWaits(input, progress, (reprocess) =>
    aggregateCoarse({ booksName, range, reprocess }),
  );
}

async function end(
  { booksName, name, limits }: BackfillInput,
  progress: Progress,
  outcome: BackfillEnding,
): Promise<EndedBackfill> {
  setCurrentDetails(`${outcome}: ${progress.periodsBuilt} periods built`);
  return shortActivities(limits).endBackfill({ booksName, name, outcome, limits });
}

/** Cursors, and how many periods were built. What a worker built before it died is not known here. */
class Progress {
  private readonly cursors: number[];
  periodsBuilt: number;
  isPaused: boolean;

  constructor(private readonly input: BackfillInput) {
    this.cursors = input.lanes.map((_, index) => input.resumed?.cursors[index] ?? 0);
    this.periodsBuilt = input.resumed?.periodsBuilt ?? 0;
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

  /** Returns what it is given. */
  add(built: BuildSummary | null): BuildSummary | null {
    if (built !== null) {
      const { hoursBuilt, daysBuilt, weeksBuilt, monthsBuilt } = built;
      this.periodsBuilt += hoursBuilt + daysBuilt + weeksBuilt + monthsBuilt;
    }
    return built;
  }

  handover(): BackfillInput {
    const { input, isPaused, cursors, periodsBuilt } = this;
    return { ...input, isPaused, resumed: { cursors, periodsBuilt } };
  }

  private show(): void {
    const of = this.input.lanes.reduce((sum, lane) => sum + lane.length, 0);
    const done = this.cursors.reduce((sum, cursor) => sum + cursor, 0);
    const paused = this.isPaused ? 'paused; ' : '';
    setCurrentDetails(`${paused}${done} of ${of} months done, ${this.periodsBuilt} periods built`);
  }
}
