/**
 * Headers of CSV files: names of columns, and files whose columns have fixed names. Owns what any header must be; which
 * column is which field of a record is csv-columns.ts.
 */
import { JobhoursError } from '../../domain/errors.js';
import { didYouMean } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';

/** A row and the line on which it begins, from 1. */
interface Row {
  readonly record: readonly string[];
  readonly line: number;
}

/** Names of the columns; one without a name is `column 3`. CSV_SYNTAX when a name stands twice. */
export function columnNames(header: readonly string[]): string[] {
  const names = header.map((name, index) => name.trim() || `column ${index + 1}`);
  const doubled = names.find((name, index) => names.indexOf(name) !== index);
  if (doubled === undefined) return names;
  throw new JobhoursError('CSV_SYNTAX', `row 1: column ${quotedValue(doubled)} stands twice`);
}

/** FIELD_MISSING. `hint`: what to do, unless the columns are separated otherwise than by commas: then it says that. */
export function missingColumns(
  missing: readonly string[],
  names: readonly string[],
  hint: string,
): JobhoursError {
  const [only = ''] = names;
  const separator = names.length === 1 ? /[;\t|]/.exec(only)?.[0] : undefined;
  const advice =
    separator === undefined
      ? `${hint}${didYouMean(missing[0] ?? '', names)}`
      : `the only column is ${quotedValue(only)}: separate the columns by commas, not ${quotedValue(separator)}`;
  return new JobhoursError('FIELD_MISSING', `no column for ${missing.join(', ')}: ${advice}`, {
    missing,
  });
}

/** Why a row of another width than the header's is refused. */
export function otherWidth({ record, line }: Row, width: number): string {
  const hint = record.some((cell) => cell.includes('\n'))
    ? '; a line break is inside it: is a quote not closed, or are its lines ended otherwise than the header?'
    : '';
  return `row ${line}: expected ${width} columns, found ${record.length}${hint}`;
}

/** How a file is read whose columns have fixed names, in any order, others beside them. */
export interface FixedColumns<Field extends string> {
  /** Columns that mean nothing here. */
  readonly unused: readonly string[];
  /** The cells of a row without blanks around them, empty for an absent column. CSV_SYNTAX for another width. */
  cellsOf(row: Row): Readonly<Record<Field, string>>;
}

/** The columns of a header, of which `optional` ones may be absent. CSV_SYNTAX, FIELD_MISSING. */
export function fixedColumns<Field extends string>(
  header: readonly string[],
  fields: readonly Field[],
  optional: readonly Field[] = [],
): FixedColumns<Field> {
  const names = columnNames(header);
  const missing = fields.filter((field) => !optional.includes(field) && !names.includes(field));
  if (missing.length > 0) {
    throw missingColumns(missing, names, `the columns are ${fields.join(',')}`);
  }
  return {
    unused: names.filter((name) => !(fields as readonly string[]).includes(name)),
    cellsOf: (row) => {
      const { record } = row;
      if (record.length !== names.length) {
        throw new JobhoursError('CSV_SYNTAX', otherWidth(row, names.length));
      }
      const cells = fields.map((field) => [field, (record[names.indexOf(field)] ?? '').trim()]);
      return Object.fromEntries(cells) as Record<Field, string>;
    },
  };
}
