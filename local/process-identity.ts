/**
 * Tells one process from another that later got the same pid.
 * Owns the identity of processes and the question whether a noted process still runs.
 * Does not start or end processes (process.ts).
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** A process as it is written into lock files and published addresses. */
export interface ProcessMark {
  readonly pid: number;
  /** Start of the process in a form that only comparison may read; empty where it cannot be known. */
  readonly identity: string;
}

/** Runs `ps` for one pid and one column; null when there is no such process. */
function psColumn(pid: number, column: string): Promise<string | null> {
  const environment = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
  return new Promise((resolve) => {
    execFile('ps', ['-o', `${column}=`, '-p', String(pid)], { env: environment }, (error, out) => {
      resolve(error ? null : out.trim() || null);
    });
  });
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Fields of /proc/PID/stat from the third (state) on; null for an absent process. */
async function linuxStat(pid: number): Promise<readonly string[] | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field, the program's name in parentheses, may itself hold spaces and parentheses.
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

async function linuxIdentity(pid: number): Promise<string | null> {
  const fields = await linuxStat(pid);
  if (fields === null) return exists(pid) ? '' : null;
  const [state, startTicks] = [fields[0] ?? '', fields[19] ?? ''];
  if (state === 'Z' || state === 'X') return null;
  // Ticks count from the boot, so that only both together name one process for ever.
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${boot.trim()}:${startTicks}`;
}

/** Identity of a running process, '' when it runs but cannot be read, null when it is gone (a zombie is gone). */
export async function identityOf(pid: number): Promise<string | null> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return null;
  if (process.platform === 'linux') return linuxIdentity(pid);
  return (await psColumn(pid, 'lstart')) ?? (exists(pid) ? '' : null);
}

/** This process. */
export async function ownMark(): Promise<ProcessMark> {
  return { pid: process.pid, identity: (await identityOf(process.pid)) ?? '' };
}

/** True while the very process that was marked runs; a recycled pid is not taken for it. */
export async function isRunning(mark: ProcessMark): Promise<boolean> {
  const identity = await identityOf(mark.pid);
  if (identity === null) return false;
  return identity === '' || mark.identity === '' || identity === mark.identity;
}

/** Name of the program that a pid runs ('postgres'); null when it is gone or cannot be read. */
export async function programNameOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') {
    return (await psColumn(pid, 'comm'))?.split('/').pop() ?? null;
  }
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => null);
  return name === null ? null : name.trim();
}
