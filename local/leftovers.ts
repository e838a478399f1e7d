/**
 * Folders that a process makes for itself and that outlive it when it is killed.
 * Owns their names (`<prefix><pid>-<random>`) and their removal once the process is gone.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf } from './process-identity.js';

/** Creates an own folder `<parent>/<prefix><pid>-<random>` with mode 0700 and returns its path. */
export function makeOwnFolder(parent: string, prefix: string): Promise<string> {
  return mkdtemp(join(parent, `${prefix}${process.pid}-`));
}

/** Removes the folders of that prefix whose process is gone; what cannot be removed stays. */
export async function removeLeftovers(parent: string, prefix: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    if (!name.startsWith(prefix)) continue;
    const pid = Number(/^(\d+)-/.exec(name.slice(prefix.length))?.[1]);
    if (!Number.isSafeInteger(pid) || (await identityOf(pid)) !== null) continue;
    // Another user's folder in a shared temp folder is that user's to remove.
    await rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined);
  }
}
