/**
 * How an input is written: its format with what stands for what it does not say. Owns which reader reads it; each format
 * is a file of client/formats/.
 */
import type { FeedRules } from '../domain/feed-record.js';
import { refuseFuture, type JudgedRecord, type RecordRules } from '../domain/run-record.js';
import type { SacctRules } from '../domain/sacct-record.js';
import type { ColumnOptions } from './formats/csv-columns.js';
import { csvRecords } from './formats/csv.js';
import { unpacked } from './formats/gzip.js';
import { jsonlRecords } from './formats/jsonl.js';
import { sacctRecords } from './formats/sacct.js';
import { swfRecords, type SwfOptions } from './formats/swf.js';
import type { InputNotes } from './input-notes.js';

type OfImport = 'nowMs' | 'minimumRunMs';
type OfFeed = { readonly columns: ColumnOptions } & Omit<FeedRules, OfImport>;

export type ImportFormat =
  | ({ readonly format: 'sacct' } & Omit<SacctRules, OfImport>)
  | ({ readonly format: 'csv' } & OfFeed)
  | ({ readonly format: 'jsonl' } & OfFeed)
  | ({ readonly format: 'swf' } & Omit<SwfOptions, OfImport>);

/**
 * The judged records of an input, unpacked when it is gzip (`maxDecompressedBytes`: see client/formats/gzip.ts). TIME_FUTURE
 * for given starts and ends in the future; errors of the format that spoil the whole input.
 */
export function judgedRecords(
  stream: AsyncIterable<Uint8Array>,
  format: ImportFormat,
  { nowMs, minimumRunMs }: Pick<RecordRules, OfImport>,
  maxDecompressedBytes: number | null,
  notes: InputNotes,
): AsyncIterable<readonly JudgedRecord[]> {
  const bytes = unpacked(stream, maxDecompressedBytes);
  if (format.format === 'sacct') {
    notes.times = `read as ${format.zone ?? 'UTC'}`;
    return sacctRecords(bytes, { ...format, nowMs, minimumRunMs });
  }
  const { missingStart, missingEnd } = format;
  if (typeof missingStart === 'number') refuseFuture('--missing-start', missingStart, nowMs);
  if (typeof missingEnd === 'number') refuseFuture('--missing-end', missingEnd, nowMs);
  const rules = { ...format, nowMs, minimumRunMs };
  if (rules.format === 'swf') return swfRecords(bytes, rules, (text) => (notes.times = text));
  if (rules.zone !== null) notes.times = `without offset read as ${rules.zone}`;
  const records = rules.format === 'csv' ? csvRecords : jsonlRecords;
  return records(bytes, rules.columns, rules, (kept) => (notes.keptColumns = kept));
}
