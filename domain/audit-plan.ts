/**
 * Which periods an audit judges, which of them a sample draws, and in what chunks they are recomputed. Pure. What is
 * good for readers is domain/ledger.ts, comparing is db/period-audit.ts.
 */
import type { Calendar } from './calendar.js';
import { goodForReaders, type LedgerState } from './ledger.js';
import {
  contains,
  GRANULARITIES,
  intersection,
  type Granularity,
  type Period,
  type Span,
} from './period.js';
import { goodSpans } from './period-state.js';
import { periodKey } from './plan.js';
import { randomOf } from './random.js';
import { covers } from './spans.js';
import { EARLIEST_AT_MS, LATEST_AT_MS, MS_PER_DAY } from './units.js';

/** A period to judge. Usage counts from `fromAtMs`: its start, or the origin when that lies inside. */
export interface AuditedPeriod extends Period {
  readonly fromAtMs: number;
}

/** The books at one instant. */
export interface AuditMoment {
  readonly state: LedgerState;
  readonly calendar: Calendar;
  /** Null: the books have not begun. */
  readonly originAtMs: number | null;
}

/**
 * From which instant on the usage of a period counts; null for a period that readers would not take from the ledger,
 * which an audit does not judge. A period that contains the origin is made of what lies after it.
 */
export function countedFrom(moment: AuditMoment): (period: Period) => number | null {
  const { state, calendar, originAtMs } = moment;
  const whole = goodForReaders(state, calendar);
  const sinceOrigin = goodSpans(moment);
  return (period) => {
    const { granularity, startAtMs, endAtMs } = period;
    if (covers(whole[granularity], period)) return startAtMs;
    if (originAtMs === null || originAtMs <= startAtMs || originAtMs >= endAtMs) return null;
    const isGood = covers(sinceOrigin[granularity], period);
    return isGood && !hasPartsBefore(moment, startAtMs, originAtMs) ? originAtMs : null;
  };
}

/** True when the ledger holds hours or days between the start of a period and those that contain the origin. */
function hasPartsBefore(
  { state, calendar }: AuditMoment,
  startAtMs: number,
  originAtMs: number,
): boolean {
  return (['hour', 'day'] as const).some((granularity) => {
    const past = { startAtMs, endAtMs: calendar.startOf(granularity, originAtMs) };
    return state.ranges[granularity].some((range) => intersection(range, past) !== null);
  });
}

/** A row of the ledger as it stands there. */
export interface LedgerRow extends Span {
  readonly granularity: Granularity;
}

/** True when the row is exactly a period of the calendar; nothing outside of the accepted time line is. */
export function isPeriod(calendar: Calendar, row: LedgerRow): boolean {
  if (row.startAtMs < EARLIEST_AT_MS || row.endAtMs > LATEST_AT_MS) return false;
  const period = calendar.periodAt(row.granularity, row.startAtMs);
  return period.startAtMs === row.startAtMs && period.endAtMs === row.endAtMs;
}

/**
 * The periods of the range that can be judged, in time order within a granularity, how many others of the range are
 * over (expected ones and those in the ledger), and how many of those the ledger holds. Periods lie wholly in the range.
 */
export function auditable(
  moment: AuditMoment,
  ledger: readonly LedgerRow[],
  range: Span,
): {
  periods: AuditedPeriod[];
  notJudged: Record<Granularity, number>;
  staleNotJudged: number;
} {
  const { calendar, state, originAtMs } = moment;
  const from = countedFrom(moment);
  const periods: AuditedPeriod[] = [];
  const notJudged: Record<Granularity, number> = { hour: 0, day: 0, week: 0, month: 0 };
  let staleNotJudged = 0;
  for (const granularity of GRANULARITIES) {
    const left = new Set<string>();
    const expected = {
      startAtMs: originAtMs === null ? state.nowMs : calendar.startOf(granularity, originAtMs),
      endAtMs: state.nowMs,
    };
    const known = intersection(expected, range);
    if (known !== null) {
      for (const period of calendar.periodsWithin(granularity, known)) left.add(periodKey(period));
    }
    for (const row of ledger) {
      if (row.granularity !== granularity || !contains(range, row)) continue;
      if (row.endAtMs > state.nowMs || !isPeriod(calendar, row)) continue;
      const period = calendar.periodAt(granularity, row.startAtMs);
      const fromAtMs = from(period);
      if (fromAtMs === null) {
        left.add(periodKey(period));
        staleNotJudged += 1;
      } else {
        left.delete(periodKey(period));
        periods.push({ ...period, fromAtMs });
      }
    }
    notJudged[granularity] = left.size;
  }
  return { periods, notJudged, staleNotJudged };
}

/** `count` periods of each granularity drawn at random, all when there are no more. One seed draws the same ones. */
export function sampleOf(
  periods: readonly AuditedPeriod[],
  count: number,
  seed: number,
): AuditedPeriod[] {
  const random = randomOf(seed);
  return GRANULARITIES.flatMap((granularity) => {
    const left = periods.filter((period) => period.granularity === granularity);
    const drawn = Math.min(count, left.length);
    for (let n = 0; n < drawn; n += 1) {
      const other = n + Math.floor(random() * (left.length - n));
      const [a, b] = [left[n], left[other]];
      if (a !== undefined && b !== undefined) [left[n], left[other]] = [b, a];
    }
    return left.slice(0, drawn);
  });
}

/** Periods that are recomputed by one reading of the runs. */
export interface AuditChunk {
  readonly periods: readonly AuditedPeriod[];
  /** What they cover, in time order, without overlaps. */
  readonly spans: readonly Span[];
}

/** A month and the week that its last day begins in. */
const LONGEST_CHUNK_MS = 38 * MS_PER_DAY;

/**
 * Consecutive periods in time order, coarser ones first, that cover at most 38 days together: so a month, its weeks,
 * days and hours share one reading of the runs, and so do 25 hours of 25 different years.
 */
export function chunksOf(periods: readonly AuditedPeriod[]): AuditChunk[] {
  const chunks: { periods: AuditedPeriod[]; spans: Span[]; coveredMs: number }[] = [];
  const ordered = [...periods].sort((a, b) => a.startAtMs - b.startAtMs || b.endAtMs - a.endAtMs);
  for (const period of ordered) {
    let chunk = chunks.at(-1);
    const more = chunk === undefined ? 0 : uncoveredMs(chunk.spans, period);
    if (chunk === undefined || chunk.coveredMs + more > LONGEST_CHUNK_MS) {
      chunk = { periods: [], spans: [], coveredMs: 0 };
      chunks.push(chunk);
    }
    chunk.coveredMs += uncoveredMs(chunk.spans, period);
    chunk.periods.push(period);
    cover(chunk.spans, period);
  }
  return chunks;
}

/** How much of a span that begins no earlier than the spans is not covered by them. */
function uncoveredMs(spans: readonly Span[], { startAtMs, endAtMs }: Span): number {
  return Math.max(0, endAtMs - Math.max(startAtMs, spans.at(-1)?.endAtMs ?? startAtMs));
}

function cover(spans: Span[], { startAtMs, endAtMs }: Span): void {
  const last = spans.at(-1);
  if (last === undefined || startAtMs > last.endAtMs) spans.push({ startAtMs, endAtMs });
  else if (endAtMs > last.endAtMs) {
    spans[spans.length - 1] = { startAtMs: last.startAtMs, endAtMs };
  }
}
