/** The flags of `jobhours import`: texts -> how an input is read. Owns their forms; what they do is the import's. */
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { nearestWord } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { nameOf } from '../../domain/record-text.js';
import { parseInstant } from '../../domain/time-text.js';
import { canonicalZone } from '../../domain/zone-name.js';
import type { ImportFormat } from '../import-runs.js';

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
}

/** What the records of our own jobs are called. */
const OWN_SOURCE = 'jobhours';

/** The sacct format. `--zone` is the zone in which sacct wrote its times. */
export function sacctFormat(flags: FormatFlags): ImportFormat {
  return { format: 'sacct', zone: zoneOf(flags.zone) };
}

/**
 * The csv format. Instants in flags without offset are in the zone of the books. FIELD_UNKNOWN, TIME_*, ZONE_UNKNOWN,
 * USAGE: each names the flag.
 */
export function csvFormat(flags: FormatFlags, calendar: Calendar): ImportFormat {
  const timeUnit = flags.timeUnit ?? 'iso';
  if (flags.timeOrigin !== undefined && timeUnit === 'iso') {
    throw new JobhoursError('USAGE', '--time-origin needs --time-unit s or ms');
  }
  const key = flags.key?.split(',').map((name) => name.trim()) ?? null;
  return {
    format: 'csv',
    columns: {
      // A comma separates two pairs only where another pair begins: column names may have commas.
      map: pairsOf(
        '--map',
        (flags.map ?? []).flatMap((text) => text.split(/,(?=\s*\w+=)/)),
      ),
      set: pairsOf('--set', flags.set ?? []),
      key,
    },
    source: sourceOf(flags.source ?? 'csv'),
    zone: zoneOf(flags.zone),
    timeUnit,
    timeOriginAtMs: instantOf(flags.timeOrigin, '--time-origin', calendar) ?? 0,
    missingStart: wordOrInstant(flags, 'missingStart', ['reject', 'submit'], calendar),
    missingEnd: wordOrInstant(flags, 'missingEnd', ['open', 'reject'], calendar),
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
    const nearest = nearestWord(text ?? '', words);
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw new JobhoursError(
      'FIELD_UNKNOWN',
      `${flag} ${quotedValue(text ?? '')}: expected ${words.join(', ')} or an instant${hint}`,
    );
  }
  return parseInstant(text ?? '', { zone: calendar.zone, field: flag });
}
