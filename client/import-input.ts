/** Where the bytes of an import come from: a file or standard input. Owns opening and naming them. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { JobhoursError } from '../domain/errors.js';
import { quotedValue } from '../domain/quoted-value.js';

export interface ImportInput {
  /** How the books call it: the path, quoted when it has control characters, or `-`. */
  readonly name: string;
  readonly stream: AsyncIterable<Uint8Array>;
  /** Null when nobody knows: a pipe. */
  readonly totalBytes: number | null;
}

/** The file of that name, or standard input for `-`. FILE_UNREADABLE, also when reading fails later. */
export async function openImportInput(
  path: string,
  stdin: AsyncIterable<Uint8Array>,
): Promise<ImportInput> {
  // No file's name may look like another line of a list (B28).
  const name = /\p{C}/u.test(path) ? quotedValue(path) : path;
  if (path === '-') return { name, stream: readable(name, stdin), totalBytes: null };
  try {
    const { size, isFile } = await fileFacts(path);
    const stream = createReadStream(path, { highWaterMark: 262_144 });
    return { name, stream: readable(name, stream), totalBytes: isFile ? size : null };
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function fileFacts(name: string): Promise<{ size: number; isFile: boolean }> {
  const facts = await stat(name);
  if (facts.isDirectory()) throw new Error('it is a folder');
  return { size: facts.size, isFile: facts.isFile() };
}

async function* readable(
  name: string,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((error: unknown) => {
      throw unreadable(name, error);
    });
    if (next.done === true) return;
    yield next.value;
  }
}

function unreadable(name: string, error: unknown): JobhoursError {
  const { message: reason = String(error) } = error as { readonly message?: string };
  return new JobhoursError(
    'FILE_UNREADABLE',
    `${name}: ${reason}`,
    { file: name },
    { cause: error },
  );
}
