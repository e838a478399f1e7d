/**
 * The data folder of the embedded PostgreSQL: creation at once and whole, password, process file.
 * Starting the server is postgres.ts.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { JobhoursError } from '../domain/errors.js';
import { makeOwnFolder, removeLeftovers } from './leftovers.js';
import { handOver, type PostgresAccount } from './postgres-account.js';
import type { PostgresBinaries } from './postgres-binaries.js';
import { programNameOf } from './process-identity.js';
import { runProgram } from './process.js';

const INITDB_DEADLINE_MS = 120_000;
const PASSWORD_FILE = 'jobhours.password';

/** Environment of PostgreSQL's programs: nothing of ours, so that no PG* variable reaches them. */
export function postgresEnvironment(): Record<string, string> {
  const libraries = process.env['LD_LIBRARY_PATH'];
  const environment = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
  return libraries === undefined ? environment : { ...environment, LD_LIBRARY_PATH: libraries };
}

/** Major version of the data; null when there are none yet. */
export async function dataMajor(dataFolder: string): Promise<number | null> {
  const text = await readFile(join(dataFolder, 'PG_VERSION'), 'utf8').catch(() => null);
  return text === null ? null : Number.parseInt(text, 10);
}

/** Password of user `postgres`. POSTGRES_START when the folder has none. */
export async function readPassword(dataFolder: string): Promise<string> {
  try {
    return (await readFile(join(dataFolder, PASSWORD_FILE), 'utf8')).trim();
  } catch (error) {
    throw new JobhoursError(
      'POSTGRES_START',
      `${dataFolder} was not made by jobhours: it has no readable ${PASSWORD_FILE}`,
      { dataFolder },
      { cause: error },
    );
  }
}

/** Runs initdb; C.UTF-8 where the machine has it (macOS before 14 has not), else C. */
async function runInitdb(
  binaries: PostgresBinaries,
  account: PostgresAccount,
  folder: string,
  sync: boolean,
): Promise<void> {
  let words = '';
  for (const locale of ['C.UTF-8', 'C']) {
    const identity = ['--username=postgres', `--pwfile=${join(folder, PASSWORD_FILE)}`];
    const text = ['--encoding=UTF8', '--locale-provider=libc', `--locale=${locale}`];
    const run = await runProgram(
      {
        program: join(binaries.folder, 'initdb'),
        args: [
          ...['-D', join(folder, 'data'), '--auth=scram-sha-256', ...identity, ...text],
          ...(sync ? [] : ['--no-sync']),
        ],
        environment: postgresEnvironment(),
        prefix: account.prefix,
      },
      INITDB_DEADLINE_MS,
    );
    if (run.ok) return;
    words = `${run.outcome}: ${run.output}`;
    if (!/locale/i.test(words)) break;
  }
  throw new JobhoursError('POSTGRES_START', `initdb failed as ${account.name}: ${words}`);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

/**
 * Creates the data folder (mode 0700) in one step: it is absent or complete, whatever is killed.
 * Every connection needs a random password, even on loopback: a superuser of the database can run
 * programs as the account of the server, and loopback is open to every user of the machine.
 */
export async function createData(
  binaries: PostgresBinaries,
  account: PostgresAccount,
  dataFolder: string,
  sync: boolean,
): Promise<void> {
  const [parent, prefix] = [dirname(dataFolder), `${basename(dataFolder)}.new-`];
  await removeLeftovers(parent, prefix);
  const folder = await makeOwnFolder(parent, prefix);
  try {
    const password = join(folder, PASSWORD_FILE);
    await writeFile(password, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600, flush: sync });
    await handOver(account, password);
    await handOver(account, folder);
    await runInitdb(binaries, account, folder, sync);
    await rename(password, join(folder, 'data', PASSWORD_FILE));
    await rename(join(folder, 'data'), dataFolder).catch(async (error: unknown) => {
      // Another process created the same data at the same time; starting on them tells who runs.
      if ((await dataMajor(dataFolder)) === null) throw error;
    });
    if (sync) await syncFolder(parent);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the server notes of itself in its process file. */
interface ProcessFile {
  readonly pid: number;
  readonly port: number;
  readonly isReady: boolean;
}

/** The process file of the data folder (format: PostgreSQL's miscadmin.h); null when there is none. */
export async function readProcessFile(dataFolder: string): Promise<ProcessFile | null> {
  const text = await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n').map((line) => line.trim());
  return { pid: Number(lines[0]), port: Number(lines[3]), isReady: lines[7] === 'ready' };
}

/**
 * A pid in a left-over process file that some other program has got meanwhile, as is usual in
 * containers; null when there is none. PostgreSQL would take that program for its running server.
 */
export async function recycledPid(dataFolder: string): Promise<number | null> {
  const noted = await readProcessFile(dataFolder);
  if (noted === null) return null;
  const name = await programNameOf(noted.pid);
  return name === null || name === 'postgres' ? null : noted.pid;
}

/** True when the folder holds files but no data of PostgreSQL. */
export async function isForeign(dataFolder: string): Promise<boolean> {
  const names = await readdir(dataFolder).catch(() => []);
  return names.length > 0 && (await dataMajor(dataFolder)) === null;
}
