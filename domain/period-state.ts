/**
 * The state of a period as people see it: good, missing, stale, ... and why, and what mends it. Pure. Staleness
 * and what readers may take come from domain/ledger.ts, what mends itself from domain/plan.ts.
 */
import type { Calendar } from './calendar.js';
import { goodForReaders, type LedgerState } from './ledger.js';
import {
  contains,
  GRANULARITIES,
  intersection,
  PART_OF,
  type Granularity,
  type Period,
  type Span,
} from './period.js';
import { covers, subtract, union } from './spans.js';
import { periodKey, plan, type Plan, type PlannedPeriod } from './plan.js';

/** Our states, and those of the source document (S0 4.1) that they stand for. */
export const SOURCE_STATE = {
  good: 'jobCompleted',
  missing: 'jobNotExecute',
  stale: 'jobNotExecute',
  provisional: 'jobNotExecute',
  failed: 'jobFailed',
  building: 'jobProcessing',
} as const;
export type PeriodState = keyof typeof SOURCE_STATE;
export const PERIOD_STATES = Object.keys(SOURCE_STATE) as PeriodState[];

export interface JudgedPeriod extends Period {
  readonly state: PeriodState;
  /** In words for people; empty when it is good. */
  readonly because: string;
  /** Empty: nothing is to be mended. */
  readonly mend: '' | 'by itself' | 'open backfill' | 'backfill' | 'backfill all';
  /** The open backfill that mends it; null when that is not what mends it. */
  readonly openBackfill: OpenBackfill | null;
  /** True when the period is due and its rows are not to be relied on, or building it failed. */
  readonly isFinding: boolean;
}

/** The range of a backfill that has not ended. */
export interface OpenBackfill extends Span {
  readonly name: string;
  /** Null: it is not paused. */
  readonly pausedAtMs: number | null;
}

export interface JudgeInput {
  readonly state: LedgerState;
  readonly calendar: Calendar;
  /** Null: the books have not begun, nothing is expected. */
  readonly originAtMs: number | null;
  readonly graceMs: number;
  readonly catchUpMs: number;
  /** Ranges of open backfills. */
  readonly leftOut: readonly OpenBackfill[];
  /** Failures that are newer than the ledger, in words, by `periodKey`. */
  readonly failures: ReadonlyMap<string, string>;
  /** Periods being built just now, by `periodKey`. */
  readonly locked: ReadonlySet<string>;
}

/** Judges periods of one ledger at one instant. */
export class PeriodJudge {
  readonly #input: JudgeInput;
  readonly #good: Readonly<Record<Granularity, readonly Span[]>>;
  readonly #plan: Plan;
  readonly #planned: ReadonlyMap<string, PlannedPeriod>;
  readonly #blocked: ReadonlyMap<string, string>;

  constructor(input: JudgeInput) {
    this.#input = input;
    this.#good = goodSpans(input);
    this.#plan = plan({
      ...input,
      nowMs: input.state.nowMs,
      ledger: input.state.ranges,
      stale: input.state.stale,
      coarsest: 'month',
      failed: new Set(),
    });
    this.#planned = new Map(this.#plan.build.map((period) => [periodKey(period), period]));
    this.#blocked = new Map(
      this.#plan.blocked.map(({ period, because }) => [periodKey(period), because]),
    );
  }

  /** What the expected periods and those in the ledger cover, in time order; the present period too. */
  known(granularity: Granularity): Span[] {
    const { originAtMs, calendar, state } = this.#input;
    const inLedger = state.ranges[granularity];
    if (originAtMs === null) return [...inLedger];
    const expected = {
      startAtMs: calendar.startOf(granularity, originAtMs),
      endAtMs: calendar.periodAt(granularity, state.nowMs).endAtMs,
    };
    if (expected.startAtMs >= expected.endAtMs) return [...inLedger];
    return [...subtract(inLedger, [expected]), expected].sort((a, b) => a.startAtMs - b.startAtMs);
  }

  judge(period: Period): JudgedPeriod {
    const { state: ledger, graceMs, calendar, failures, locked } = this.#input;
    const key = periodKey(period);
    const isGood = covers(this.#good[period.granularity], period);
    const isInLedger = covers(ledger.ranges[period.granularity], period);
    const failure = failures.get(key);
    const dueAtMs = period.endAtMs + graceMs;
    const judged = (state: PeriodState, because: string): JudgedPeriod => {
      const isFinding = state === 'failed' || (!isGood && state !== 'provisional');
      const mend = isFinding && state !== 'building' ? this.#mend(period, isGood) : '';
      const openBackfill = mend === 'open backfill' ? this.#openBackfill(period) : null;
      return { ...period, state, because, mend, openBackfill, isFinding };
    };
    if (locked.has(key)) return judged('building', 'it is being built just now');
    if (failure !== undefined) return judged('failed', failure);
    if (isInLedger && isGood) return judged('good', '');
    if (isInLedger) return judged('stale', this.#staleBecause(period));
    if (period.endAtMs > ledger.nowMs) return judged('provisional', 'it is not over yet');
    if (dueAtMs > ledger.nowMs) {
      return judged('provisional', `it is over, and due at ${calendar.localText(dueAtMs)}`);
    }
    return judged('missing', this.#blocked.get(key) ?? 'it is not in the ledger');
  }

  #mend(period: Period, isGood: boolean): JudgedPeriod['mend'] {
    if (isGood) return 'backfill all';
    const key = periodKey(period);
    const { state, originAtMs } = this.#input;
    if (this.#planned.has(key)) return 'by itself';
    if (this.#openBackfill(period) !== null) return 'open backfill';
    const isStale = covers(state.ranges[period.granularity], period);
    return isStale && originAtMs !== null && !this.#blocked.has(key) ? 'by itself' : 'backfill';
  }

  #openBackfill(period: Period): OpenBackfill | null {
    const { leftOut } = this.#input;
    return leftOut.find((span) => intersection(span, period) !== null) ?? null;
  }

  #staleBecause(period: Period): string {
    const own =
      this.#planned.get(periodKey(period))?.because ?? this.#blocked.get(periodKey(period));
    if (own !== undefined) return own;
    const { state, calendar } = this.#input;
    const part = PART_OF[period.granularity];
    if (part === null) {
      const chain = state.ranges.hour.find((range) => contains(range, period));
      const first = state.stale.find(
        (one) => one.granularity === 'hour' && chain !== undefined && contains(chain, one),
      );
      return `hour ${first?.label ?? '?'} before it is stale, and what it carries on may change`;
    }
    const [bad] = subtract([period], this.#good[part]);
    if (bad === undefined) return 'its parts changed since it was aggregated';
    return `${part} ${calendar.periodAt(part, bad.startAtMs).label} in it is not good`;
  }
}

/**
 * Spans that hold the good periods, and what lies before the origin beside them: a period is good when it is in the
 * ledger and lies in one of these. In time order.
 */
export function goodSpans(
  input: Pick<JudgeInput, 'state' | 'calendar' | 'originAtMs'>,
): Record<Granularity, Span[]> {
  return goodForReaders(withPast(input), input.calendar);
}

/**
 * The ledger as if all that lies before the origin were in it, as far back as the week and the month of the origin
 * begin: a period that contains the origin is made of what lies after it, and is good when that is.
 */
function withPast({
  state,
  calendar,
  originAtMs,
}: Pick<JudgeInput, 'state' | 'calendar' | 'originAtMs'>): LedgerState {
  if (originAtMs === null) return state;
  const pastStartMs = Math.min(
    calendar.startOf('week', originAtMs),
    calendar.startOf('month', originAtMs),
  );
  const ranges = Object.fromEntries(
    GRANULARITIES.map((granularity) => {
      const past = { startAtMs: pastStartMs, endAtMs: calendar.startOf(granularity, originAtMs) };
      const isPart = granularity === 'hour' || granularity === 'day';
      const own = state.ranges[granularity];
      return [granularity, isPart && past.startAtMs < past.endAtMs ? union([...own, past]) : own];
    }),
  ) as Record<Granularity, readonly Span[]>;
  return { ...state, ranges };
}
