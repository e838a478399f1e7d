/**
 * How commands print data: table, json, jsonl, csv (DESIGN section 11). Owns the formats; columns and header lines
 * are each command's.
 */
import Table from 'cli-table3';
import { Option } from 'commander';
import { lineText } from '../../domain/quoted-value.js';
import { csvText, type Cell } from '../csv-text.js';
import { oneOf } from './choice.js';

export const FORMATS = ['table', 'json', 'jsonl', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

/** `-o, --output`, table by default. */
export function outputOption(): Option {
  return new Option('-o, --output <format>', `${FORMATS.join(', ')}`)
    .argParser(oneOf('--output', FORMATS))
    .default('table');
}

/** Values by column name. Integers beyond 2^53 and decimals are text. */
export type DataRecord<Column extends string = string> = Readonly<Record<Column, Cell>>;

type Print = (text: string) => void;

/** Lines printed in one go. */
const BATCH = 500;

/**
 * Prints records: csv with a header line, jsonl an object per line, json one array (`[]` when there is none).
 * Columns in the given order in all three.
 */
export async function printRecords<Column extends string>(
  print: Print,
  format: Exclude<Format, 'table'>,
  columns: readonly Column[],
  records: AsyncIterable<DataRecord<Column>> | Iterable<DataRecord<Column>>,
): Promise<void> {
  if (format === 'csv') print(csvText([columns]).trimEnd());
  let isFirst = true;
  for await (const batch of batches(records)) {
    const lines = batch.map((record) => jsonOf(columns, record));
    if (format === 'csv') {
      print(csvText(batch.map((record) => columns.map((column) => record[column]))).slice(0, -1));
    } else if (format === 'jsonl') print(lines.join('\n'));
    else print(`${isFirst ? '[' : ','}${lines.join('\n,')}`);
    isFirst = false;
  }
  if (format === 'json') print(isFirst ? '[]' : ']');
}

function jsonOf<Column extends string>(
  columns: readonly Column[],
  record: DataRecord<Column>,
): string {
  return JSON.stringify(Object.fromEntries(columns.map((column) => [column, record[column]])));
}

async function* batches<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

export interface TableColumn {
  readonly title: string;
  readonly isNumber?: boolean;
}

const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '' },
  ...{ left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '' },
  middle: '  ',
};

/** Aligned columns with a line of titles, a line for each row, numbers to the right; no blanks or line feed at the end. */
export function tableText(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
): string {
  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => (column.isNumber === true ? 'right' : 'left')),
    chars: NO_LINES,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true },
  });
  table.push(...rows.map((row) => row.map((cell) => shownName(lineText(cell)))));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

const LATIN = /\p{Script=Latin}/u;
const LOOKS_LATIN =
  /\p{Script=Cyrillic}|\p{Script=Greek}|\p{Script=Armenian}|\p{Script=Cherokee}/gu;

/** A name that mixes Latin letters with ones that look like them shows the code points of the latter (B23). */
export function shownName(text: string): string {
  const foreign = LATIN.test(text) ? text.match(LOOKS_LATIN) : null;
  if (foreign === null) return text;
  const codes = [...new Set(foreign)].map(
    (letter) => `U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
  return `${text} (${codes.join(' ')})`;
}
