/**
 * Units of time and of GPUs, and the only place where an amount becomes rounded text.
 * Instants and lengths are integer milliseconds; GPUs are integer thousandths (milli-GPUs).
 */

export const MS_PER_SECOND = 1_000;
export const MS_PER_MINUTE = 60_000;
export const MS_PER_HOUR = 3_600_000;
export const MS_PER_DAY = 86_400_000;

/** The first instant accepted in a record: 1990-01-01T00:00:00Z (inclusive). */
export const EARLIEST_AT_MS = 631_152_000_000;
/** The end of the accepted time line: 2101-01-01T00:00:00Z (exclusive). */
export const LATEST_AT_MS = 4_133_980_800_000;

/**
 * `amount / unit` as decimal text with `digits` digits, rounded half to even.
 * Exact: the division is done in integers. `unit` is positive.
 */
export function decimalText(amount: bigint, unit: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const negative = amount < 0n;
  const scaled = (negative ? -amount : amount) * scale;
  const rest = scaled % unit;
  let quotient = scaled / unit;
  const twice = rest * 2n;
  if (twice > unit || (twice === unit && quotient % 2n === 1n)) quotient += 1n;
  const whole = quotient / scale;
  const fraction = (quotient % scale).toString().padStart(digits, '0');
  const sign = negative && quotient > 0n ? '-' : '';
  return digits === 0 ? `${sign}${whole}` : `${sign}${whole}.${fraction}`;
}

/** Hours of a length in ms, 6 digits half to even unless told otherwise. */
export function hoursText(lengthMs: bigint, digits = 6): string {
  return decimalText(lengthMs, 3_600_000n, digits);
}

/** GPU-hours of an amount in milli-GPU-ms, 6 digits half to even unless told otherwise. */
export function gpuHoursText(milliGpuMs: bigint, digits = 6): string {
  return decimalText(milliGpuMs, 3_600_000_000n, digits);
}

/** Exact GPU-ms of an amount in milli-GPU-ms: at most 3 decimals, no trailing zeros. */
export function gpuMsText(milliGpuMs: bigint): string {
  return decimalText(milliGpuMs, 1_000n, 3).replace(/\.?0+$(?<=\.\d*)/, '');
}

/**
 * An instant as ISO 8601 UTC text with ms: `2026-01-31T15:00:00.000Z`, for the years 1970 to 9999.
 * Pure arithmetic (days to civil date, Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"),
 * because workflow code uses it too and must not depend on anything of its host.
 */
export function instantText(atMs: number): string {
  const days = Math.floor(atMs / MS_PER_DAY);
  const inDay = atMs - days * MS_PER_DAY;
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const pad = (value: number, width: number) => String(value).padStart(width, '0');
  const hours = Math.floor(inDay / MS_PER_HOUR);
  const minutes = Math.floor(inDay / MS_PER_MINUTE) % 60;
  const seconds = Math.floor(inDay / MS_PER_SECOND) % 60;
  return (
    `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}` +
    `T${pad(hours, 2)}:${pad(minutes, 2)}:${pad(seconds, 2)}.${pad(inDay % 1_000, 3)}Z`
  );
}
