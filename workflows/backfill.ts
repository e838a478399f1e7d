/**
 * Aggregates a chosen range: pieces of months in lanes, side by side; then the days, weeks and months that touch it.
 * Owns the lanes and what a failed piece stops (nothing); how the range is cut is domain/backfill-plan.ts. Its state
 * is a cursor for each lane, so that handing over to a next run is small.
 */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  continueAsNew,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BuildSummary } from '../activities/index.js';
import type { BackfillPiece } from '../domain/backfill-plan.js';
import { ids } from '../domain/ids.js';
import type { BackfillCounts, BackfillInput } from '../domain/workflow-input.js';
import { buildActivities, shortActivities } from './activity-calls.js';
import { aggregatePeriod, aggregateTitle } from './aggregate-period.js';

export interface BackfillSummary extends BackfillCounts {
  readonly outcome: 'completed' | 'completed with failures';
}

/** Returns when every piece and every coarser period was tried; what failed is in `period_failure`. */
export async function backfill(input: BackfillInput): Promise<BackfillSummary> {
  const progress = new Progress(input);
  try {
    await Promise.all(input.lanes.map((lane, index) => runLane(input, lane, index, progress)));
    if (progress.isComplete()) return await finish(input, progress);
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
    progress.add(await runPiece(input, piece));
    progress.advance(index);
  }
}

/** Waits while another workflow builds the same month. A failed piece is noted, and null. */
async function runPiece(input: BackfillInput, piece: BackfillPiece): Promise<BuildSummary | null> {
  const { booksName, limits, reprocess } = input;
  const title = aggregateTitle(piece);
  let waitMs = limits.firstWaitMs;
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
    await sleep(waitMs, { summary: `another workflow builds ${title}` });
    waitMs = Math.min(waitMs * 2, limits.longestWaitMs);
  }
}

async function finish(input: BackfillInput, progress: Progress): Promise<BackfillSummary> {
  const { booksName, range, reprocess, limits } = input;
  progress.add(await buildActivities(limits).aggregateCoarse({ booksName, range, reprocess }));
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
  return shortActivities(limits).endBackfill({ booksName, name, counts, outcome });
}

/** Cursors and counts. */
class Progress {
  private readonly cursors: number[];
  counts: BackfillCounts;

  constructor(private readonly input: BackfillInput) {
    this.cursors = input.lanes.map((_, index) => input.resumed?.cursors[index] ?? 0);
    this.counts = input.resumed?.counts ?? { hoursBuilt: 0, periodsBuilt: 0, periodsFailed: 0 };
    this.show();
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
    return { ...this.input, resumed: { cursors: this.cursors, counts: this.counts } };
  }

  private show(): void {
    const of = this.input.lanes.reduce((sum, lane) => sum + lane.length, 0);
    const done = this.cursors.reduce((sum, cursor) => sum + cursor, 0);
    setCurrentDetails(`${done} of ${of} months done, ${this.counts.periodsBuilt} periods built`);
  }
}
