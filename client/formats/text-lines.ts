/**
 * Lines of an input, in bounded memory. Owns line ends, over-long lines and bytes that are not UTF-8; what a line
 * says is the format's.
 */
import { isUtf8 } from 'node:buffer';
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import { validUtf8Length, withoutByteOrderMark } from './byte-stream.js';

/** Longest line that is read: 1 MiB. */
export const MAX_RECORD_BYTES = 1_048_576;
/** How much of a record is kept to show it, in UTF-16 units. */
const SHOWN_RECORD_LENGTH = 1_000;
const KEPT_OF_OVERLONG = 4 * SHOWN_RECORD_LENGTH;
const LINE_FEED = 0x0a;

export interface TextLine {
  /** From 1. */
  readonly number: number;
  /** Without its line end; bytes that are not UTF-8 are U+FFFD. */
  readonly text: string;
  /** Where the first byte that is not UTF-8 stands: index in `text` and in the bytes; null when all are. */
  readonly invalid: { readonly index: number; readonly byte: number } | null;
  /** True when the line is longer than 1 MiB; `text` is its beginning. */
  readonly isOverlong: boolean;
}

/** A record as it is told: where it stands, its beginning, what becomes of it. */
export function judgedRecord(line: number, text: string, outcome: Outcome): JudgedRecord {
  return { line, text: text.slice(0, SHOWN_RECORD_LENGTH), outcome };
}

/**
 * Why a line cannot be read: RECORD_INVALID when it is longer than 1 MiB, ENCODING when a byte before the index
 * `anyBytesFrom` of its text is not UTF-8. Null: it can.
 */
export function unreadableLine(
  { invalid, isOverlong }: TextLine,
  anyBytesFrom = Number.POSITIVE_INFINITY,
): Outcome | null {
  if (isOverlong) {
    return { kind: 'rejected', code: 'RECORD_INVALID', detail: 'the line is longer than 1 MiB' };
  }
  if (invalid === null || invalid.index >= anyBytesFrom) return null;
  const detail = `the line is not UTF-8 at byte ${invalid.byte}`;
  return { kind: 'rejected', code: 'ENCODING', detail };
}

/** The lines of a stream, a batch for each chunk; CR LF and LF end a line, the last one may have no end. */
export async function* textLines(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly TextLine[]> {
  const splitter = new LineSplitter();
  for await (const chunk of withoutByteOrderMark(stream)) yield splitter.linesOf(chunk);
  yield splitter.rest();
}

class LineSplitter {
  private carry: Buffer = Buffer.alloc(0);
  /** The carry is the kept beginning of an over-long line. */
  private isSkipping = false;
  private number = 0;

  linesOf(chunk: Buffer): TextLine[] {
    if (this.isSkipping) return this.afterOverlong(chunk);
    const bytes = this.carry.length === 0 ? chunk : Buffer.concat([this.carry, chunk]);
    const end = bytes.lastIndexOf(LINE_FEED);
    this.carry = bytes.subarray(end + 1);
    const lines = end < 0 ? [] : this.split(bytes.subarray(0, end));
    if (this.carry.length > MAX_RECORD_BYTES) {
      this.carry = Buffer.from(this.carry.subarray(0, KEPT_OF_OVERLONG));
      this.isSkipping = true;
    }
    return lines;
  }

  rest(): TextLine[] {
    if (this.isSkipping) return [this.overlong(this.carry)];
    return this.carry.length === 0 ? [] : [this.line(this.carry)];
  }

  private afterOverlong(chunk: Buffer): TextLine[] {
    const end = chunk.indexOf(LINE_FEED);
    if (end < 0) return [];
    const line = this.overlong(this.carry);
    this.isSkipping = false;
    this.carry = Buffer.alloc(0);
    return [line, ...this.linesOf(chunk.subarray(end + 1))];
  }

  private split(bytes: Buffer): TextLine[] {
    if (isUtf8(bytes)) {
      return bytes
        .toString('utf8')
        .split('\n')
        .map((text) => this.validLine(text));
    }
    const lines: TextLine[] = [];
    for (let start = 0; start <= bytes.length;) {
      const found = bytes.indexOf(LINE_FEED, start);
      const end = found < 0 ? bytes.length : found;
      lines.push(this.line(bytes.subarray(start, end)));
      start = end + 1;
    }
    return lines;
  }

  private validLine(text: string): TextLine {
    this.number += 1;
    return {
      number: this.number,
      text: text.endsWith('\r') ? text.slice(0, -1) : text,
      invalid: null,
      isOverlong: text.length > MAX_RECORD_BYTES,
    };
  }

  private line(bytes: Buffer): TextLine {
    const line = this.validLine(bytes.toString('utf8'));
    const byte = validUtf8Length(bytes);
    if (byte === bytes.length) return line;
    return { ...line, invalid: { index: bytes.toString('utf8', 0, byte).length, byte } };
  }

  private overlong(bytes: Buffer): TextLine {
    return { ...this.validLine(bytes.toString('utf8')), isOverlong: true };
  }
}
