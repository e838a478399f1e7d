/**
 * GPUs of a record as milli-GPUs (integer thousandths). Owns the decimal form; Slurm's lists are
 * domain/tres.ts.
 */
import { JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';

const MAX_GPUS = 100_000;
const DECIMAL = /^(\d{1,6})(?:\.(\d{1,3}))?$/;

/**
 * Milli-GPUs of a decimal text from 0 to 100000 with at most 3 digits after the point.
 * GPUS_INVALID for anything else: a sentinel, NaN or rounded number must never reach a sum.
 */
export function milliGpusOf(text: string, field: string): number {
  const match = DECIMAL.exec(text);
  const milliGpus =
    match === null
      ? Number.NaN
      : Number(match[1]) * 1_000 + Number((match[2] ?? '').padEnd(3, '0'));
  if (!(milliGpus <= MAX_GPUS * 1_000)) {
    throw new JobhoursError(
      'GPUS_INVALID',
      `${field} ${quotedValue(text)}: expected a decimal from 0 to ${MAX_GPUS} with at most 3 digits after the point`,
    );
  }
  return milliGpus;
}
