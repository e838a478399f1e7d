/**
 * GPUs of a record as milli-GPUs (integer thousandths). Owns the decimal form and Slurm's TRES form.
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

/**
 * Allocated milli-GPUs in a TRES list such as `billing=10,cpu=10,gres/gpu=4,node=2`: the untyped count, else the
 * sum of the typed ones (`gres/gpu:a100=2`), else 0. Both stand side by side when a site tracks types.
 */
export function allocatedMilliGpus(tres: string, field: string): number {
  if (!tres.includes('gres/gpu')) return 0;
  let typed = 0;
  for (const entry of tres.split(',')) {
    const [name = '', count = ''] = entry.split('=', 2);
    if (name === 'gres/gpu') return milliGpusOf(count, field);
    if (name.startsWith('gres/gpu:')) typed += milliGpusOf(count, field);
  }
  if (typed > MAX_GPUS * 1_000) milliGpusOf(String(typed / 1_000), field);
  return typed;
}
