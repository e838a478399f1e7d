/**
 * Bytes of an input on their way to text: byte order marks, encodings that are not UTF-8. Owns what is refused
 * before anybody looks at lines or columns.
 */
import { isUtf8 } from 'node:buffer';
import { JobhoursError } from '../../domain/errors.js';

const NO_BYTES = Buffer.alloc(0);
/** Longest beginning that tells an encoding. */
const MARK_BYTES = 3;

const FOREIGN_BEGINNINGS: readonly (readonly [readonly number[], string])[] = [
  [[0xff, 0xfe], 'it is UTF-16: convert it with iconv -f UTF-16 -t UTF-8'],
  [[0xfe, 0xff], 'it is UTF-16: convert it with iconv -f UTF-16 -t UTF-8'],
  [[0x1f, 0x8b], 'it was compressed twice: gunzip -c FILE | jobhours import ... -'],
];

function begins(bytes: Buffer, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

/** UTF-16 of a letter, a digit or a brace without a mark: one of the first two bytes is 0. */
function unmarkedUtf16([first, second]: Buffer): string | null {
  const isLittle = first !== 0 && second === 0;
  if (!isLittle && !(first === 0 && second !== 0 && second !== undefined)) return null;
  const name = isLittle ? 'UTF-16LE' : 'UTF-16BE';
  return `it is ${name}: convert it with iconv -f ${name} -t UTF-8`;
}

function withoutMark(bytes: Buffer): Buffer {
  const foreign =
    FOREIGN_BEGINNINGS.find(([mark]) => begins(bytes, mark))?.[1] ?? unmarkedUtf16(bytes);
  if (foreign !== null) {
    throw new JobhoursError('ENCODING', `the input is not UTF-8 at byte 0: ${foreign}`);
  }
  return begins(bytes, [0xef, 0xbb, 0xbf]) ? bytes.subarray(MARK_BYTES) : bytes;
}

/** The same bytes without a UTF-8 byte order mark. ENCODING for UTF-16, and for gzip inside gzip. */
export async function* withoutByteOrderMark(
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let beginning: Buffer | null = NO_BYTES;
  for await (const piece of stream) {
    const chunk = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (beginning === null) {
      yield chunk;
      continue;
    }
    beginning = Buffer.concat([beginning, chunk]);
    if (beginning.length < MARK_BYTES) continue;
    yield withoutMark(beginning);
    beginning = null;
  }
  if (beginning !== null && beginning.length > 0) yield withoutMark(beginning);
}

/** Number of bytes at the end that may be the beginning of a character: 0 to 3. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}

/** Length of the longest beginning that is UTF-8, by halving: a beginning of UTF-8 is UTF-8. */
export function validUtf8Length(bytes: Buffer): number {
  const isValid = (length: number): boolean => {
    const part = bytes.subarray(0, length);
    return isUtf8(part.subarray(0, length - unfinishedBytes(part)));
  };
  let [valid, invalid] = [0, bytes.length + 1];
  while (invalid - valid > 1) {
    const middle = Math.floor((valid + invalid) / 2);
    if (isValid(middle)) valid = middle;
    else invalid = middle;
  }
  return valid - unfinishedBytes(bytes.subarray(0, valid));
}

/** The same bytes, whole characters in each chunk. ENCODING names the first byte that is not UTF-8, from 0. */
export async function* checkedUtf8(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let carry: Buffer = NO_BYTES;
  let offset = 0;
  for await (const chunk of stream) {
    const bytes = carry.length === 0 ? chunk : Buffer.concat([carry, chunk]);
    const whole = bytes.subarray(0, bytes.length - unfinishedBytes(bytes));
    if (!isUtf8(whole)) throw notUtf8(offset + validUtf8Length(whole));
    yield whole;
    offset += whole.length;
    carry = bytes.subarray(whole.length);
  }
  if (carry.length > 0) throw notUtf8(offset);
}

function notUtf8(offset: number): JobhoursError {
  return new JobhoursError(
    'ENCODING',
    `the input is not UTF-8 at byte ${offset}: convert it, for example with iconv -f LATIN1 -t UTF-8`,
    { offset },
  );
}
