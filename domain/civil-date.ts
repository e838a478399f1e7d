/**
 * Dates of the proleptic Gregorian calendar as day numbers (0 = 1970-01-01), and back.
 * Owns that arithmetic and the ISO week; knows no zone and no clock.
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"; ISO 8601 for weeks.
 */

export interface CivilDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
}

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Length of a month (1 to 12) in days. */
function daysInMonth(year: number, month: number): number {
  if (month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)) return 29;
  return DAYS_IN_MONTH[month - 1] ?? 0;
}

/** True when the calendar has that date: 2026-02-30 is none. */
export function isCivilDate({ year, month, day }: CivilDate): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

/** The day number of a date that exists. */
export function dayNumber({ year, month, day }: CivilDate): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The date of a day number. */
export function civilDate(dayNumberSince1970: number): CivilDate {
  const shifted = dayNumberSince1970 + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
  };
}

/** The week number of a day: 0 is the week whose Monday is 1969-12-29. */
export function weekNumber(day: number): number {
  return Math.floor((day + 3) / 7);
}

/** The day number of the Monday of a week number. */
export function mondayOf(week: number): number {
  return week * 7 - 3;
}

/** ISO year and week (1 to 53) of a week number: a week belongs to the year of its Thursday. */
export function isoWeek(week: number): { year: number; week: number } {
  const thursday = mondayOf(week) + 3;
  const { year } = civilDate(thursday);
  const newYear = dayNumber({ year, month: 1, day: 1 });
  return { year, week: Math.floor((thursday - newYear) / 7) + 1 };
}

/** The week number of an ISO year and week; week 1 is the one with 4 January. */
export function weekNumberOfIso(year: number, week: number): number {
  return weekNumber(dayNumber({ year, month: 1, day: 4 })) + week - 1;
}

/** 52 or 53: 28 December always lies in the last ISO week of its year. */
export function isoWeeksInYear(year: number): number {
  return isoWeek(weekNumber(dayNumber({ year, month: 12, day: 28 }))).week;
}

/** `2026-01-31`. */
export function dateText(day: number): string {
  const { year, month, day: dayOfMonth } = civilDate(day);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(dayOfMonth, 2)}`;
}

/** Decimal text with leading zeros. */
export function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
