/**
 * Spans and periods: half-open intervals of time. Owns their shapes and the arithmetic of two spans;
 * where periods begin and end is the calendar's (domain/calendar.ts).
 */

/** The four lengths of a period, finer first (DESIGN section 2). */
export const GRANULARITIES = ['hour', 'day', 'week', 'month'] as const;
export type Granularity = (typeof GRANULARITIES)[number];

/** `[startAtMs, endAtMs)`: start inclusive, end exclusive, integer ms since 1970 UTC. */
export interface Span {
  readonly startAtMs: number;
  readonly endAtMs: number;
}

/** A span of the calendar. Its key is `(granularity, startAtMs)`; the label is text for people. */
export interface Period extends Span {
  readonly granularity: Granularity;
  /** Hour `2026-01-31T15:00+08:00`, day `2026-01-31`, week `2026-W05`, month `2026-01`. */
  readonly label: string;
}

/** What names a period. */
export type PeriodKey = Pick<Period, 'granularity' | 'startAtMs'>;

export function isSamePeriod(a: PeriodKey, b: PeriodKey): boolean {
  return a.granularity === b.granularity && a.startAtMs === b.startAtMs;
}

/** What a coarser period is the sum of: weeks and months are made of days, days of hours. */
export const PART_OF: Readonly<Record<Granularity, Granularity | null>> = {
  hour: null,
  day: 'hour',
  week: 'day',
  month: 'day',
};

/** The part of `a` that lies in `b`, or null when they share no instant. */
export function intersection(a: Span, b: Span): Span | null {
  const startAtMs = Math.max(a.startAtMs, b.startAtMs);
  const endAtMs = Math.min(a.endAtMs, b.endAtMs);
  return startAtMs < endAtMs ? { startAtMs, endAtMs } : null;
}

/** True when every instant of `inner` lies in `outer`. */
export function contains(outer: Span, inner: Span): boolean {
  return outer.startAtMs <= inner.startAtMs && inner.endAtMs <= outer.endAtMs;
}
