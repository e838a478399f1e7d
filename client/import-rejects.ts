/** The file of rejected records (`--rejects`): all of them as CSV. Owns its columns and its writing. */
import { open, type FileHandle } from 'node:fs/promises';
import { stringify } from 'csv-stringify/sync';
import type { Reject } from '../db/import-store.js';
import { JobhoursError } from '../domain/errors.js';

const COLUMNS = ['line', 'code', 'reason', 'record'] as const;
/** A spreadsheet would run a cell that begins with one of these (B25). */
const FORMULA = /^[=+\-@\t\r]/;

export type RejectPages = AsyncIterable<readonly Reject[]>;

/**
 * A writer of that file, opened at once so that a bad path is refused before the import begins: FILE_UNREADABLE.
 */
export async function openRejectsFile(
  path: string,
): Promise<{ write(pages: RejectPages): Promise<void>; close(): Promise<void> }> {
  let file: FileHandle;
  try {
    file = await open(path, 'w');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new JobhoursError(
      'FILE_UNREADABLE',
      `--rejects ${path}: ${reason}`,
      {},
      { cause: error },
    );
  }
  return {
    write: async (pages) => {
      await file.write(stringify([COLUMNS]));
      for await (const page of pages) {
        await file.write(
          stringify(page.map((one) => [one.line, one.code, cell(one.detail), cell(one.record)])),
        );
      }
    },
    close: () => file.close(),
  };
}

function cell(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text;
}
