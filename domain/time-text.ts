/**
 * Texts that name windows, ranges and periods, as people write them on the command line, -> spans.
 * Owns the words and forms; single instants are domain/instant-text.ts's, boundaries the calendar's.
 * The present instant comes as an argument.
 */
import type { Calendar } from './calendar.js';
import { dayNumber, isCivilDate, isoWeeksInYear, mondayOf, weekNumberOfIso } from './civil-date.js';
import { isJobhoursError, JobhoursError } from './errors.js';
import { parseInstant } from './instant-text.js';
import type { Granularity, Period, Span } from './period.js';
import { quotedValue } from './quoted-value.js';
import { EARLIEST_AT_MS, LATEST_AT_MS, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from './units.js';

export { parseInstant, parseNumericInstant } from './instant-text.js';

/** Words for calendar periods: of that granularity, so many before the one that contains now. */
const WINDOW_WORDS: ReadonlyMap<string, { granularity: Granularity; back: 0 | 1 }> = new Map([
  ['today', { granularity: 'day', back: 0 }],
  ['yesterday', { granularity: 'day', back: 1 }],
  ['week', { granularity: 'week', back: 0 }],
  ['lastweek', { granularity: 'week', back: 1 }],
  ['month', { granularity: 'month', back: 0 }],
  ['lastmonth', { granularity: 'month', back: 1 }],
]);

const ROLLING_UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['m', MS_PER_MINUTE],
  ['h', MS_PER_HOUR],
  ['d', MS_PER_DAY],
]);

/**
 * The span of a `--window`: a word (calendar period of the zone; the present one ends at `nowMs`),
 * `30m 12h 7d` back from now (a day is 24 h), or `A,B` with instants, dates, local times or `now`.
 * FIELD_UNKNOWN with the words, RANGE_INVALID when it is empty, errors of parseInstant.
 */
export function parseWindow(text: string, calendar: Calendar, nowMs: number): Span {
  const written = text.trim();
  const word = WINDOW_WORDS.get(written);
  if (word !== undefined) return windowOfWord(word, calendar, nowMs);
  const rolling = /^(\d{1,9})([mhd])$/.exec(written);
  if (rolling !== null) {
    const lengthMs = Number(rolling[1]) * (ROLLING_UNIT_MS.get(rolling[2] ?? '') ?? 0);
    return checkedSpan(`--window ${quotedValue(text)}`, nowMs - lengthMs, nowMs);
  }
  const [start, end, ...rest] = written.split(',');
  if (start === undefined || end === undefined || rest.length > 0) {
    const words = [...WINDOW_WORDS.keys()].join(', ');
    throw new JobhoursError(
      'FIELD_UNKNOWN',
      `--window ${quotedValue(text)} is unknown: use ${words}, a length such as 30m, 12h or 7d, or two times A,B`,
      { field: '--window', value: text.slice(0, 100), words: [...WINDOW_WORDS.keys()] },
    );
  }
  const edge = (edgeText: string) => parseEdge(edgeText, '--window', calendar, nowMs);
  return checkedSpan(`--window ${quotedValue(text)}`, edge(start), edge(end));
}

/**
 * The edges that `--start` (inclusive) and `--end` (exclusive) name; those not given are absent.
 * Instants with offset, dates or local times of the calendar's zone, or `now`.
 * RANGE_INVALID when both are given and the end is not after the start (B39); errors of parseInstant.
 */
export function parseRange(
  start: string | undefined,
  end: string | undefined,
  calendar: Calendar,
  nowMs: number,
): { startAtMs?: number; endAtMs?: number } {
  const range: { startAtMs?: number; endAtMs?: number } = {};
  if (start !== undefined) range.startAtMs = parseEdge(start, '--start', calendar, nowMs);
  if (end !== undefined) range.endAtMs = parseEdge(end, '--end', calendar, nowMs);
  if (range.startAtMs !== undefined && range.endAtMs !== undefined) {
    const named = `--start ${quotedValue(start ?? '')}, --end ${quotedValue(end ?? '')}`;
    checkedSpan(named, range.startAtMs, range.endAtMs);
  }
  return range;
}

/**
 * The period with that label: hour `2026-01-31T15:00+08:00`, day `2026-01-31`, week `2026-W05`,
 * month `2026-01`. PERIOD_INVALID when the label is malformed, names no real date or week, or no
 * start of an hour; PERIOD_DOES_NOT_EXIST when the zone skipped it (B67); TIME_RANGE outside 1990 to 2100.
 */
export function parsePeriodLabel(
  granularity: Granularity,
  label: string,
  calendar: Calendar,
): Period {
  const written = label.trim();
  if (granularity === 'hour') return parseHourLabel(written, calendar);
  const day = FIRST_DAY_OF_LABEL[granularity](written);
  if (day === null) {
    throw labelError(
      'PERIOD_INVALID',
      granularity,
      label,
      `is not a real ${granularity}, such as ${EXAMPLES[granularity]}`,
    );
  }
  if (day < FIRST_DAY - 7 || day > LAST_DAY) throw labelOutside(granularity, label);
  const period = calendar.periodOfDate(granularity, day);
  if (period === null) {
    throw labelError(
      'PERIOD_DOES_NOT_EXIST',
      granularity,
      label,
      `was skipped in ${calendar.zone}`,
    );
  }
  if (period.endAtMs <= EARLIEST_AT_MS || period.startAtMs >= LATEST_AT_MS) {
    throw labelOutside(granularity, label);
  }
  return period;
}

const FIRST_DAY = Math.floor(EARLIEST_AT_MS / MS_PER_DAY);
const LAST_DAY = Math.floor(LATEST_AT_MS / MS_PER_DAY);

const EXAMPLES: Readonly<Record<Granularity, string>> = {
  hour: '2026-01-31T15:00+08:00',
  day: '2026-01-31',
  week: '2026-W05',
  month: '2026-01',
};

/** The first date of a label of each granularity, or null when it is not a real one. */
const FIRST_DAY_OF_LABEL: Readonly<
  Record<Exclude<Granularity, 'hour'>, (label: string) => number | null>
> = {
  day: (label) => firstDayOfDate(/^(\d{4})-(\d\d)-(\d\d)$/.exec(label)),
  week: (label) => {
    const match = /^(\d{4})-W(\d\d)$/.exec(label);
    const [year, week] = [Number(match?.[1]), Number(match?.[2])];
    if (match === null || week < 1 || week > isoWeeksInYear(year)) return null;
    return mondayOf(weekNumberOfIso(year, week));
  },
  month: (label) => firstDayOfDate(/^(\d{4})-(\d\d)$/.exec(label)),
};

function firstDayOfDate(match: RegExpExecArray | null): number | null {
  if (match === null) return null;
  const date = { year: Number(match[1]), month: Number(match[2]), day: Number(match[3] ?? 1) };
  return isCivilDate(date) ? dayNumber(date) : null;
}

function parseHourLabel(label: string, calendar: Calendar): Period {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d[+-]\d\d:\d\d$/.test(label)) {
    throw labelError('PERIOD_INVALID', 'hour', label, `is not of the form ${EXAMPLES.hour}`);
  }
  const period = calendar.periodAt('hour', instantOfHourLabel(label));
  if (period.label !== label) {
    throw labelError(
      'PERIOD_INVALID',
      'hour',
      label,
      `does not begin an hour in ${calendar.zone}: the hour that contains it is ${period.label}`,
    );
  }
  return period;
}

function instantOfHourLabel(label: string): number {
  try {
    return parseInstant(label, { field: 'hour' });
  } catch (error) {
    if (!isJobhoursError(error, 'TIME_INVALID')) throw error;
    throw labelError('PERIOD_INVALID', 'hour', label, 'names a date or time that does not exist');
  }
}

function labelOutside(granularity: Granularity, label: string): JobhoursError {
  return labelError('TIME_RANGE', granularity, label, 'lies outside the years 1990 to 2100');
}

function labelError(
  code: 'PERIOD_INVALID' | 'PERIOD_DOES_NOT_EXIST' | 'TIME_RANGE',
  granularity: Granularity,
  label: string,
  rule: string,
): JobhoursError {
  return new JobhoursError(code, `${granularity} ${quotedValue(label)} ${rule}`, {
    granularity,
    value: label.slice(0, 100),
  });
}

function windowOfWord(
  { granularity, back }: { granularity: Granularity; back: 0 | 1 },
  calendar: Calendar,
  nowMs: number,
): Span {
  const present = calendar.periodAt(granularity, nowMs);
  if (back === 1) {
    const { startAtMs, endAtMs } = calendar.previous(present);
    return { startAtMs, endAtMs };
  }
  return checkedSpan(`--window ${quotedValue(present.label)}`, present.startAtMs, nowMs);
}

function parseEdge(text: string, field: string, calendar: Calendar, nowMs: number): number {
  return text.trim() === 'now' ? nowMs : parseInstant(text, { zone: calendar.zone, field });
}

/** The span when it is one; `named`: the flags as they were given, for the message. */
function checkedSpan(named: string, startAtMs: number, endAtMs: number): Span {
  if (startAtMs < EARLIEST_AT_MS || endAtMs > LATEST_AT_MS) {
    throw new JobhoursError(
      'TIME_RANGE',
      `${named}: the range lies outside the years 1990 to 2100`,
      { value: named },
    );
  }
  if (startAtMs < endAtMs) return { startAtMs, endAtMs };
  throw new JobhoursError('RANGE_INVALID', `${named}: the range does not end after it starts`, {
    value: named,
    ...{ startAtMs, endAtMs },
  });
}
