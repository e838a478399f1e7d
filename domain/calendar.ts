/**
 * The calendar: the only owner of where hours, days, weeks and months begin and end (G4).
 * Definition, proved in every zone: DESIGN section 4. Hour = the largest interval around an instant
 * with constant UTC offset and constant local hour. Day, ISO week and month labelled L =
 * `[reach(L), reach(next L))`, where reach(L) is the first instant at which the local clock shows
 * L 00:00 or later; a label that nobody reaches has no period.
 * It does not own zone data (domain/zone-segments.ts) nor texts that people write (domain/time-text.ts).
 * Known time line: 1990 to 2100; instants far outside it are refused with TIME_RANGE.
 */
import {
  civilDate,
  dateText,
  dayNumber,
  isoWeek,
  mondayOf,
  pad,
  weekNumber,
} from './civil-date.js';
import { JobhoursError } from './errors.js';
import type { Granularity, Period, Span } from './period.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from './units.js';
import { canonicalZone } from './zone-name.js';
import { ZoneSegments } from './zone-segments.js';

type DateGranularity = Exclude<Granularity, 'hour'>;

/** The labels of one granularity, numbered without gaps. */
interface Labels {
  /** The number of the label to which a date belongs. */
  numberOf(day: number): number;
  /** The first date of a label. */
  firstDay(number: number): number;
  text(number: number): string;
}

const LABELS: Readonly<Record<DateGranularity, Labels>> = {
  day: { numberOf: (day) => day, firstDay: (day) => day, text: dateText },
  week: {
    numberOf: weekNumber,
    firstDay: mondayOf,
    text: (number) => {
      const { year, week } = isoWeek(number);
      return `${pad(year, 4)}-W${pad(week, 2)}`;
    },
  },
  month: {
    numberOf: (day) => {
      const { year, month } = civilDate(day);
      return year * 12 + month - 1;
    },
    firstDay: (number) =>
      dayNumber({ year: Math.floor(number / 12), month: (number % 12) + 1, day: 1 }),
    text: (number) => `${pad(Math.floor(number / 12), 4)}-${pad((number % 12) + 1, 2)}`,
  },
};

const calendars = new Map<string, Calendar>();

export class Calendar {
  /** Canonical IANA name: `Asia/Calcutta` and `Asia/Kolkata` give one text, and one calendar. */
  readonly zone: string;
  /** What the local clock shows when. */
  readonly segments: ZoneSegments;
  #dayText = { day: Number.NaN, text: '' };

  private constructor(zone: string) {
    this.zone = zone;
    this.segments = new ZoneSegments(zone);
  }

  /** The calendar of an IANA zone, one object per canonical name. ZONE_UNKNOWN (B13, B15). */
  static of(zone: string): Calendar {
    const canonical = canonicalZone(zone);
    let calendar = calendars.get(canonical);
    if (calendar === undefined) {
      calendar = new Calendar(canonical);
      calendars.set(canonical, calendar);
    }
    return calendar;
  }

  /** The period that contains the instant. */
  periodAt(granularity: Granularity, atMs: number): Period {
    if (granularity === 'hour') {
      const { startAtMs, endAtMs } = this.#hourAt(atMs);
      return { granularity, startAtMs, endAtMs, label: this.#hourLabel(startAtMs) };
    }
    return this.#periodOfNumber(granularity, this.#numberAt(granularity, atMs));
  }

  /** The start of the period that contains the instant. */
  startOf(granularity: Granularity, atMs: number): number {
    if (granularity === 'hour') return this.#hourAt(atMs).startAtMs;
    return this.#reach(granularity, this.#numberAt(granularity, atMs));
  }

  /** The period that begins where `period`, one of this calendar, ends. */
  next(period: Period): Period {
    const next = this.periodAt(period.granularity, period.endAtMs);
    if (next.startAtMs !== period.endAtMs || next.endAtMs <= period.endAtMs) {
      throw this.#notTiling(period, next);
    }
    return next;
  }

  /** The period that ends where `period`, one of this calendar, begins. */
  previous(period: Period): Period {
    const previous = this.periodAt(period.granularity, period.startAtMs - 1);
    if (previous.endAtMs !== period.startAtMs || previous.startAtMs >= period.startAtMs) {
      throw this.#notTiling(period, previous);
    }
    return previous;
  }

  /** All periods that share an instant with the span, in time order; none when it is empty. */
  *periodsTouching(granularity: Granularity, span: Span): Generator<Period> {
    if (span.startAtMs >= span.endAtMs) return;
    let period = this.periodAt(granularity, span.startAtMs);
    while (period.startAtMs < span.endAtMs) {
      yield period;
      period = this.next(period);
    }
  }

  /** The periods that lie wholly in the span, in time order. */
  *periodsWithin(granularity: Granularity, span: Span): Generator<Period> {
    for (const period of this.periodsTouching(granularity, span)) {
      if (period.endAtMs > span.endAtMs) return;
      if (period.startAtMs >= span.startAtMs) yield period;
    }
  }

  /** How many periods lie wholly in the span; hours by arithmetic, so that ten years of them cost nothing. */
  countWithin(granularity: Granularity, span: Span): number {
    let count = 0;
    if (granularity !== 'hour') {
      for (const _ of this.periodsWithin(granularity, span)) count += 1;
      return count;
    }
    const whole = {
      startAtMs: this.#hourAt(span.startAtMs - 1).endAtMs,
      endAtMs: this.startOf('hour', span.endAtMs),
    };
    for (const { startAtMs, endAtMs, offsetMs } of this.segments.within(whole)) {
      const firstHour = Math.floor((startAtMs + offsetMs) / MS_PER_HOUR);
      count += Math.ceil((endAtMs + offsetMs) / MS_PER_HOUR) - firstHour;
    }
    return count;
  }

  /**
   * The period of a local date (its day number, domain/civil-date.ts), of the week or of the month
   * to which that date belongs; null when the zone skipped the whole of it.
   */
  periodOfDate(granularity: DateGranularity, day: number): Period | null {
    const period = this.#periodOfNumber(granularity, LABELS[granularity].numberOf(day));
    return period.startAtMs < period.endAtMs ? period : null;
  }

  /** UTC offset at an instant: `+08:00`, `-03:30`, for UTC `+00:00`. */
  offsetText(atMs: number): string {
    return formatOffset(this.segments.at(atMs).offsetMs);
  }

  /** ISO 8601 local time with offset: `2026-01-31T15:00+08:00` for a whole minute, else `2026-01-31T15:00:00.001+08:00`. */
  localText(atMs: number): string {
    const { offsetMs } = this.segments.at(atMs);
    const text = instantText(atMs + offsetMs).slice(0, -1);
    return text.replace(/:00\.000$/, '') + formatOffset(offsetMs);
  }

  /**
   * The coarsest of 60, 30 and 15 minutes on whose UTC grid every hour boundary in `[fromMs, toMs)`
   * falls. Changes of the clocks at 00:01 (St_Johns until 2011) fit no grid: 15.
   */
  hourBoundaryMinutes(fromMs: number, toMs: number): 15 | 30 | 60 {
    let grid: 15 | 30 | 60 = 60;
    for (const { startAtMs, endAtMs, offsetMs } of this.segments.within({
      startAtMs: fromMs,
      endAtMs: toMs,
    })) {
      const localHour = Math.ceil((startAtMs + offsetMs) / MS_PER_HOUR) * MS_PER_HOUR - offsetMs;
      const boundaries = localHour < endAtMs ? [localHour] : [];
      if (startAtMs > fromMs) boundaries.push(startAtMs);
      for (const boundary of boundaries) {
        if (boundary % (30 * MS_PER_MINUTE) !== 0) return 15;
        if (boundary % MS_PER_HOUR !== 0) grid = 30;
      }
    }
    return grid;
  }

  #hourAt(atMs: number): Span {
    const { startAtMs, endAtMs, offsetMs } = this.segments.at(atMs);
    const localHour = Math.floor((atMs + offsetMs) / MS_PER_HOUR) * MS_PER_HOUR - offsetMs;
    return {
      startAtMs: Math.max(startAtMs, localHour),
      endAtMs: Math.min(endAtMs, localHour + MS_PER_HOUR),
    };
  }

  #hourLabel(startAtMs: number): string {
    const { offsetMs } = this.segments.at(startAtMs);
    const localMs = startAtMs + offsetMs;
    const day = Math.floor(localMs / MS_PER_DAY);
    if (this.#dayText.day !== day) this.#dayText = { day, text: dateText(day) };
    const minutes = Math.floor((localMs - day * MS_PER_DAY) / MS_PER_MINUTE);
    const clock = `${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`;
    return `${this.#dayText.text}T${clock}${formatOffset(offsetMs)}`;
  }

  /** The number of the latest label already reached. It exceeds the clock's while a midnight repeats. */
  #numberAt(granularity: DateGranularity, atMs: number): number {
    const localMs = atMs + this.segments.at(atMs).offsetMs;
    let number = LABELS[granularity].numberOf(Math.floor(localMs / MS_PER_DAY));
    while (this.#reach(granularity, number + 1) <= atMs) number += 1;
    return number;
  }

  #reach(granularity: DateGranularity, number: number): number {
    return this.segments.reach(LABELS[granularity].firstDay(number) * MS_PER_DAY);
  }

  #periodOfNumber(granularity: DateGranularity, number: number): Period {
    return {
      granularity,
      startAtMs: this.#reach(granularity, number),
      endAtMs: this.#reach(granularity, number + 1),
      label: LABELS[granularity].text(number),
    };
  }

  /** Guards every walk: with a wrong neighbour a loop over periods might never end. */
  #notTiling(period: Period, neighbour: Period): JobhoursError {
    return new JobhoursError(
      'UNEXPECTED',
      `${period.granularity} ${period.label} is not followed or preceded by ${neighbour.label} in ${this.zone}`,
      { zone: this.zone, period, neighbour },
    );
  }
}

function formatOffset(offsetMs: number): string {
  const minutes = Math.floor(Math.abs(offsetMs) / MS_PER_MINUTE);
  const sign = offsetMs < 0 ? '-' : '+';
  return `${sign}${pad(Math.floor(minutes / 60), 2)}:${pad(minutes % 60, 2)}`;
}
