/** The file of rejected records (`--rejects`): all of them as CSV. Owns its columns and its writing. */
import { open, type FileHandle } from 'node:fs/promises';
import type { Reject } from '../db/import-store.js';
import { JobhoursError } from '../domain/errors.js';
import { csvText } from './csv-text.js';

export type RejectPages = AsyncIterable<readonly Reject[]>;

export interface RejectsFile {
  readonly write: (pages: RejectPages) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * A writer of that file, opened at once so that a bad path is refused before the import begins: FILE_UNREADABLE.
 */
export async function openRejectsFile(path: string): Promise<RejectsFile> {
  let file: FileHandle;
  try {
    file = await open(path, 'w');
  } catch (error) {
    const { message: reason = String(error) } = error as { readonly message?: string };
    throw new JobhoursError(
      'FILE_UNREADABLE',
      `--rejects ${path}: ${reason}`,
      {},
      { cause: error },
    );
  }
  return {
    write: async (pages) => {
      await file.write(csvText([['line', 'code', 'reason', 'record']]));
      for await (const page of pages) {
        const rows = page.map(({ line, code, detail, record }) => [line, code, detail, record]);
        await file.write(csvText(rows));
      }
    },
    close: () => file.close(),
  };
}
