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

/** No piece is begun above this many events of history; the next run goes on. */
const LONGEST_HISTORY = 2_000;

export interface BackfillSummary extends BackfillCounts {
  readonly outcome: 'completed' | 'completed with failures';
}

/** Returns when every piece and every coarser period was tried; what failed is in `period_failure`. */
export async function backfill(input: BackfillInput): Promise<BackfillSummary> {
  const progress = new Progress(input);
  try {
    await Promise.all(input.lanes.map((lane, index) => runLane(input, lane, index, progress)));
    if (!progress.allPiecesDone()) await continueAsNew<typeof backfill>(progress.handover());
    return await end(input, progress);
  } catch (error) {
    // Continuing as new is thrown too, and is no end.
    if (isEnd(error)) await recordEnd(input, progress, isCancellation(error) ? 'cancelled' : 'failed');
    throw error;
  }
}
