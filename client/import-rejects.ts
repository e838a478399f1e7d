/** The file of rejected records (`--rejects`): all of them as CSV. Owns its columns, its writing and what it may replace. */
import { fstatSync } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import type { Reject } from '../db/import-store.js';
import { JobhoursError } from '../domain/errors.js';
import { quotedValue } from '../domain/quoted-value.js';
import { csvText } from './csv-text.js';
import { PendingFile } from './usage-filing.js';

export type RejectPages = AsyncIterable<readonly Reject[]>;

export interface RejectsFile {
  /** Writes all of them; then the file has its name. */
  readonly write: (pages: RejectPages) => Promise<void>;
  /** Leaves nothing of what was not written to its end. */
  readonly close: () => Promise<void>;
}

/**
 * A writer of that file, begun at once so that a bad path is refused before the import begins: FILE_UNWRITABLE, and USAGE
 * when it is one of the `inputs` (paths, `-` = standard input), which would be lost. Another file of that name is
 * replaced as a whole; a pipe or terminal is written to.
 */
export async function openRejectsFile(
  path: string,
  inputs: readonly string[],
): Promise<RejectsFile> {
  const target = await realpath(path).catch(() => path);
  const found = await stat(target).catch(() => null);
  for (const input of found?.isFile() === true ? inputs : []) {
    const facts = input === '-' ? fstatSync(0) : await stat(input).catch(() => null);
    if (facts?.dev === found?.dev && facts?.ino === found?.ino) throw isInput(path);
  }
  return found === null || found.isFile() ? replacing(target) : writingTo(target);
}

function isInput(path: string): JobhoursError {
  return new JobhoursError(
    'USAGE',
    `--rejects ${quotedValue(path)} is the input itself, which would be lost: name another file`,
  );
}

function replacing(path: string): RejectsFile {
  const file = new PendingFile(path);
  return {
    write: async (pages) => {
      for await (const text of rejectTexts(pages)) file.write(text);
      file.finish();
      file.publish(true);
    },
    close: () => {
      file.remove();
      return Promise.resolve();
    },
  };
}

async function writingTo(path: string): Promise<RejectsFile> {
  const file = await open(path, 'w').catch((error: unknown) => {
    const { message: reason = String(error) } = error as { readonly message?: string };
    const said = `--rejects ${quotedValue(path)}: ${reason}`;
    throw new JobhoursError('FILE_UNWRITABLE', said, {}, { cause: error });
  });
  return {
    write: async (pages) => {
      for await (const text of rejectTexts(pages)) await file.write(text);
    },
    close: () => file.close(),
  };
}

async function* rejectTexts(pages: RejectPages): AsyncGenerator<string> {
  yield csvText([['line', 'code', 'reason', 'record']]);
  for await (const page of pages) {
    yield csvText(page.map(({ line, code, detail, record }) => [line, code, detail, record]));
  }
}
