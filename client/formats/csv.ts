/**
 * The csv format: RFC 4180 with a header, UTF-8. Owns reading rows and refusing what is not well-formed; which
 * column is which field is csv-columns.ts.
 */
import { pipeline } from 'node:stream/promises';
import { parse, CsvError } from 'csv-parse';
import { JobhoursError } from '../../domain/errors.js';
import { feedOutcome, type FeedRules } from '../../domain/feed-record.js';
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import { checkedUtf8, withoutByteOrderMark } from './byte-stream.js';
import {
  checkColumnOptions,
  columnsOf,
  type ColumnOptions,
  type CsvColumns,
} from './csv-columns.js';
import { MAX_RECORD_BYTES, SHOWN_RECORD_LENGTH } from './text-lines.js';

/** One row as csv-parse gives it with `info` and `raw`. */
interface ParsedRow {
  readonly record: readonly string[];
  readonly raw: string;
  /** `lines`: the line on which the row ends. */
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
    batch.push({
      line: firstLine(row),
      text: row.raw.trimEnd().slice(0, SHOWN_RECORD_LENGTH),
      outcome: outcomeOfRow(row, columns, rules),
    });
    if (batch.length === BATCH_ROWS) {
      yield batch;
      batch = [];
    }
  }
  yield batch;
}

function firstLine({ raw, info }: ParsedRow): number {
  return info.lines - (raw.trimEnd().match(/\n/g)?.length ?? 0);
}

function outcomeOfRow(row: ParsedRow, columns: CsvColumns, rules: FeedRules): Outcome {
  const found = row.record.length;
  if (found === columns.width) return feedOutcome(columns.recordOf(row.record), rules);
  return {
    kind: 'rejected',
    code: 'CSV_SYNTAX',
    detail: `row ${firstLine(row)}: expected ${columns.width} columns, found ${found}`,
  };
}

async function* csvRows(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ParsedRow> {
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
  try {
    for await (const row of parser as AsyncIterable<ParsedRow>) yield row;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const row = (error as { lines?: number }).lines ?? 0;
    throw new JobhoursError('CSV_SYNTAX', `row ${row}: ${error.message}`, { row });
  }
}
