/**
 * The csv format: RFC 4180 with a header, UTF-8. Owns reading rows and refusing what is not well-formed; which
 * column is which field is csv-columns.ts.
 */
import { pipeline } from 'node:stream/promises';
import { parse, CsvError } from 'csv-parse';
import { JobhoursError } from '../../domain/errors.js';
import { feedOutcome, type FeedRules } from '../../domain/feed-record.js';
import { quotedValue } from '../../domain/quoted-value.js';
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import { checkedUtf8, withoutByteOrderMark } from './byte-stream.js';
import {
  checkColumnOptions,
  columnsOf,
  type ColumnOptions,
  type CsvColumns,
} from './csv-columns.js';
import { otherWidth } from './csv-header.js';
import { judgedRecord, MAX_RECORD_BYTES } from './text-lines.js';

/** One row, header included. */
export interface CsvRow {
  readonly record: readonly string[];
  readonly raw: string;
  /** The line on which it begins, from 1. */
  readonly line: number;
}

/** One row as csv-parse gives it with `info` and `raw`. `lines`: the line on which it ends, by its own count. */
interface ParsedRow {
  readonly record: readonly string[];
  readonly raw: string;
  readonly info: { readonly lines: number };
}

const BATCH_ROWS = 500;

/** Called once, when the header is known, with the columns that are kept beside the fields. */
export type OnColumns = (kept: readonly string[]) => void;

/**
 * The judged records of a stream. CSV_SYNTAX and ENCODING end the whole input, because what follows cannot be
 * trusted; a row with missing or extra columns is a rejected record. Errors of columnsOf. No header: no records.
 */
export async function* csvRecords(
  stream: AsyncIterable<Uint8Array>,
  options: ColumnOptions,
  rules: FeedRules,
  onColumns: OnColumns,
): AsyncGenerator<readonly JudgedRecord[]> {
  checkColumnOptions(options);
  let columns: CsvColumns | null = null;
  let batch: JudgedRecord[] = [];
  for await (const row of csvRows(stream)) {
    if (columns === null) {
      columns = columnsOf(row.record, options);
      onColumns(columns.kept);
      continue;
    }
    batch.push(judgedRecord(row.line, row.raw.trim(), outcomeOfRow(row, columns, rules)));
    if (batch.length === BATCH_ROWS) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

function outcomeOfRow(row: CsvRow, columns: CsvColumns, rules: FeedRules): Outcome {
  if (row.record.length === columns.width)
    return feedOutcome(() => columns.recordOf(row.record), rules);
  return { kind: 'rejected', code: 'CSV_SYNTAX', detail: otherWidth(row, columns.width) };
}

/** The rows of a stream, header included. CSV_SYNTAX and ENCODING end it. */
export async function* csvRows(stream: AsyncIterable<Uint8Array>): AsyncGenerator<CsvRow> {
  const parser = parse({
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_RECORD_BYTES,
    info: true,
    raw: true,
  });
  const feeding = pipeline(checkedUtf8(withoutByteOrderMark(stream)), parser);
  // The parser is destroyed with the same error, and the loop below throws it.
  feeding.catch(() => undefined);
  const lines = new LineCount();
  try {
    for await (const { record, raw, info } of parser as AsyncIterable<ParsedRow>) {
      yield { record, raw, line: lines.beginOf(raw, info.lines) };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw syntaxError(error, lines);
  }
}

/** What is wrong in words, by csv-parse's names. */
const SYNTAX_RULES: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote opens in it and is never closed',
  CSV_INVALID_CLOSING_QUOTE:
    'behind a closing quote stands neither a comma nor the end of the row (a quote inside a cell is written twice)',
  INVALID_OPENING_QUOTE:
    'a quote stands inside a cell that does not begin with one (quote the whole cell, write the quote twice)',
  CSV_MAX_RECORD_SIZE: 'it is longer than 1 MiB: is a quote not closed?',
};

function syntaxError(error: CsvError, lines: LineCount): JobhoursError {
  const { lines: last = 0, raw = '' } = error as { lines?: number; raw?: string };
  const text = raw.replace(/^[\r\n]+/, '');
  const row = lines.beginOf(text, last);
  const rule = SYNTAX_RULES[error.code] ?? error.message;
  return new JobhoursError('CSV_SYNTAX', `row ${row}: ${rule}: ${quotedValue(text)}`, { row });
}

/** Lines as people count them. csv-parse counts every CR and LF inside a cell, so a CR LF there twice. */
class LineCount {
  #extra = 0;

  /** The line on which a row begins, from 1; `last`: on which it ends, by csv-parse's count. */
  beginOf(raw: string, last: number): number {
    // Most rows: nothing but what ends them.
    const lf = raw.indexOf('\n');
    const cr = raw.indexOf('\r');
    const end = raw.length - 1;
    if ((lf === -1 || lf === end) && (cr === -1 || cr === end)) return last - this.#extra;
    // Before it the first characters of line ends that were skipped, behind it the first one of its own.
    const cells = raw.replace(raw.endsWith('\n') ? /^\n*/ : /^[\r\n]*/, '').replace(/[\r\n]$/, '');
    const begin = last - this.#extra - countOf(/[\r\n]/g, cells);
    this.#extra += countOf(/\r/g, cells);
    return begin;
  }
}

function countOf(pattern: RegExp, text: string): number {
  return text.match(pattern)?.length ?? 0;
}
