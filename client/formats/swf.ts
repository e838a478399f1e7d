/**
 * The Standard Workload Format: lines of 18 numbers separated by blanks, header lines that begin with `;`. Owns splitting
 * and headers; what the fields mean is domain/swf-record.ts.
 */
import { JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import { SWF_FIELDS, swfOutcome, type SwfRules } from '../../domain/swf-record.js';
import { parseNumericInstant } from '../../domain/time-text.js';
import { instantText } from '../../domain/units.js';
import { judgedRecord, textLines, unreadableLine, type TextLine } from './text-lines.js';

/** The rules of one log; what its header says is not among them. */
export interface SwfOptions extends Omit<SwfRules, 'originAtMs' | 'maxProcessors'> {
  /** What submit times count from, instead of the header's UnixStartTime; null = what the header says. */
  readonly originAtMs: number | null;
}

/** Called once, before the first record, with a sentence about the times. */
export type OnTimes = (text: string) => void;

interface Header {
  unixStartTime: string | null;
  zoneText: string | null;
  maxProcessors: number | null;
}

/**
 * The judged records of a stream. A line without 18 fields is a rejected record. FIELD_MISSING before the first record
 * when neither the header nor the options say what submit times count from; TIME_* when the header's UnixStartTime is
 * no instant from 1990 to 2100.
 */
export async function* swfRecords(
  stream: AsyncIterable<Uint8Array>,
  options: SwfOptions,
  onTimes: OnTimes,
): AsyncGenerator<readonly JudgedRecord[]> {
  const header: Header = { unixStartTime: null, zoneText: null, maxProcessors: null };
  let rules: SwfRules | null = null;
  for await (const lines of textLines(stream)) {
    const records: JudgedRecord[] = [];
    for (const line of lines) {
      const text = line.text.trim();
      if (text === '') continue;
      if (text.startsWith(';')) {
        readHeader(text, header);
        continue;
      }
      rules ??= rulesOf(options, header, onTimes);
      records.push(judgedRecord(line.number, line.text, outcomeOfLine(line, rules)));
    }
    yield records;
  }
}

/** A header line is `; Name: value`; the first of each name holds. */
function readHeader(text: string, header: Header): void {
  const [, name, value] = /^;\s*(\w+):\s*(.*?)\s*$/.exec(text) ?? [];
  if (value === undefined || value === '') return;
  if (name === 'UnixStartTime') header.unixStartTime ??= value;
  if (name === 'TimeZoneString') header.zoneText ??= value;
  if (name === 'MaxProcs' && /^\d{1,15}$/.test(value)) header.maxProcessors ??= Number(value);
}

function rulesOf(options: SwfOptions, header: Header, onTimes: OnTimes): SwfRules {
  const originAtMs = options.originAtMs ?? originOf(header);
  const origin = options.originAtMs === null ? 'UnixStartTime' : '--time-origin';
  const zone = header.zoneText === null ? '' : `; the log is of ${quotedValue(header.zoneText)}`;
  onTimes(`counted in seconds from ${instantText(originAtMs)} (${origin})${zone}`);
  return { ...options, originAtMs, maxProcessors: header.maxProcessors };
}

function originOf({ unixStartTime }: Header): number {
  if (unixStartTime === null) {
    throw new JobhoursError(
      'FIELD_MISSING',
      'no header line UnixStartTime: --time-origin says what submit times count from',
    );
  }
  return parseNumericInstant(unixStartTime, 's', 0, 'UnixStartTime (or give --time-origin)');
}

function outcomeOfLine(line: TextLine, rules: SwfRules): Outcome {
  const unreadable = unreadableLine(line);
  if (unreadable !== null) return unreadable;
  const values = line.text.trim().split(/\s+/);
  if (values.length === SWF_FIELDS.length) return swfOutcome(values, rules);
  const detail = `expected ${SWF_FIELDS.length} fields separated by blanks, found ${values.length}`;
  return { kind: 'rejected', code: 'RECORD_INVALID', detail };
}
