/**
 * When the Schedules fire: an interval and its offset, as Temporal counts them from 1970 UTC. Owns this arithmetic;
 * the Schedules themselves are client/schedules.ts, what is due when one fires is domain/plan.ts.
 */
import type { Calendar } from './calendar.js';
import type { Granularity } from './period.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from './units.js';

/** Instants `offsetMs + n * everyMs` since 1970 UTC; `0 <= offsetMs < everyMs`. */
export interface Tick {
  readonly everyMs: number;
  readonly offsetMs: number;
}

/** The servers' clocks may differ a little: a tick that comes too early would be an hour late. */
const MARGIN_MS = 5 * MS_PER_SECOND;
/** How far the others come after the hourly one. */
const STAGGER_MS: Readonly<Record<Granularity, number>> = {
  hour: 0,
  day: 5 * MS_PER_MINUTE,
  week: 10 * MS_PER_MINUTE,
  month: 15 * MS_PER_MINUTE,
};
/** Hour boundaries are judged from a day back to a year ahead. */
const AHEAD_MS = 366 * MS_PER_DAY;

/** The audit's tick: once a day, between the other ticks; at night in Asia/Shanghai, the zone of embedded books. */
export const AUDIT_TICK: Tick = {
  everyMs: MS_PER_DAY,
  offsetMs: 18 * MS_PER_HOUR + 40 * MS_PER_MINUTE,
};

/**
 * The tick of a granularity at `nowMs`: every hour, the hourly one on every hour boundary of the zone, `graceMs` and a
 * margin after it.
 */
export function tickOf(
  calendar: Calendar,
  granularity: Granularity,
  graceMs: number,
  nowMs: number,
): Tick {
  const everyMs =
    granularity === 'hour'
      ? calendar.hourBoundaryMinutes(nowMs - MS_PER_DAY, nowMs + AHEAD_MS) * MS_PER_MINUTE
      : MS_PER_HOUR;
  return { everyMs, offsetMs: (graceMs + MARGIN_MS + STAGGER_MS[granularity]) % everyMs };
}

/** The first instant of the tick after `nowMs` (exclusive). */
export function nextTickAtMs({ everyMs, offsetMs }: Tick, nowMs: number): number {
  return Math.floor((nowMs - offsetMs) / everyMs) * everyMs + offsetMs + everyMs;
}
