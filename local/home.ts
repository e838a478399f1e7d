/**
 * A home: the folder that keeps the servers' data of one set of books (`.jobhours/books`).
 * Owns its creation, its one lock, and the addresses that whoever runs the servers publishes.
 * The servers themselves are started by the callers.
 */
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { JobhoursError } from '../domain/errors.js';
import { makeFolder } from './folder.js';
import { acquireLock, type Lock, type LockHolder } from './lock.js';
import { isRunning } from './process-identity.js';

/** Where the servers of a home answer. */
export interface Addresses {
  readonly databaseUrl: string;
  readonly temporalAddress: string | null;
  readonly temporalNamespace: string | null;
  readonly uiAddress: string | null;
}

/** Addresses, and the process that keeps the servers. */
export interface PublishedServers extends Addresses {
  readonly pid: number;
  readonly command: string;
}

/** The lock of a home, held by this process. */
export interface HomeLock {
  /** Makes the addresses known to other processes; a second call replaces them. */
  publish(addresses: Addresses): Promise<void>;
  /** Withdraws the addresses and gives the home back. */
  release(): Promise<void>;
}

export interface HomeRequest {
  /** What this process is doing, for the messages of others: `jobhours dev`. */
  readonly command: string;
  /** How long to wait for the process that holds the home. */
  readonly waitMs: number;
  /** Called once when the home is not free within a second: who keeps it. */
  readonly onProgress?: (text: string) => void;
}

const lockFile = (home: string): string => join(home, 'lock');
const publishedFile = (home: string): string => join(home, 'servers.json');

/**
 * Creates the folder (mode 0700, kept out of version control) if absent; returns its absolute path.
 * CONFIG when it cannot be created or written.
 */
export async function ensureHome(folder: string): Promise<string> {
  const home = resolve(folder);
  try {
    await makeFolder(dirname(home));
    await mkdir(home, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await writeFile(join(home, '.gitignore'), '*\n');
  } catch (error) {
    const reason = (error as Error).message;
    throw new JobhoursError(
      'CONFIG',
      `JOBHOURS_HOME must be a folder that this user can write: ${reason}`,
      { home },
      { cause: error },
    );
  }
  return home;
}

/** The published addresses; null when there are none or the process that published them is gone. */
export async function readPublished(folder: string): Promise<PublishedServers | null> {
  const text = await readFile(publishedFile(resolve(folder)), 'utf8').catch(() => null);
  if (text === null) return null;
  const { holder, addresses } = JSON.parse(text) as { holder: LockHolder; addresses: Addresses };
  if (!(await isRunning(holder))) return null;
  return { ...addresses, pid: holder.pid, command: holder.command };
}

async function publish(home: string, lock: Lock, addresses: Addresses): Promise<void> {
  const draft = `${publishedFile(home)}.${lock.holder.token}`;
  // 0600: the database URL carries a password.
  await writeFile(draft, JSON.stringify({ holder: lock.holder, addresses }), { mode: 0o600 });
  await rename(draft, publishedFile(home));
}

async function holdHome(home: string, lock: Lock): Promise<HomeLock> {
  await rm(publishedFile(home), { force: true });
  return {
    publish: (addresses) => publish(home, lock, addresses),
    release: async () => {
      await rm(publishedFile(home), { force: true });
      await lock.release();
    },
  };
}

/** Who keeps a home, as people are told. */
const keeperText = ({ command, pid }: LockHolder): string => `${command} (pid ${pid})`;

/** `isPublished`: the holder keeps servers that other commands join, so waiting for it is in vain. */
function busy(home: string, holder: LockHolder, isPublished: boolean): JobhoursError {
  const advice = isPublished
    ? 'other commands join its servers; stop it before another one is started'
    : "wait for its end and say the same again, or run 'jobhours dev' in another terminal, so that commands can work side by side";
  return new JobhoursError('HOME_BUSY', `${home} is kept by ${keeperText(holder)}: ${advice}`, {
    home,
    pid: holder.pid,
    command: holder.command,
  });
}

/** Waits for the lock, but no longer than until its holder publishes: such a holder is there to stay. */
async function requestLock(
  home: string,
  request: HomeRequest,
): Promise<{ lock: HomeLock } | { heldBy: LockHolder }> {
  const answer = await acquireLock(lockFile(home), {
    command: request.command,
    waitMs: request.waitMs,
    giveUp: async () => (await readPublished(home)) !== null,
    onWait: (holder) =>
      request.onProgress?.(`waiting for ${keeperText(holder)}, which keeps ${home}`),
  });
  return 'lock' in answer ? { lock: await holdHome(home, answer.lock) } : answer;
}

/**
 * Takes the lock of a home, creating the folder if absent.
 * HOME_BUSY (names pid, command and home) at once when its holder has published addresses, and
 * after `waitMs` when a holder that has not published keeps it. A dead holder's lock is taken over.
 */
export async function acquire(folder: string, request: HomeRequest): Promise<HomeLock> {
  const home = await ensureHome(folder);
  const answer = await requestLock(home, request);
  if ('lock' in answer) return answer.lock;
  throw busy(home, answer.heldBy, (await readPublished(home)) !== null);
}

/**
 * Joins the servers that another process published, or takes the lock to start them; HOME_BUSY
 * when neither came to pass within `waitMs`.
 */
export async function acquireOrJoin(
  folder: string,
  request: HomeRequest,
): Promise<{ lock: HomeLock } | { servers: PublishedServers }> {
  const home = await ensureHome(folder);
  const endsAtMs = performance.now() + request.waitMs;
  for (;;) {
    const waitMs = Math.max(0, endsAtMs - performance.now());
    const answer = await requestLock(home, { ...request, waitMs });
    if ('lock' in answer) return answer;
    const servers = await readPublished(home);
    if (servers !== null) return { servers };
    // A holder that withdrew its addresses between the two looks is just leaving: look again.
    if (waitMs === 0) throw busy(home, answer.heldBy, false);
  }
}
