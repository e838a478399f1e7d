/**
 * Builds a period and every missing or stale part of it: hours in time order, then days, then the week or the
 * month. Owns the order and what one failure stops; each build is one transaction of db/period-builder.ts. It resumes
 * after any crash by looking at the ledger again, so it keeps no state of its own.
 */
import type { BuildResult } from '../db/period-builder.js';
import type { Calendar } from '../domain/calendar.js';
import { isJobhoursError, JobhoursError } from '../domain/errors.js';
import { subtract, type LedgerState } from '../domain/ledger.js';
import { contains, PART_OF, type Granularity, type Period, type Span } from '../domain/period.js';

/** Which periods of the range are built: those not in the ledger, also those that no longer fit, or every one. */
export type Reprocess = 'missing' | 'stale' | 'all';

export interface AggregateRequest extends Span {
  readonly granularity: Granularity;
  /** When given, only hours and days inside this span are built, and not the period itself (a backfill's piece). */
  readonly only?: Span;
  readonly reprocess: Reprocess;
}

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
  dirtyRowsRemoved: number;
  /** Coarser periods left alone because a part of them is missing, stale or failed. */
  blocked: number;
  failed: FailedPeriod[];
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

/** Passes over the hours before what is still stale is left to the next plan. */
const PASSES = 4;

const COUNTER = {
  hour: 'hoursBuilt',
  day: 'daysBuilt',
  week: 'weeksBuilt',
  month: 'monthsBuilt',
} as const;

/**
 * Builds what the request names. A part that fails is recorded and stops only the periods made of it. Errors that
 * can pass (DATABASE_MISSING, DATABASE_FULL) and INTERRUPTED are thrown: a later try resumes.
 */
export async function aggregate(
  store: AggregateStore,
  calendar: Calendar,
  request: AggregateRequest,
  hooks: AggregateHooks,
): Promise<AggregateSummary> {
  const job = new Aggregation(store, calendar, request, hooks, await store.originAtMs());
  return job.run();
}

class Aggregation {
  private readonly summary: AggregateSummary = {
    hoursBuilt: 0,
    daysBuilt: 0,
    weeksBuilt: 0,
    monthsBuilt: 0,
    rowsWritten: 0,
    rowsRemoved: 0,
    dirtyRowsRemoved: 0,
    blocked: 0,
    failed: [],
  };
  private readonly span: Span;
  private readonly failedKeys = new Set<string>();
  private isLastPass = false;
  private of = 0;
  private done = 0;

  constructor(
    private readonly store: AggregateStore,
    private readonly calendar: Calendar,
    private readonly request: AggregateRequest,
    private readonly hooks: AggregateHooks,
    private readonly originAtMs: number | null,
  ) {
    this.span = request.only ?? request;
  }

  async run(): Promise<AggregateSummary> {
    await this.buildHours();
    if (this.request.granularity !== 'hour') await this.buildCoarse('day');
    if (this.request.granularity === 'week' || this.request.granularity === 'month') {
      if (this.request.only === undefined) await this.buildCoarse(this.request.granularity);
    }
    return this.summary;
  }

  /** True for a period that ends after the origin, and for one that is in the ledger all the same (P1). */
  private isKept(period: Period, state: LedgerState): boolean {
    const originAtMs = this.originAtMs ?? Number.NEGATIVE_INFINITY;
    return period.endAtMs > originAtMs || isIn(state.ranges[period.granularity], period);
  }

  /** Kept periods of a granularity that are over and whose kept part lies in the span. */
  private expected(granularity: Granularity, state: LedgerState): Period[] {
    const originAtMs = this.originAtMs ?? Number.NEGATIVE_INFINITY;
    return [...this.calendar.periodsTouching(granularity, this.span)].filter(
      (period) =>
        period.endAtMs <= state.nowMs &&
        this.isKept(period, state) &&
        contains(this.span, {
          startAtMs:
            period.endAtMs > originAtMs ? Math.max(period.startAtMs, originAtMs) : period.startAtMs,
          endAtMs: period.endAtMs,
        }),
    );
  }

  /** The expected periods that the request wants built, judged by the ledger as it is now. */
  private wanted(granularity: Granularity, state: LedgerState, isFirstPass: boolean): Period[] {
    const expected = this.expected(granularity, state);
    const left = expected.filter((period) => !this.failedKeys.has(keyOf(period)));
    if (this.request.reprocess === 'all' && isFirstPass) return left;
    const stale = new Set(state.stale.map(keyOf));
    const skipStale = this.request.reprocess === 'missing';
    return left.filter(
      (period) =>
        !isIn(state.ranges[granularity], period) || (!skipStale && stale.has(keyOf(period))),
    );
  }

  private async buildHours(): Promise<void> {
    for (let pass = 0; pass < PASSES; pass += 1) {
      this.isLastPass = pass === PASSES - 1;
      const state = await this.store.ledgerState();
      const wanted = this.wanted('hour', state, pass === 0);
      if (wanted.length === 0) return;
      this.of += wanted.length;
      await this.buildChain(wanted);
    }
  }

  /** Hours in time order; an hour whose carry-out changed puts the next one in line right behind it. */
  private async buildChain(hours: readonly Period[]): Promise<void> {
    const last = hours.at(-1);
    let successor: Period | null = null;
    for (const hour of hours) {
      while (successor !== null && successor.startAtMs < hour.startAtMs) {
        successor = await this.buildNext(successor);
      }
      successor = await this.buildNext(hour);
    }
    while (successor !== null && last !== undefined && contains(this.span, successor)) {
      successor = await this.buildNext(successor);
    }
  }

  /** Builds an hour; the next one when it became stale by that and stale ones are wanted, else null. */
  private async buildNext(hour: Period): Promise<Period | null> {
    const result = await this.attempt(hour, []);
    const follow = result?.successorIsStale === true && this.request.reprocess !== 'missing';
    return follow ? this.calendar.next(hour) : null;
  }

  private async buildCoarse(granularity: 'day' | 'week' | 'month'): Promise<void> {
    this.isLastPass = true;
    const state = await this.store.ledgerState();
    const wanted = this.wanted(granularity, state, true);
    const part = PART_OF[granularity] ?? 'hour';
    const good = subtract(
      state.ranges[part],
      state.stale.filter((period) => period.granularity === part),
    );
    this.of += wanted.length;
    for (const period of wanted) {
      const parts = [...this.calendar.periodsWithin(part, period)].filter((one) =>
        this.isKept(one, state),
      );
      if (parts.every((one) => isIn(good, one))) {
        await this.attempt(
          period,
          parts.map((one) => one.startAtMs),
        );
      } else {
        this.summary.blocked += 1;
      }
    }
  }

  private async attempt(
    period: Period,
    partStarts: readonly number[],
  ): Promise<BuildResult | null> {
    if (this.hooks.isCancelled()) {
      throw new JobhoursError(
        'INTERRUPTED',
        `stopped before ${period.granularity} ${period.label}`,
      );
    }
    this.hooks.heartbeat({ done: this.done, of: this.of, now: period.label });
    try {
      const result = await this.store.build(period, partStarts);
      this.summary[COUNTER[period.granularity]] += 1;
      this.summary.rowsWritten += result.rowsWritten;
      this.summary.rowsRemoved += result.rowsRemoved;
      this.summary.dirtyRowsRemoved += result.dirtyRowsRemoved;
      return result;
    } catch (error) {
      await this.noteFailure(period, error);
      return null;
    } finally {
      this.done += 1;
    }
  }

  private async noteFailure(period: Period, error: unknown): Promise<void> {
    // Somebody else changed the same period: the next pass sees what is left to do (A6).
    if (isJobhoursError(error, 'REPLAN')) {
      if (!this.isLastPass) return;
    } else if (isJobhoursError(error) && error.retryable) throw error;
    const { granularity, startAtMs, label } = period;
    const code = isJobhoursError(error) ? error.code : 'UNEXPECTED';
    const detail = error instanceof Error ? error.message : String(error);
    const failed = { granularity, startAtMs, label, code, detail };
    this.failedKeys.add(keyOf(period));
    this.summary.failed.push(failed);
    await this.store.recordFailure(failed, error);
  }
}

function keyOf(period: { granularity: Granularity; startAtMs: number }): string {
  return `${period.granularity}/${period.startAtMs}`;
}

function isIn(ranges: readonly Span[], period: Span): boolean {
  return ranges.some((range) => contains(range, period));
}
