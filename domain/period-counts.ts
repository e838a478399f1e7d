/**
 * How many periods of the books are good, missing, stale or failed, and how old the newest good hour is. Pure, by
 * ranges: the judgement of one period, with its reasons, is domain/period-state.ts, and both agree.
 */
import type { Calendar } from './calendar.js';
import type { LedgerState } from './ledger.js';
import { GRANULARITIES, type Granularity, type PeriodKey, type Span } from './period.js';
import { goodSpans } from './period-state.js';
import { expectedSpan } from './reach.js';
import { covers, subtract, union } from './spans.js';

/** The states that are counted: a period that is not due has none, one that is being built has its last one. */
export const COUNTED_STATES = ['good', 'missing', 'stale', 'failed'] as const;
export type PeriodCounts = Readonly<Record<(typeof COUNTED_STATES)[number], number>>;

export interface CountsInput {
  readonly state: LedgerState;
  readonly calendar: Calendar;
  /** Null: the books have not begun, nothing is expected. */
  readonly originAtMs: number | null;
  readonly graceMs: number;
  /** Periods that failed after they were last aggregated, each once. */
  readonly failed: readonly PeriodKey[];
}

/**
 * The periods in the ledger and those that are due, by granularity and state. A period that failed is counted as
 * failed and nothing else.
 */
export function countPeriods(input: CountsInput): Record<Granularity, PeriodCounts> {
  const good = goodSpans(input);
  const counts = GRANULARITIES.map((granularity) => [
    granularity,
    countGranularity(input, granularity, good[granularity]),
  ]);
  return Object.fromEntries(counts) as Record<Granularity, PeriodCounts>;
}

function countGranularity(
  { state, calendar, originAtMs, graceMs, failed }: CountsInput,
  granularity: Granularity,
  goodOrPast: readonly Span[],
): PeriodCounts {
  const { nowMs } = state;
  const inLedger = state.ranges[granularity];
  const stale = subtract(inLedger, goodOrPast);
  const moment = originAtMs === null ? null : { calendar, originAtMs, nowMs, graceMs };
  const due = moment === null ? null : expectedSpan(moment, granularity);
  const over = moment === null ? null : expectedSpan({ ...moment, graceMs: 0 }, granularity);
  const missing = due === null ? [] : subtract([due], inLedger);
  const failures = failed
    .filter((one) => one.granularity === granularity)
    .map(({ startAtMs }) => calendar.periodAt(granularity, startAtMs))
    .filter((period) => period.endAtMs <= nowMs);
  const failuresIn = (spans: readonly Span[]): number => {
    const all = union(spans);
    return failures.filter((period) => covers(all, period)).length;
  };
  const counted = (spans: readonly Span[]): number =>
    countOver(calendar, granularity, spans, nowMs) - failuresIn(spans);
  const staleCount = counted(stale);
  return {
    good: counted(inLedger) - staleCount,
    missing: counted(missing),
    stale: staleCount,
    failed: failuresIn([...inLedger, ...(over === null ? [] : subtract([over], inLedger))]),
  };
}

/** How many periods that are over lie in the spans. */
function countOver(
  calendar: Calendar,
  granularity: Granularity,
  spans: readonly Span[],
  nowMs: number,
): number {
  let count = 0;
  for (const { startAtMs, endAtMs } of spans) {
    const span = { startAtMs, endAtMs: Math.min(endAtMs, nowMs) };
    count += calendar.countWithin(granularity, span);
  }
  return count;
}

/**
 * Now minus the end of the newest good hour, in ms. When none is good: now minus the start of the first expected hour.
 * 0 when no hour is due yet and none is good.
 */
export function newestGoodHourLagMs(input: CountsInput): number {
  const { state, calendar, originAtMs, graceMs } = input;
  const inLedger = state.ranges.hour;
  const newest = subtract(inLedger, subtract(inLedger, goodSpans(input).hour)).at(-1);
  if (newest !== undefined) return Math.max(0, state.nowMs - newest.endAtMs);
  if (originAtMs === null) return 0;
  const due = expectedSpan({ calendar, originAtMs, nowMs: state.nowMs, graceMs }, 'hour');
  return due === null ? 0 : state.nowMs - due.startAtMs;
}
