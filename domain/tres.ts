/**
 * Slurm's lists of trackable resources (TRES), such as `billing=10,cpu=10,gres/gpu:a100=2,node=1`, as milli-GPUs.
 * Owns which generic resources (gres) are GPUs and what one of each counts for; the decimal form is domain/gpus.ts.
 */
import { JobhoursError } from './errors.js';
import { milliGpusOf } from './gpus.js';
import { quotedValue } from './quoted-value.js';

/** Name of a gres without `gres/` -> milli-GPUs that one of it counts for. */
export type GresWeights = ReadonlyMap<string, number>;

/** What a TRES list says about GPUs. */
export interface AllocatedGpus {
  readonly milliGpus: number;
  /** Types of the GPUs, sorted, each once; empty when the list names none. */
  readonly types: readonly string[];
  /** Gres whose worth nobody has said: not counted, or for a slice of a GPU counted as a whole one. */
  readonly unknown: readonly string[];
}

const NO_GPUS: AllocatedGpus = { milliGpus: 0, types: [], unknown: [] };
/** Thousandths: milli-GPUs of one GPU, and how counts of devices are kept. */
const ONE = 1_000;
/** Most milli-GPUs of one record, and most that one gres may count for. */
const MAX_MILLI_GPUS = 100_000 * ONE;
/** Measurements that Slurm keeps beside the counts: no devices. */
const MEASUREMENTS = new Set(['gpumem', 'gpuutil']);
/** A slice of a GPU as NVIDIA names it: `a100_1g.5gb`, `1g.10gb+me`. */
const SLICE = /\dg\.\d+gb/i;
const GRES_NAME = /^[A-Za-z0-9_.+-]{1,100}(?::[A-Za-z0-9_.+-]{1,100})?$/;

/** The counts of one gres in thousandths: the untyped one, null when there is none, and those by type. */
interface Counts {
  untyped: number | null;
  readonly typed: Map<string, number>;
}

/**
 * GPUs in a TRES list. A gres of no weight counts 1 GPU each when it is `gpu` or a type of it, and nothing
 * otherwise. The untyped count stands beside the typed ones when a site tracks types, and includes them: then
 * only the difference of a type's weight is added. GPUS_INVALID when a count is no decimal, stands twice, or is smaller than its parts.
 */
export function allocatedGpus(tres: string, field: string, weights: GresWeights): AllocatedGpus {
  if (!tres.includes('gres/')) return NO_GPUS;
  let milliGpus = 0;
  const unknown: string[] = [];
  const types: string[] = [];
  for (const [name, counts] of countsOf(tres, field, weights, unknown)) {
    if (name === 'gpu') types.push(...counts.typed.keys());
    const parts = [...counts.typed.values()].reduce((sum, count) => sum + count, 0);
    if (counts.untyped !== null && counts.untyped < parts) {
      throw contradiction(field, tres, `gres/${name} is less than its types together`);
    }
    milliGpus += worthOf(name, counts, weights);
  }
  if (!Number.isInteger(milliGpus) || milliGpus < 0 || milliGpus > MAX_MILLI_GPUS) {
    throw new JobhoursError(
      'GPUS_INVALID',
      `${field} ${quotedValue(tres)}: its gres are no whole milli-GPUs from 0 to ${MAX_MILLI_GPUS}`,
    );
  }
  return { milliGpus, types: types.sort(), unknown };
}

function countsOf(
  tres: string,
  field: string,
  weights: GresWeights,
  unknown: string[],
): ReadonlyMap<string, Counts> {
  const found = new Map<string, Counts>();
  for (const part of tres.split(',')) {
    const entry = part.trim();
    if (!entry.startsWith('gres/')) continue;
    const [gres = '', count = ''] = entry.slice('gres/'.length).split('=', 2);
    const [name = '', type] = gres.split(':', 2);
    if (MEASUREMENTS.has(name)) continue;
    const isWeighed = weightOf(name, type, weights) !== null;
    if (!isWeighed && (name !== 'gpu' || SLICE.test(type ?? ''))) unknown.push(`gres/${gres}`);
    if (!isWeighed && name !== 'gpu') continue;
    const counts = found.get(name) ?? { untyped: null, typed: new Map<string, number>() };
    const thousandths = milliGpusOf(count, field);
    const isDoubled = type === undefined ? counts.untyped !== null : counts.typed.has(type);
    if (isDoubled) throw contradiction(field, tres, `gres/${gres} stands twice`);
    if (type === undefined) counts.untyped = thousandths;
    else counts.typed.set(type, thousandths);
    found.set(name, counts);
  }
  return found;
}

function contradiction(field: string, tres: string, what: string): JobhoursError {
  return new JobhoursError('GPUS_INVALID', `${field} ${quotedValue(tres)}: ${what}`);
}

/** The weight that was given for a gres: of its type, of its type's bare name, of the gres; null when none was. */
function weightOf(name: string, type: string | undefined, weights: GresWeights): number | null {
  const ofType = type === undefined ? undefined : weights.get(`${name}:${type}`);
  const ofBareType = type === undefined || name !== 'gpu' ? undefined : weights.get(type);
  return ofType ?? ofBareType ?? weights.get(name) ?? null;
}

/** Milli-GPUs of one gres; with a weight, counts that are no whole devices may come to a fraction of one. */
function worthOf(name: string, { untyped, typed }: Counts, weights: GresWeights): number {
  const unweighed = name === 'gpu' ? ONE : 0;
  const plain = weightOf(name, undefined, weights) ?? unweighed;
  let worth = (untyped ?? 0) * plain;
  for (const [type, thousandths] of typed) {
    const weight = weightOf(name, type, weights) ?? unweighed;
    worth += thousandths * (untyped === null ? weight : weight - plain);
  }
  return worth / ONE;
}

/**
 * The weights that texts such as `gpu:a100_1g.5gb=143` and `shard=250` name; `gres/` before the name may be left out.
 * USAGE for another form and for a name given twice, LIMIT_INVALID for another number than 0 to 100000000.
 */
export function gresWeightsOf(flag: string, texts: readonly string[]): GresWeights {
  const weights = new Map<string, number>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const name = text
      .slice(0, Math.max(0, at))
      .trim()
      .replace(/^gres\//, '');
    const milli = text.slice(at + 1).trim();
    if (!GRES_NAME.test(name)) {
      throw new JobhoursError(
        'USAGE',
        `${flag} ${quotedValue(text)}: expected NAME=milli-GPUs, such as gpu:a100_1g.5gb=143 or shard=250`,
      );
    }
    if (weights.has(name)) throw new JobhoursError('USAGE', `${flag} gives ${name} twice`);
    if (!/^\d{1,9}$/.test(milli) || Number(milli) > MAX_MILLI_GPUS) {
      throw new JobhoursError(
        'LIMIT_INVALID',
        `${flag} ${name}=${quotedValue(milli)}: expected whole milli-GPUs from 0 to ${MAX_MILLI_GPUS} (1000 = one GPU)`,
      );
    }
    weights.set(name, Number(milli));
  }
  return weights;
}
