/**
 * Files that appear whole or not at all, an answer and its manifest beside it. Owns temporary names, syncing, renaming
 * and the refusal to overwrite; what stands in the files is the caller's (also client/import-rejects.ts).
 */
import { createHash, randomBytes, type Hash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { JobhoursError } from '../domain/errors.js';

/** What is known of a file that was written. */
export interface FileFacts {
  /** Name without folders. */
  readonly file: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

/** Where the manifest of an answer stands. */
export function manifestPath(path: string): string {
  return `${path}.manifest.json`;
}

/**
 * An answer that is being filed. Nothing has its final name before `finish`; `abandon` leaves nothing. Writes are
 * synchronous, so that what prints need not wait.
 */
export class Filing {
  readonly #data: PendingFile;
  readonly #manifest: PendingFile;

  /**
   * Begins to file an answer at `path`. EXISTS when it or its manifest is there and `overwrites` is not said;
   * FILE_UNWRITABLE when the folder takes no file, or something there is no file (B84).
   */
  constructor(
    private readonly path: string,
    private readonly overwrites: boolean,
  ) {
    for (const final of [path, manifestPath(path)]) refuseTaken(final, overwrites);
    this.#data = new PendingFile(path);
    try {
      this.#manifest = new PendingFile(manifestPath(path));
    } catch (error) {
      this.#data.remove();
      throw error;
    }
  }

  /** Adds to the answer. FILE_UNWRITABLE, also when the disk is full. */
  write(text: string): void {
    this.#data.write(text);
  }

  /**
   * Syncs the answer, writes the manifest that `manifestOf` makes of it, and gives both their names: the answer first,
   * so that a manifest never stands without what it vouches for. Errors as above; then nothing new is left.
   */
  finish(manifestOf: (facts: FileFacts) => string): FileFacts {
    const facts = this.#data.finish();
    this.#manifest.write(manifestOf(facts));
    this.#manifest.finish();
    // An older manifest must not stand beside a newer answer, not even after a crash.
    if (this.overwrites)
      attempt(manifestPath(this.path), () => removeFile(manifestPath(this.path)));
    this.#data.publish(this.overwrites);
    try {
      this.#manifest.publish(this.overwrites);
    } catch (error) {
      if (!this.overwrites) removeFile(this.path);
      throw error;
    }
    syncFolder(dirname(this.path));
    return facts;
  }

  /** Removes what has no final name yet. */
  abandon(): void {
    this.#data.remove();
    this.#manifest.remove();
  }
}

/** One such file. Errors as of Filing. */
export class PendingFile {
  readonly #temporary: string;
  readonly #hash: Hash = createHash('sha256');
  readonly #removeAtExit = (): void => this.remove();
  #descriptor: number | null;
  #bytes = 0;

  constructor(private readonly path: string) {
    const name = `.${basename(path)}.${randomBytes(6).toString('hex')}.partial`;
    this.#temporary = join(dirname(path), name);
    this.#descriptor = attempt(path, () => openSync(this.#temporary, 'wx'));
    process.once('exit', this.#removeAtExit);
  }

  write(text: string): void {
    const bytes = Buffer.from(text);
    const descriptor = this.#descriptor;
    if (descriptor === null) throw new RangeError(`${this.path} is finished`);
    attempt(this.path, () => {
      for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
    });
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
  }

  finish(): FileFacts {
    const descriptor = this.#descriptor;
    if (descriptor === null) throw new RangeError(`${this.path} is finished`);
    attempt(this.path, () => fsyncSync(descriptor));
    this.#close();
    return { file: basename(this.path), bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  /** Gives it its name, after `finish`. */
  publish(overwrites: boolean): void {
    attempt(this.path, () => {
      if (overwrites || !linked(this.#temporary, this.path)) {
        refuseTaken(this.path, overwrites);
        renameSync(this.#temporary, this.path);
      }
    });
    this.remove();
  }

  remove(): void {
    process.off('exit', this.#removeAtExit);
    this.#close();
    removeFile(this.#temporary);
  }

  #close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}

/** Gives a file its name unless something has it (EXISTS), in one step. False where there are no hard links. */
function linked(temporary: string, path: string): boolean {
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw taken(path);
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') return false;
    throw error;
  }
}

function refuseTaken(path: string, overwrites: boolean): void {
  const found = attempt(path, () => lstatSync(path, { throwIfNoEntry: false }));
  if (found === undefined) return;
  if (!overwrites) throw taken(path);
  if (!found.isFile()) throw unwritable(path, 'it is not a regular file');
}

function taken(path: string): JobhoursError {
  return new JobhoursError(
    'EXISTS',
    `${path} exists and is not overwritten: take another name, or give --force`,
    { file: path },
  );
}

function unwritable(path: string, reason: string, cause?: unknown): JobhoursError {
  return new JobhoursError(
    'FILE_UNWRITABLE',
    `${path} cannot be written: ${reason}`,
    { file: path },
    { cause },
  );
}

/** Runs one step on the file system; what the system refuses is FILE_UNWRITABLE. */
function attempt<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (error instanceof JobhoursError) throw error;
    const { message: reason = String(error) } = error as { readonly message?: string };
    // `ENOSPC: no space left on device, write`: what follows the comma names the temporary file.
    throw unwritable(path, reason.split(', ')[0] ?? reason, error);
  }
}

function removeFile(path: string): void {
  rmSync(path, { force: true });
}

/** Names are as durable as what they name. */
function syncFolder(folder: string): void {
  attempt(folder, () => {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  });
}
