/**
 * Texts and numbers that name one instant -> integer ms. Owns the accepted forms, the truncation to
 * ms and the answers B4-B12. Nothing here depends on the present time or on the zone of the process.
 * Windows, ranges and labels are in domain/time-text.ts.
 */
import { Calendar } from './calendar.js';
import { dayNumber, isCivilDate } from './civil-date.js';
import { type ErrorCode, JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';
import {
  EARLIEST_AT_MS,
  instantText,
  LATEST_AT_MS,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
} from './units.js';

export interface InstantContext {
  /** Zone in which a text without offset is read; absent or null: it is refused. */
  readonly zone?: string | null | undefined;
  /** Name of the field or flag, for messages. */
  readonly field: string;
}

const ISO_TEXT =
  /^([+-]?\d{4,6})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?: ?([Zz]|[+-]\d\d(?::?\d\d)?))?)?$/;
const DECIMAL_TEXT = /^([+-]?)(\d{1,20})(?:\.(\d*))?$/;
const MAX_OFFSET_MS = 18 * MS_PER_HOUR;
const MAX_CHARACTERS = 100;

/** What an ISO text says before a zone is applied. */
interface LocalTime {
  readonly day: number;
  /** Null for a date alone. */
  readonly inDayMs: number | null;
  readonly offsetMs: number | null;
}

/**
 * The instant that an ISO 8601 date or date-time names, in ms; finer fractions are cut off (B12).
 * Without offset it is read in `zone`; a date alone is the first instant of that date there.
 * TIME_INVALID (B6, B11), TIME_UNIT for a bare number, TIME_RANGE outside 1990 to 2100 (B4, B5),
 * TIME_LEAP_SECOND (B10), TIME_ZONE_MISSING (B7), TIME_AMBIGUOUS (B8), TIME_NONEXISTENT (B9),
 * PERIOD_DOES_NOT_EXIST for a date that the zone skipped, ZONE_UNKNOWN.
 */
export function parseInstant(text: string, context: InstantContext): number {
  const refuse = refusalOf(text, context.field);
  const local = parseLocalTime(text.trim(), refuse);
  const atMs = instantOf(local, context.zone ?? null, refuse);
  return checkedRange(atMs, refuse);
}

/**
 * The instant `originAtMs` + a decimal number of seconds or ms, cut down to whole ms without ever
 * becoming a float. TIME_INVALID when it is no plain decimal (NaN, 1e12, empty: B11), TIME_RANGE
 * outside 1990 to 2100, TIME_UNIT when, counted from 1970, it fits another unit better.
 */
export function parseNumericInstant(
  text: string,
  unit: 's' | 'ms',
  originAtMs: number,
  field: string,
): number {
  const refuse = refusalOf(text, field);
  const match = text.length <= MAX_CHARACTERS ? DECIMAL_TEXT.exec(text.trim()) : null;
  if (match === null) {
    throw refuse('TIME_INVALID', `is not a plain decimal number of ${UNIT_NAMES[unit]}`);
  }
  const [, sign, whole = '', fraction = ''] = match;
  const kept = unit === 's' ? 3 : 0;
  const sizeMs = BigInt(whole + fraction.slice(0, kept).padEnd(kept, '0'));
  const cutsBelowZero = sign === '-' && /[1-9]/.test(fraction.slice(kept));
  const amountMs = sign === '-' ? -sizeMs - (cutsBelowZero ? 1n : 0n) : sizeMs;
  const atMs = BigInt(originAtMs) + amountMs;
  if (atMs >= EARLIEST_AT_MS && atMs < LATEST_AT_MS) return Number(atMs);
  const likely = originAtMs === 0 ? unitThatFits(Number(whole)) : null;
  if (likely !== null) {
    throw refuse('TIME_UNIT', `looks like ${likely} since 1970, declared were ${UNIT_NAMES[unit]}`);
  }
  throw refuse('TIME_RANGE', 'lies outside the years 1990 to 2100');
}

const UNIT_NAMES = { s: 'seconds', ms: 'milliseconds' } as const;

/** The unit in which a number counted from 1970 falls into 1990 to 2100; at most one does. */
function unitThatFits(size: number): string | null {
  const units = { seconds: 1e3, milliseconds: 1, microseconds: 1e-3, nanoseconds: 1e-6 };
  for (const [name, ms] of Object.entries(units)) {
    if (size * ms >= EARLIEST_AT_MS && size * ms < LATEST_AT_MS) return name;
  }
  return null;
}

type Refusal = (code: ErrorCode, rule: string) => JobhoursError;

function refusalOf(text: string, field: string): Refusal {
  return (code, rule) =>
    new JobhoursError(code, `${field} ${quotedValue(text)} ${rule}`, {
      field,
      value: text.slice(0, MAX_CHARACTERS),
    });
}

function parseLocalTime(text: string, refuse: Refusal): LocalTime {
  const match = text.length <= MAX_CHARACTERS ? ISO_TEXT.exec(text) : null;
  if (match === null) throw notIso(text, refuse);
  const [, yearText, monthText, dayText, hourText, minuteText, secondText, fraction, offset] =
    match;
  const date = { year: Number(yearText), month: Number(monthText), day: Number(dayText) };
  if (!isCivilDate(date)) throw refuse('TIME_INVALID', 'names a date that does not exist');
  if (date.year < 1989 || date.year > 2101) {
    throw refuse('TIME_RANGE', 'lies outside the years 1990 to 2100');
  }
  const day = dayNumber(date);
  if (hourText === undefined) return { day, inDayMs: null, offsetMs: null };
  const [hour, minute, second] = [Number(hourText), Number(minuteText), Number(secondText ?? 0)];
  if (hour > 23 || minute > 59 || second > 60) {
    throw refuse('TIME_INVALID', 'has no time of day from 00:00:00 to 23:59:59');
  }
  if (second === 60) {
    throw refuse('TIME_LEAP_SECOND', 'is a leap second, which has no instant: give second 59');
  }
  const ms = Number((fraction ?? '').slice(0, 3).padEnd(3, '0'));
  const inDayMs = hour * MS_PER_HOUR + minute * MS_PER_MINUTE + second * MS_PER_SECOND + ms;
  return { day, inDayMs, offsetMs: parseOffset(offset, refuse) };
}

function notIso(text: string, refuse: Refusal): JobhoursError {
  if (/^[+-]?infinity$/i.test(text)) {
    return refuse('TIME_RANGE', 'lies outside the years 1990 to 2100');
  }
  const unit = /^\d{9,20}$/.test(text) ? unitThatFits(Number(text)) : null;
  if (unit !== null) {
    return refuse('TIME_UNIT', `looks like ${unit} since 1970, expected was an ISO 8601 time`);
  }
  return refuse('TIME_INVALID', 'is no ISO 8601 time such as 2026-01-31T15:00:00+08:00');
}

function parseOffset(text: string | undefined, refuse: Refusal): number | null {
  if (text === undefined) return null;
  if (text === 'Z' || text === 'z') return 0;
  const minutes = Number(text.length > 3 ? text.slice(-2) : 0);
  const sizeMs = Number(text.slice(1, 3)) * MS_PER_HOUR + minutes * MS_PER_MINUTE;
  if (minutes > 59 || sizeMs > MAX_OFFSET_MS) {
    throw refuse('TIME_INVALID', `has an offset that does not exist: ${text}`);
  }
  return text.startsWith('-') ? -sizeMs : sizeMs;
}

function instantOf(local: LocalTime, zone: string | null, refuse: Refusal): number {
  const localMs = local.day * MS_PER_DAY + (local.inDayMs ?? 0);
  if (local.offsetMs !== null) return localMs - local.offsetMs;
  if (zone === null) {
    throw refuse('TIME_ZONE_MISSING', 'has no offset: add one such as +08:00, or give --zone');
  }
  const calendar = Calendar.of(zone);
  if (local.inDayMs !== null) return instantShowing(localMs, calendar, refuse);
  const period = calendar.periodOfDate('day', local.day);
  if (period === null) {
    throw refuse('PERIOD_DOES_NOT_EXIST', `is a date that ${calendar.zone} skipped`);
  }
  return period.startAtMs;
}

function instantShowing(localMs: number, calendar: Calendar, refuse: Refusal): number {
  const [first, second] = calendar.segments.instantsShowing(localMs);
  if (first !== undefined && second === undefined) return first;
  if (first !== undefined && second !== undefined) {
    const offsets = `${calendar.offsetText(first)} or ${calendar.offsetText(second)}`;
    throw refuse('TIME_AMBIGUOUS', `happens twice in ${calendar.zone}: give ${offsets}`);
  }
  const skipped = calendar.segments.skippedAround(localMs);
  const stretch =
    skipped === null
      ? ''
      : ` (${clockText(skipped.startLocalMs)} to ${clockText(skipped.endLocalMs)})`;
  throw refuse(
    'TIME_NONEXISTENT',
    `was skipped by a change of the clocks in ${calendar.zone}${stretch}`,
  );
}

/** Local ms as `2026-03-29 02:00`. */
function clockText(localMs: number): string {
  return instantText(localMs).slice(0, 16).replace('T', ' ');
}

function checkedRange(atMs: number, refuse: Refusal): number {
  if (atMs >= EARLIEST_AT_MS && atMs < LATEST_AT_MS) return atMs;
  throw refuse('TIME_RANGE', 'lies outside the years 1990 to 2100');
}
