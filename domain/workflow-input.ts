/**
 * What starts a workflow: its input as plain data, the same for clients, activities and workflows. Owns shapes and
 * limits; ids are domain/ids.ts, what a workflow does is workflows/. Payloads are safe integers and text.
 */
import type { BackfillPiece, Reprocess } from './backfill-plan.js';
import { ids } from './ids.js';
import type { Granularity, Period, PeriodKey, Span } from './period.js';
import { MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from './units.js';

/** Time-outs in ms, and how long a run may be. They come with the input, so that a replay does not depend on a worker's settings. */
export interface WorkflowLimits {
  /** One try of a short activity (planning, waking, recording). */
  readonly planMs: number;
  /** A build that is not heard of for this long is tried again elsewhere. */
  readonly heartbeatMs: number;
  /** One try of a build. */
  readonly buildMs: number;
  /** First wait for a period that another workflow builds; doubles up to the longest wait. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** Above this many events of history a run hands over to the next. */
  readonly longestHistory: number;
}

/** DESIGN section 8. */
export const USUAL_LIMITS: WorkflowLimits = {
  planMs: 30 * MS_PER_SECOND,
  heartbeatMs: 60 * MS_PER_SECOND,
  buildMs: 6 * MS_PER_HOUR,
  firstWaitMs: 5 * MS_PER_SECOND,
  longestWaitMs: MS_PER_MINUTE,
  longestHistory: 2_000,
};

/** The limits that the settings say. */
export function limitsOf(settings: {
  readonly planTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly buildTimeoutMs: number;
}): WorkflowLimits {
  return {
    ...USUAL_LIMITS,
    planMs: settings.planTimeoutMs,
    heartbeatMs: settings.heartbeatTimeoutMs,
    buildMs: settings.buildTimeoutMs,
  };
}

/** Every input carries the name of its books: a worker of other books refuses it (BOOKS_MISMATCH). */
export interface BooksInput {
  readonly booksName: string;
  readonly limits: WorkflowLimits;
}

/** Input of `usageTick`, and of the activity that wakes the keeper. */
export interface TickInput extends BooksInput {
  /** The keeper plans periods up to this granularity. */
  readonly coarsest: Granularity;
}

/** What the signal `wake` of `usageKeeper` carries. */
export interface WakeRequest {
  readonly coarsest: Granularity;
}

/** Input of `usageKeeper`. */
export interface KeeperInput extends BooksInput {
  /** What an earlier run of the same keeper hands over; absent at the start. */
  readonly resumed?: KeeperState;
}

/** What a keeper knows between two of its runs. */
export interface KeeperState {
  /** Periods up to this granularity are planned. */
  readonly coarsest: Granularity;
  /** Failed or without progress: left until the next wake. */
  readonly leftOut: readonly PeriodKey[];
  /** Tasks of the last plan that were tried: how often in a row with one fingerprint. */
  readonly tried: readonly TriedTask[];
  readonly counts: KeeperCounts;
}

export interface TriedTask extends PeriodKey {
  readonly fingerprint: string;
  readonly times: number;
}

export interface KeeperCounts {
  /** Wakes that a plan followed. */
  wakes: number;
  plans: number;
  hoursBuilt: number;
  periodsBuilt: number;
  failed: number;
}

/** Input of `aggregatePeriod`. */
export interface AggregateInput extends BooksInput, Period {
  /** Only hours and days inside this span, and not the period itself: a backfill's piece. */
  readonly only?: Span;
  readonly reprocess: Reprocess;
}

/** Input of `backfill`. */
export interface BackfillInput extends BooksInput {
  readonly name: string;
  readonly range: Span;
  readonly reprocess: Reprocess;
  /** Consecutive pieces for each lane; lanes run side by side. */
  readonly lanes: readonly (readonly BackfillPiece[])[];
  /** It begins paused. Absent: it does not. */
  readonly isPaused?: boolean;
  /** What an earlier run of the same backfill hands over; absent at the start. */
  readonly resumed?: BackfillState;
}

/** What a backfill knows between two of its runs. */
export interface BackfillState {
  /** Pieces that each lane has behind it. */
  readonly cursors: readonly number[];
  /** Of every granularity. Absent in what an older version hands over. */
  readonly periodsBuilt?: number;
}

/** How the keeper is woken, by an activity or a client: signal with start. */
export interface KeeperWake {
  readonly workflowType: 'usageKeeper';
  readonly options: {
    readonly workflowId: string;
    readonly taskQueue: string;
    readonly args: [KeeperInput];
    readonly signal: 'wake';
    readonly signalArgs: [WakeRequest];
    readonly staticSummary: string;
  };
}

/** The call that wakes the keeper of some books for periods up to `coarsest`. */
export function keeperWake({ booksName, limits, coarsest }: TickInput): KeeperWake {
  const names = ids(booksName);
  return {
    workflowType: 'usageKeeper',
    options: {
      workflowId: names.keeper,
      taskQueue: names.usageQueue,
      args: [{ booksName, limits }],
      signal: 'wake',
      signalArgs: [{ coarsest }],
      staticSummary: `keeps the usage of ${booksName} up to date`,
    },
  };
}
