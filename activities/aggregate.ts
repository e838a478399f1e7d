/**
 * Builds a period and every missing or stale part of it: hours in time order, then days, then the week or the
 * month. Owns the order and what one failure stops; each build is one transaction of db/period-builder.ts. It resumes
 * after any crash by looking at the ledger again, so it keeps no state of its own.
 */
import type { Reprocess } from '../domain/backfill-plan.js';
import type { Calendar } from '../domain/calendar.js';
import { withoutStale, type LedgerState } from '../domain/ledger.js';
import { contains, PART_OF, type Granularity, type Period, type Span } from '../domain/period.js';
import {
  PeriodBuilds,
  type AggregateHooks,
  type AggregateStore,
  type AggregateSummary,
} from './period-builds.js';
import { covers } from '../domain/spans.js';

export interface AggregateRequest extends Span {
  readonly granularity: Granularity;
  /** When given, only hours and days inside this span are built, and not the period itself (a backfill's piece). */
  readonly only?: Span;
  readonly reprocess: Reprocess;
}

/** Passes over the hours before what is still stale is left to the next plan. */
const PASSES = 4;

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
  private readonly builds: PeriodBuilds;
  private readonly span: Span;

  constructor(
    private readonly store: AggregateStore,
    private readonly calendar: Calendar,
    private readonly request: AggregateRequest,
    hooks: AggregateHooks,
    private readonly originAtMs: number | null,
  ) {
    this.builds = new PeriodBuilds(store, hooks);
    this.span = request.only ?? request;
  }

  async run(): Promise<AggregateSummary> {
    const state = await this.buildHours();
    if (this.request.granularity !== 'hour') await this.buildCoarse('day', state);
    if (this.request.granularity === 'week' || this.request.granularity === 'month') {
      if (this.request.only === undefined) {
        await this.buildCoarse(this.request.granularity, await this.store.ledgerState());
      }
    }
    return this.builds.summary;
  }

  /** True for a period that ends after the origin, and for one that is in the ledger all the same (P1). */
  private isKept(period: Period, state: LedgerState): boolean {
    const originAtMs = this.originAtMs ?? Number.NEGATIVE_INFINITY;
    return period.endAtMs > originAtMs || covers(state.ranges[period.granularity], period);
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
    const left = expected.filter((period) => !this.builds.hasFailed(period));
    if (this.request.reprocess === 'all' && isFirstPass) return left;
    const stale = new Set(state.stale.map(keyOf));
    const skipStale = this.request.reprocess === 'missing';
    return left.filter(
      (period) =>
        !covers(state.ranges[granularity], period) || (!skipStale && stale.has(keyOf(period))),
    );
  }

  /** Returns the ledger as it is afterwards. */
  private async buildHours(): Promise<LedgerState> {
    for (let pass = 0; ; pass += 1) {
      const state = await this.store.ledgerState();
      const wanted = this.wanted('hour', state, pass === 0);
      if (wanted.length === 0 || pass === PASSES) return state;
      this.builds.announce(wanted.length);
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
    const result = await this.builds.attempt(hour, []);
    const follow = result?.successorIsStale === true && this.request.reprocess !== 'missing';
    return follow ? this.calendar.next(hour) : null;
  }

  private async buildCoarse(
    granularity: 'day' | 'week' | 'month',
    state: LedgerState,
  ): Promise<void> {
    const wanted = this.wanted(granularity, state, true);
    const part = PART_OF[granularity] ?? 'hour';
    const good = withoutStale(state, part);
    this.builds.announce(wanted.length);
    for (const period of wanted) {
      const parts = [...this.calendar.periodsWithin(part, period)].filter((one) =>
        this.isKept(one, state),
      );
      if (parts.every((one) => covers(good, one))) {
        await this.builds.attempt(
          period,
          parts.map((one) => one.startAtMs),
        );
      } else {
        this.builds.summary.blocked += 1;
      }
    }
  }
}

function keyOf(period: { granularity: Granularity; startAtMs: number }): string {
  return `${period.granularity}/${period.startAtMs}`;
}
