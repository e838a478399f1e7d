/** The flags of `jobhours import`: texts -> how an input is read. Owns their forms; what they do is the import's. */
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { didYouMean } from '../../domain/nearest-word.js';
import { poolTemplateOf } from '../../domain/pool-template.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { nameOf } from '../../domain/record-text.js';
import { SWF_CONSTANTS, type SwfConstant } from '../../domain/swf-record.js';
import { parseInstant } from '../../domain/time-text.js';
import { gresWeightsOf } from '../../domain/tres.js';
import { canonicalZone } from '../../domain/zone-name.js';
import { gpusFromFile } from '../formats/gpus-file.js';
import type { ImportFormat } from '../import-format.js';

/** Flags as commander gives them; an absent one is undefined. */
export interface FormatFlags {
  readonly source?: string;
  readonly map?: readonly string[];
  readonly set?: readonly string[];
  readonly key?: string;
  readonly zone?: string;
  readonly timeUnit?: 'iso' | 's' | 'ms';
  readonly timeOrigin?: string;
  readonly missingStart?: string;
  readonly missingEnd?: string;
  readonly pool?: string;
  readonly gres?: readonly string[];
  readonly gpusFrom?: string;
  readonly maxDecompressed?: number;
}

/** What the records of our own jobs are called. */
const OWN_SOURCE = 'jobhours';

/**
 * The sacct format. `--zone` is the zone in which sacct wrote its times, `--source` the cluster of records without one.
 * ZONE_UNKNOWN, USAGE, FIELD_UNKNOWN, LIMIT_INVALID: each names the flag.
 */
export function sacctFormat(flags: FormatFlags): ImportFormat {
  return {
    format: 'sacct',
    zone: zoneOf(flags.zone),
    source: flags.source === undefined ? null : sourceOf(flags.source),
    pool: flags.pool === undefined ? null : poolTemplateOf('--pool', flags.pool),
    gres: gresWeightsOf('--gres', flags.gres ?? []),
  };
}

/**
 * The csv or jsonl format. Instants in flags without offset are in the zone of the books. FIELD_UNKNOWN, TIME_*,
 * ZONE_UNKNOWN, USAGE: each names the flag.
 */
export function feedFormat(
  format: 'csv' | 'jsonl',
  flags: FormatFlags,
  calendar: Calendar,
): ImportFormat {
  const timeUnit = flags.timeUnit ?? 'iso';
  if (flags.timeOrigin !== undefined && timeUnit === 'iso') {
    throw new JobhoursError('USAGE', '--time-origin needs --time-unit s or ms');
  }
  if (flags.zone !== undefined && timeUnit !== 'iso') {
    throw new JobhoursError(
      'USAGE',
      `--zone says how times are written, --time-unit ${timeUnit} that they are numbers: drop one`,
    );
  }
  const key = flags.key?.split(',').map((name) => name.trim()) ?? null;
  return {
    format,
    columns: {
      // A comma separates two pairs only where another pair begins: column names may have commas.
      map: pairsOf(
        '--map',
        (flags.map ?? []).flatMap((text) => text.split(/,(?=\s*\w+=)/)),
      ),
      set: pairsOf('--set', flags.set ?? []),
      key,
    },
    source: sourceOf(flags.source ?? format),
    zone: zoneOf(flags.zone),
    timeUnit,
    timeOriginAtMs: instantOf(flags.timeOrigin, '--time-origin', calendar) ?? 0,
    missingStart: wordOrInstant(flags, 'missingStart', ['reject', 'submit'], calendar),
    missingEnd: wordOrInstant(flags, 'missingEnd', ['open', 'reject'], calendar),
  };
}

/**
 * The swf format. A run time that is unknown is refused unless `--missing-end` says more: logs are of finished jobs.
 * FIELD_MISSING when nothing says how many GPUs the jobs had, USAGE when two flags do; errors of gpusFromFile.
 */
export async function swfFormat(flags: FormatFlags, calendar: Calendar): Promise<ImportFormat> {
  const set = constantsOf(pairsOf('--set', flags.set ?? []));
  const { gpusFrom } = flags;
  if (set.has('gpus') === (gpusFrom !== undefined)) {
    throw gpusFrom === undefined
      ? new JobhoursError(
          'FIELD_MISSING',
          'swf has no column for GPUs: give --gpus-from FILE (columns job,gpus) or --set gpus=N',
        )
      : new JobhoursError('USAGE', 'gpus are given by --set and by --gpus-from: drop one');
  }
  if (gpusFrom === '-') {
    throw new JobhoursError('USAGE', '--gpus-from needs a file: standard input is for the log');
  }
  return {
    format: 'swf',
    source: sourceOf(flags.source ?? 'swf'),
    zone: null,
    originAtMs: instantOf(flags.timeOrigin, '--time-origin', calendar),
    set,
    gpusOfJob:
      gpusFrom === undefined ? null : await gpusFromFile(gpusFrom, flags.maxDecompressed ?? null),
    missingStart: wordOrInstant(flags, 'missingStart', ['reject', 'submit'], calendar),
    missingEnd: wordOrInstant(flags, 'missingEnd', ['reject', 'open'], calendar),
  };
}

function constantsOf(pairs: ReadonlyMap<string, string>): ReadonlyMap<SwfConstant, string> {
  const constants = new Map<SwfConstant, string>();
  for (const [name, value] of pairs) {
    const field = SWF_CONSTANTS.find((one) => one === name);
    if (field === undefined) {
      throw new JobhoursError(
        'FIELD_UNKNOWN',
        `--set ${quotedValue(name)}: the fields are ${SWF_CONSTANTS.join(', ')}${didYouMean(name, SWF_CONSTANTS)}`,
      );
    }
    constants.set(field, value);
  }
  return constants;
}

const UNITS: ReadonlyMap<string, number> = new Map([
  ...['B', 'kB', 'MB', 'GB', 'TB'].map((unit, power) => [unit, 1_000 ** power] as const),
  ...['KiB', 'MiB', 'GiB', 'TiB'].map((unit, index) => [unit, 1_024 ** (index + 1)] as const),
]);

/** Bytes of a size such as `500MB`, `2GiB` or `1000000`, from 1 up; LIMIT_INVALID for another text. */
export function sizeOf(flag: string): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,12}) ?([A-Za-z]*)$/.exec(text);
    const unit = [...UNITS].find(
      ([name]) => name.toLowerCase() === (match?.[2] || 'b').toLowerCase(),
    );
    const bytes = Number(match?.[1] ?? Number.NaN) * (unit?.[1] ?? Number.NaN);
    if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
    throw new JobhoursError(
      'LIMIT_INVALID',
      `${flag} ${quotedValue(text)}: expected a size such as 500MB or 2GiB`,
    );
  };
}

function zoneOf(text: string | undefined): string | null {
  return text === undefined ? null : canonicalZone(text);
}

function sourceOf(text: string): string {
  const source = nameOf(text, { field: '--source', code: 'USAGE' });
  if (source !== OWN_SOURCE) return source;
  throw new JobhoursError(
    'USAGE',
    `--source ${OWN_SOURCE}: that is the source of jobhours' own jobs`,
  );
}

function pairsOf(flag: string, texts: readonly string[]): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    const name = text.slice(0, at).trim();
    if (at < 1)
      throw new JobhoursError('USAGE', `${flag} ${quotedValue(text)}: expected field=...`);
    if (pairs.has(name)) throw new JobhoursError('USAGE', `${flag} gives ${name} twice`);
    pairs.set(name, text.slice(at + 1).trim());
  }
  return pairs;
}

function instantOf(text: string | undefined, field: string, calendar: Calendar): number | null {
  return text === undefined ? null : parseInstant(text, { zone: calendar.zone, field });
}

/** The value of `--missing-start` or `--missing-end`: the first word when absent, one of the words, or an instant. */
function wordOrInstant<W extends string>(
  flags: FormatFlags,
  name: 'missingStart' | 'missingEnd',
  words: readonly [W, ...W[]],
  calendar: Calendar,
): W | number {
  const flag = name === 'missingStart' ? '--missing-start' : '--missing-end';
  const text = flags[name];
  const word = text === undefined ? words[0] : words.find((one) => one === text);
  if (word !== undefined) return word;
  if (/^[a-z]+$/i.test(text ?? '')) {
    throw new JobhoursError(
      'FIELD_UNKNOWN',
      `${flag} ${quotedValue(text ?? '')}: expected ${words.join(', ')} or an instant${didYouMean(text ?? '', words)}`,
    );
  }
  return parseInstant(text ?? '', { zone: calendar.zone, field: flag });
}
