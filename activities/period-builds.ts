/**
 * The builds of one request, one after the other. Owns counting, heartbeats, stopping on cancellation and what is
 * recorded when one fails; which periods, and in what order, is activities/aggregate.ts and aggregate-coarse.ts.
 */
import type { BuildResult } from '../db/period-builder.js';
import { isJobhoursError, JobhoursError } from '../domain/errors.js';
import type { LedgerState } from '../domain/ledger.js';
import { isSamePeriod, type Granularity, type Period, type PeriodKey } from '../domain/period.js';

/** One failed period of a request. */
export interface FailedPeriod {
  readonly granularity: Granularity;
  readonly startAtMs: number;
  readonly label: string;
  readonly code: string;
  readonly detail: string;
}

/** What was done, in plain numbers. */
export interface AggregateSummary {
  hoursBuilt: number;
  daysBuilt: number;
  weeksBuilt: number;
  monthsBuilt: number;
  rowsWritten: number;
  rowsRemoved: number;
  /** Rows without a ledger row that were removed first (S0 3.2: dirty data). */
  dirtyRowsRemoved: number;
  /** Coarser periods left alone because a part of them is missing, stale or failed. */
  blocked: number;
  failed: FailedPeriod[];
  /** Lost against another transaction and not built since: planned again, which is no failure (ledger.md A6). */
  waiting: FailedPeriod[];
}

/** The doors to PostgreSQL, handed in by the worker. */
export interface AggregateStore {
  /** The origin now in force. */
  originAtMs(): Promise<number | null>;
  ledgerState(): Promise<LedgerState>;
  build(period: Period, expectedPartStarts: readonly number[]): Promise<BuildResult>;
  recordFailure(failure: FailedPeriod, error: unknown): Promise<void>;
}

export interface AggregateHooks {
  heartbeat(progress: { done: number; of: number; now: string }): void;
  /** True when the work should stop between two builds. */
  isCancelled(): boolean;
}

const COUNTER = {
  hour: 'hoursBuilt',
  day: 'daysBuilt',
  week: 'weeksBuilt',
  month: 'monthsBuilt',
} as const;

/** Counts and tries; see `attempt`. */
export class PeriodBuilds {
  readonly summary: AggregateSummary = {
    hoursBuilt: 0,
    daysBuilt: 0,
    weeksBuilt: 0,
    monthsBuilt: 0,
    rowsWritten: 0,
    rowsRemoved: 0,
    dirtyRowsRemoved: 0,
    blocked: 0,
    failed: [],
    waiting: [],
  };
  private of = 0;
  private done = 0;

  constructor(
    private readonly store: AggregateStore,
    private readonly hooks: AggregateHooks,
  ) {}

  /** Tells heartbeats that this many builds are to come. */
  announce(builds: number): void {
    this.of += builds;
  }

  /** True when this request tried the period and recorded a failure. */
  hasFailed(period: PeriodKey): boolean {
    return this.summary.failed.some((one) => isSamePeriod(one, period));
  }

  /**
   * Builds one period; null when it failed, which is recorded, or when another transaction changed the same period,
   * which makes it wait (ledger.md A6). INTERRUPTED when cancelled; errors that can pass are thrown, because a later
   * try of the whole request resumes.
   */
  async attempt(period: Period, partStarts: readonly number[]): Promise<BuildResult | null> {
    if (this.hooks.isCancelled()) {
      throw new JobhoursError(
        'INTERRUPTED',
        `stopped before ${period.granularity} ${period.label}`,
      );
    }
    this.hooks.heartbeat({ done: this.done, of: this.of, now: period.label });
    try {
      const result = await this.store.build(period, partStarts);
      this.count(period, result);
      this.noLongerWaits(period);
      return result;
    } catch (error) {
      await this.noteFailure(period, error);
      return null;
    } finally {
      this.done += 1;
    }
  }

  private count({ granularity }: Period, result: BuildResult): void {
    this.summary[COUNTER[granularity]] += 1;
    this.summary.rowsWritten += result.rowsWritten;
    this.summary.rowsRemoved += result.rowsRemoved;
    this.summary.dirtyRowsRemoved += result.dirtyRowsRemoved;
  }

  private noLongerWaits(period: Period): void {
    this.summary.waiting = this.summary.waiting.filter((one) => !isSamePeriod(one, period));
  }

  private async noteFailure(period: Period, error: unknown): Promise<void> {
    const mustWait = isJobhoursError(error, 'REPLAN');
    if (!mustWait && isJobhoursError(error) && error.retryable) throw error;
    this.noLongerWaits(period);
    const { granularity, startAtMs, label } = period;
    const code = isJobhoursError(error) ? error.code : 'UNEXPECTED';
    const detail = error instanceof Error ? error.message : String(error);
    const failure = { granularity, startAtMs, label, code, detail };
    if (mustWait) {
      this.summary.waiting.push(failure);
      return;
    }
    this.summary.failed.push(failure);
    await this.store.recordFailure(failure, error);
  }
}
