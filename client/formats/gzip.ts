/**
 * Compressed inputs: gzip is unpacked on the way, in bounded memory; other compressions are named. Owns the limits on
 * what comes out, and that nothing of a damaged file is taken for the whole.
 */
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { JobhoursError } from '../../domain/errors.js';

const MIB = 1_048_576;
const GIB = 1_024 * MIB;
/** Bytes that an input may come to when nothing else is said. */
const DEFAULT_MAX_DECOMPRESSED = 64 * GIB;
/** Job records shrink to a tenth, equal lines to a three-hundredth at most; a bomb of zeros to a thousandth. */
const MAX_RATIO = 500;
/** Bytes that come out at a time: few enough to hold, enough for many lines. */
const CHUNK_BYTES = 262_144;
/** Short inputs may shrink to anything. */
const RATIO_FROM_BYTES = 16 * MIB;

const GZIP_MARK = [0x1f, 0x8b];
const MARK_BYTES = 6;
const OTHERS: readonly (readonly [readonly number[], string])[] = [
  [[0x28, 0xb5, 0x2f, 0xfd], 'zstd: zstd -dc FILE'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], 'xz: xz -dc FILE'],
  [[0x42, 0x5a, 0x68, 0x39, 0x31, 0x41], 'bzip2: bzip2 -dc FILE'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive: unzip -p FILE'],
];

function begins(bytes: Uint8Array, mark: readonly number[]): boolean {
  return mark.every((byte, index) => bytes[index] === byte);
}

/**
 * The bytes of a stream, unpacked when it begins as gzip does (several members, too). `maxBytes` limits what comes
 * out; null = 64 GiB, and at most 500 times the bytes that went in. DECOMPRESS_LIMIT beyond that; ENCODING for
 * other compressions, for damaged or cut gzip data, and for bytes behind them that are not zeros.
 */
export async function* unpacked(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number | null,
): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  const head = await headOf(chunks);
  const other = OTHERS.find(([mark]) => begins(head, mark));
  if (other !== undefined) {
    throw new JobhoursError(
      'ENCODING',
      `the input is compressed as ${other[1]} | jobhours import ... -`,
    );
  }
  const whole = rejoined(head, chunks);
  yield* begins(head, GZIP_MARK) ? limited(whole, maxBytes) : whole;
}

/** Enough bytes to tell what the input is, or all of it. */
async function headOf(chunks: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = Buffer.alloc(0);
  while (head.length < MARK_BYTES) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  return head;
}

async function* rejoined(
  head: Uint8Array,
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (head.length > 0) yield head;
  for (;;) {
    const next = await rest.next();
    if (next.done === true) return;
    yield next.value;
  }
}

async function* limited(
  packed: AsyncIterable<Uint8Array>,
  maxBytes: number | null,
): AsyncGenerator<Uint8Array> {
  const taken = { bytes: 0, lastFilledAt: -1 };
  let outBytes = 0;
  for await (const chunk of gunzipped(packed, taken)) {
    outBytes += chunk.length;
    const isTooLong = outBytes > (maxBytes ?? DEFAULT_MAX_DECOMPRESSED);
    const isBomb =
      maxBytes === null && outBytes > RATIO_FROM_BYTES && outBytes > taken.bytes * MAX_RATIO;
    if (isTooLong || isBomb) throw beyond(maxBytes, taken.bytes, outBytes, isTooLong);
    yield chunk;
  }
}

function beyond(
  maxBytes: number | null,
  inBytes: number,
  outBytes: number,
  isTooLong: boolean,
): JobhoursError {
  const limit = isTooLong
    ? `above the limit of ${maxBytes ?? DEFAULT_MAX_DECOMPRESSED} bytes`
    : `more than ${MAX_RATIO} times as many`;
  return new JobhoursError(
    'DECOMPRESS_LIMIT',
    `${inBytes} bytes of gzip come to ${outBytes} bytes and more, ${limit}: --max-decompressed SIZE allows it`,
    { inBytes, outBytes },
  );
}

/** What went into the gunzip: how many bytes, and where the last one stood that is not zero. */
interface Taken {
  bytes: number;
  lastFilledAt: number;
}

async function* gunzipped(
  packed: AsyncIterable<Uint8Array>,
  taken: Taken,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  const feeding = pipeline(counted(packed, taken), gunzip);
  // The gunzip is destroyed with the same error, and the loop below throws it.
  feeding.catch(() => undefined);
  try {
    for await (const chunk of gunzip as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: string };
    if (typeof code !== 'string' || !code.startsWith('Z_')) throw error;
    throw damaged(`${message ?? code} after ${gunzip.bytesWritten} bytes`);
  }
  // Padding with zeros is usual on tapes; zlib ignores it, and whatever follows it.
  if (taken.lastFilledAt < gunzip.bytesWritten) return;
  throw damaged(`other bytes follow its end at byte ${gunzip.bytesWritten}`);
}

function damaged(reason: string): JobhoursError {
  return new JobhoursError('ENCODING', `the gzip data are cut or damaged: ${reason}`);
}

async function* counted(
  packed: AsyncIterable<Uint8Array>,
  taken: Taken,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of packed) {
    for (let index = chunk.length - 1; index >= 0; index -= 1) {
      if (chunk[index] === 0) continue;
      taken.lastFilledAt = taken.bytes + index;
      break;
    }
    taken.bytes += chunk.length;
    yield chunk;
  }
}
