/**
 * Which column of a CSV file is which canonical field. Owns `--map`, `--set` and `--key` against a header; what
 * the fields mean is domain/feed-record.ts.
 */
import { JobhoursError } from '../../domain/errors.js';
import { FEED_FIELDS, type FeedField, type FeedRecord } from '../../domain/feed-record.js';
import { didYouMean } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { columnNames, missingColumns } from './csv-header.js';

export interface ColumnOptions {
  /** Field -> column. */
  readonly map: ReadonlyMap<string, string>;
  /** Field -> constant. */
  readonly set: ReadonlyMap<string, string>;
  /** Fields or columns that make the key; null = job_id and attempt. */
  readonly key: readonly string[] | null;
}

type Row = readonly string[];
type Getter = (row: Row) => string;

/** How one file is read. */
export interface CsvColumns {
  readonly width: number;
  /** Columns that are no field: kept with each run. */
  readonly kept: readonly string[];
  recordOf(row: Row): FeedRecord;
}

const REQUIRED = ['user', 'gpus', 'start', 'end'] as const;

function isField(name: string): name is FeedField {
  return (FEED_FIELDS as readonly string[]).includes(name);
}

/** FIELD_UNKNOWN when `--map` or `--set` name no canonical field, USAGE when both name the same one. */
export function checkColumnOptions(options: ColumnOptions): void {
  for (const [flag, fields] of [
    ['--map', options.map],
    ['--set', options.set],
  ] as const) {
    for (const name of fields.keys()) {
      if (isField(name)) continue;
      throw new JobhoursError(
        'FIELD_UNKNOWN',
        `${flag} ${quotedValue(name)}: the fields are ${FEED_FIELDS.join(', ')}${didYouMean(name, FEED_FIELDS)}`,
      );
    }
  }
  for (const name of options.set.keys()) {
    if (options.map.has(name)) {
      throw new JobhoursError('USAGE', `field ${name} is given by --map and by --set: drop one`);
    }
  }
}

/**
 * The columns of a header. CSV_SYNTAX when a column stands twice or `--map` names an absent one, FIELD_UNKNOWN for
 * an unknown `--key`, FIELD_MISSING when no column is user, gpus, start, end or (without `--key`) job_id.
 */
export function columnsOf(header: Row, options: ColumnOptions): CsvColumns {
  checkColumnOptions(options);
  const names = columnNames(header);
  const used = new Set<number>();
  const getters = gettersOf(names, options, used);
  requireFields(getters, names, options);
  const key = options.key?.map((name) => keyGetter(name, getters, names)) ?? null;
  const kept = names
    .map((name, index) => ({ name, index }))
    .filter(({ index }) => !used.has(index));
  return {
    width: names.length,
    kept: kept.map(({ name }) => name),
    recordOf: (row) => ({
      field: (name) => getters.get(name)?.(row) ?? '',
      keyParts: key?.map(({ name, getter }) => [name, getter(row)] as const) ?? null,
      facts: Object.fromEntries(
        kept
          .map(({ name, index }) => [name, row[index] ?? ''] as const)
          .filter(([, value]) => value !== ''),
      ),
    }),
  };
}

function gettersOf(
  names: readonly string[],
  options: ColumnOptions,
  used: Set<number>,
): ReadonlyMap<FeedField, Getter> {
  const getters = new Map<FeedField, Getter>();
  for (const field of FEED_FIELDS) {
    const constant = options.set.get(field);
    const column = options.map.get(field);
    const index = names.indexOf(column ?? field);
    if (constant !== undefined) {
      getters.set(field, () => constant);
    } else if (index >= 0) {
      used.add(index);
      getters.set(field, columnGetter(index));
    } else if (column !== undefined) {
      throw new JobhoursError(
        'CSV_SYNTAX',
        `row 1: no column ${quotedValue(column)} for --map ${field}=${column}${didYouMean(column, names)}`,
      );
    }
  }
  return getters;
}

function columnGetter(index: number): Getter {
  return (row) => (row[index] ?? '').trim();
}

function requireFields(
  getters: ReadonlyMap<FeedField, Getter>,
  names: readonly string[],
  options: ColumnOptions,
): void {
  const required: readonly FeedField[] = options.key === null ? [...REQUIRED, 'job_id'] : REQUIRED;
  const missing = required.filter((field) => !getters.has(field));
  const [first] = missing;
  if (first === undefined) return;
  const orKey = first === 'job_id' ? ', or give --key' : '';
  const hint = `say --map ${first}=COLUMN or --set ${first}=VALUE${orKey}`;
  throw missingColumns(missing, names, hint);
}

function keyGetter(
  name: string,
  getters: ReadonlyMap<FeedField, Getter>,
  names: readonly string[],
): { name: string; getter: Getter } {
  const getter = isField(name) ? getters.get(name) : undefined;
  if (getter !== undefined) return { name, getter };
  const index = names.indexOf(name);
  if (index >= 0) return { name, getter: columnGetter(index) };
  throw new JobhoursError(
    'FIELD_UNKNOWN',
    `--key ${quotedValue(name)} is neither a field nor a column${didYouMean(name, [...FEED_FIELDS, ...names])}`,
  );
}
