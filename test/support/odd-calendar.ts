/**
 * Periods that no zone has in such number: hours of 1, 30, 59 and 60 minutes, days of a few of them, weeks and months
 * of days that do not end together. Owns only where they lie; they are built like any other.
 */
import { contains, GRANULARITIES, PART_OF } from '../../domain/period.js';
import type { Granularity, Period, Span } from '../../domain/period.js';
import { MS_PER_MINUTE } from '../../domain/units.js';
import type { SeededRandom } from './seeded-random.js';

const HOUR_MINUTES = [1, 30, 59, 60, 60] as const;
const HOURS = 20;
/** Quarter-hours fit it, so that only the odd lengths bring boundaries off them. */
export const ODD_START_AT_MS = Date.UTC(2026, 0, 10);

export class OddCalendar implements Span {
  readonly startAtMs = ODD_START_AT_MS;
  readonly endAtMs: number;
  /** In time order. */
  readonly periods: Readonly<Record<Granularity, readonly Period[]>>;
  /** Finer before coarser, in time order. */
  readonly all: readonly Period[];

  constructor(random: SeededRandom) {
    let atMs = ODD_START_AT_MS;
    const hour = Array.from({ length: HOURS }, (_, n): Period => {
      const startAtMs = atMs;
      atMs += random.pick(HOUR_MINUTES) * MS_PER_MINUTE;
      return { granularity: 'hour', startAtMs, endAtMs: atMs, label: `h${n}` };
    });
    const day = joined('day', hour, 5, random);
    const week = joined('week', day, 2, random);
    const month = joined('month', day, 3, random);
    this.endAtMs = atMs;
    this.periods = { hour, day, week, month };
    this.all = GRANULARITIES.flatMap((granularity) => this.periods[granularity]);
  }

  partsOf(period: Period): readonly Period[] {
    const part = PART_OF[period.granularity];
    return part === null ? [] : this.periods[part].filter((one) => contains(period, one));
  }
}

/** Consecutive parts joined to periods of 1 to `2 * mean - 1` parts. */
function joined(
  granularity: Granularity,
  parts: readonly Period[],
  mean: number,
  random: SeededRandom,
): Period[] {
  const periods: Period[] = [];
  for (let from = 0; from < parts.length;) {
    const members = parts.slice(from, from + random.integer(1, 2 * mean - 1));
    const [first] = members;
    const last = members.at(-1);
    if (first === undefined || last === undefined) break;
    const { startAtMs } = first;
    periods.push({
      granularity,
      startAtMs,
      endAtMs: last.endAtMs,
      label: `${granularity} ${from}`,
    });
    from += members.length;
  }
  return periods;
}
