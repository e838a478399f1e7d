/**
 * Which periods are expected, when they are due, and how far back missing ones are mended without being
 * asked for (DESIGN section 7). Owns these bounds only; what is built and in which order is domain/plan.ts.
 */
import type { Calendar } from './calendar.js';
import { GRANULARITIES, PART_OF, type Granularity, type Span } from './period.js';

/** Due periods that are looked back at, however short the catch-up is (S0 3.1). */
export const LOOK_BACK: Readonly<Record<Granularity, number>> = {
  hour: 24,
  day: 5,
  week: 2,
  month: 1,
};

/** Books at one instant. */
export interface Moment {
  readonly calendar: Calendar;
  /** Instant from which the books are kept. */
  readonly originAtMs: number;
  readonly nowMs: number;
  /** A period is due this long after its end. */
  readonly graceMs: number;
}

/** `a` is coarser than `b` when the difference is positive. */
export function compareGranularity(a: Granularity, b: Granularity): number {
  return GRANULARITIES.indexOf(a) - GRANULARITIES.indexOf(b);
}

/** The end of the newest due period: periods that end at or before it are due. */
export function dueEndAtMs(
  { calendar, nowMs, graceMs }: Omit<Moment, 'originAtMs'>,
  granularity: Granularity,
): number {
  return calendar.startOf(granularity, nowMs - graceMs);
}

/**
 * What the expected periods that are due cover: they end after the origin (so the first may begin before it)
 * and at least `graceMs` ago. Null when there is none.
 */
export function expectedSpan(moment: Moment, granularity: Granularity): Span | null {
  const startAtMs = moment.calendar.startOf(granularity, moment.originAtMs);
  const endAtMs = dueEndAtMs(moment, granularity);
  return startAtMs < endAtMs ? { startAtMs, endAtMs } : null;
}

/**
 * Start of the first period that is within reach: missing periods that begin there or later are mended by
 * themselves. That is the look-back or the catch-up, whichever is further back, and what a coarser period within
 * reach (up to `coarsest`) is made of. A period that contains the origin begins, for this, at the origin.
 *
 * The catch-up is not counted from the newest good period: the newest due hour is built first, so the rest of an
 * outage would fall out of reach as soon as the first batch of its mending is done.
 */
export function reachStartAtMs(
  moment: Moment & { readonly catchUpMs: number },
  granularity: Granularity,
  coarsest: Granularity,
): number {
  const wholes = GRANULARITIES.filter(
    (whole) => PART_OF[whole] === granularity && compareGranularity(whole, coarsest) <= 0,
  );
  return Math.min(
    ownReachStartAtMs(moment, granularity),
    ...wholes.map((whole) => reachStartAtMs(moment, whole, coarsest)),
  );
}

function ownReachStartAtMs(
  moment: Moment & { readonly catchUpMs: number },
  granularity: Granularity,
): number {
  const { calendar, originAtMs, nowMs, catchUpMs } = moment;
  let lookBackAtMs = dueEndAtMs(moment, granularity);
  for (let periods = 0; periods < LOOK_BACK[granularity]; periods += 1) {
    lookBackAtMs = calendar.startOf(granularity, lookBackAtMs - 1);
  }
  const reachAtMs = Math.min(lookBackAtMs, nowMs - catchUpMs);
  if (reachAtMs <= originAtMs) return calendar.startOf(granularity, originAtMs);
  const period = calendar.periodAt(granularity, reachAtMs);
  return period.startAtMs === reachAtMs ? reachAtMs : period.endAtMs;
}

/** The span that whole periods around `span` cover. `span` is not empty. */
export function widen(calendar: Calendar, granularity: Granularity, span: Span): Span {
  return {
    startAtMs: calendar.startOf(granularity, span.startAtMs),
    endAtMs: calendar.periodAt(granularity, span.endAtMs - 1).endAtMs,
  };
}
