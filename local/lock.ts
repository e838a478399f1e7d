/**
 * A lock file that one process holds at a time and that dies with its holder.
 * Owns atomic creation, recognising a dead holder, and taking over from it without a race.
 * What a lock protects is the caller's matter (home.ts, temporal-program.ts).
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, ownMark, type ProcessMark } from './process-identity.js';

export interface LockHolder extends ProcessMark {
  /** What the holder is doing, for messages. */
  readonly command: string;
  /** Different for every acquisition. */
  readonly token: string;
}

export interface Lock {
  readonly holder: LockHolder;
  /** Gives the lock back; a lock that another process has taken over is left alone. */
  release(): Promise<void>;
}

export interface LockRequest {
  readonly command: string;
  /** How long to wait for a living holder; 0 = not at all. */
  readonly waitMs: number;
  /** Called once with the holder that is waited for, after a second: who lets go before is no news. */
  readonly onWait?: (holder: LockHolder) => void;
  /** Asked while waiting; true ends the wait at once. */
  readonly giveUp?: () => Promise<boolean>;
}

const POLL_MS = 25;
const ANNOUNCED_AFTER_MS = 1_000;

/** Text of the file, null when it is absent. */
async function readText(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

/** The holder that a lock's text names; a text that was cut off by a power loss names a dead one. */
function parseHolder(text: string): LockHolder {
  try {
    const { pid, identity, command, token } = JSON.parse(text) as Record<string, unknown>;
    return {
      pid: Number(pid),
      identity: String(identity),
      command: String(command),
      token: String(token),
    };
  } catch {
    return { pid: 0, identity: '', command: 'unknown', token: text };
  }
}

/** Creates the file with its whole content, or returns false because it exists. */
async function create(file: string, holder: LockHolder): Promise<boolean> {
  const draft = `${file}.${holder.token}`;
  await writeFile(draft, JSON.stringify(holder), { mode: 0o600 });
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Removes the lock of a dead holder. Only the holder of a second lock may do so, after looking
 * again: otherwise the slower of two would remove the lock that the faster one has just created.
 */
async function removeDead(file: string, text: string): Promise<void> {
  const breaker = await acquireLock(`${file}.break`, { command: 'take over', waitMs: 2000 });
  if (!('lock' in breaker)) return;
  try {
    if ((await readText(file)) === text) await rm(file, { force: true });
  } finally {
    await breaker.lock.release();
  }
}

/** Takes the lock, or names the living process that holds it and did not let go in `waitMs`. */
export async function acquireLock(
  file: string,
  request: LockRequest,
): Promise<{ lock: Lock } | { heldBy: LockHolder }> {
  const beganMs = performance.now();
  const endsAtMs = beganMs + request.waitMs;
  const own = { ...(await ownMark()), command: request.command, token: randomUUID() };
  let isAnnounced = false;
  for (;;) {
    const text = await readText(file);
    if (text === null) {
      if (await create(file, own))
        return { lock: { holder: own, release: () => release(file, own) } };
      continue;
    }
    const holder = parseHolder(text);
    if (!(await isRunning(holder))) {
      await removeDead(file, text);
      continue;
    }
    if (performance.now() >= endsAtMs || (await request.giveUp?.())) return { heldBy: holder };
    if (!isAnnounced && performance.now() - beganMs >= ANNOUNCED_AFTER_MS) {
      isAnnounced = true;
      request.onWait?.(holder);
    }
    await delay(POLL_MS);
  }
}

async function release(file: string, own: LockHolder): Promise<void> {
  const text = await readText(file);
  if (text !== null && parseHolder(text).token === own.token) await rm(file, { force: true });
}
