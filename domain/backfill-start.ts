/**
 * The call that starts the workflow of a stored backfill: the same from a client that creates it and from the keeper
 * that finds it open without a workflow. Owns that both ask for the same; how a range is cut is domain/backfill-plan.ts.
 */
import { lanesOf, piecesOf, type Reprocess } from './backfill-plan.js';
import type { Calendar } from './calendar.js';
import { ids } from './ids.js';
import type { Span } from './period.js';
import { instantText } from './units.js';
import type { BackfillInput, WorkflowLimits } from './workflow-input.js';

/** What the stored row says. */
export interface StartableBackfill extends Span {
  readonly name: string;
  readonly lanes: number;
  readonly reprocess: Reprocess;
  /** Null: it is not paused. */
  readonly pausedAtMs: number | null;
}

export interface BackfillStart {
  readonly workflowType: 'backfill';
  readonly options: {
    readonly workflowId: string;
    readonly taskQueue: string;
    readonly args: [BackfillInput];
    readonly workflowIdConflictPolicy: 'USE_EXISTING';
    readonly workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY';
    readonly staticSummary: string;
  };
}

/** Starting it twice is starting it once. */
export function backfillStart(
  booksName: string,
  limits: WorkflowLimits,
  calendar: Calendar,
  { name, startAtMs, endAtMs, lanes, reprocess, pausedAtMs }: StartableBackfill,
): BackfillStart {
  const names = ids(booksName);
  const range = { startAtMs, endAtMs };
  return {
    workflowType: 'backfill',
    options: {
      workflowId: names.backfill(name),
      taskQueue: names.usageQueue,
      args: [
        {
          ...{ booksName, limits, name, range, reprocess },
          lanes: lanesOf(piecesOf(calendar, range), lanes),
          isPaused: pausedAtMs !== null,
        },
      ],
      workflowIdConflictPolicy: 'USE_EXISTING',
      // One that has completed is done; one that was terminated while it was open may go on.
      workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
      staticSummary: `${instantText(startAtMs)} to ${instantText(endAtMs)}, ${lanes} lanes`,
    },
  };
}
