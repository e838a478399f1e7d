/**
 * Starts the servers that `dev`, `demo` and short commands need, unless the environment names them.
 * Owns the layout of a home and what is noted for closing; how a server starts is local/'s.
 */
import { access } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { Settings } from '../../domain/settings.js';
import { startPostgres, type PostgresServer } from '../../local/postgres.js';
import { findTemporal, startTemporal, type TemporalServer } from '../../local/temporal.js';
import type { Stopping } from './stopping.js';

/** Where Temporal answers: an embedded server, or null for the one that the environment names. */
export type TemporalTarget = { readonly address: string; readonly namespace: string } | null;

/** The embedded Temporal server's namespace. */
export const NAMESPACE = 'jobhours';

/** The home of `dev` and of commands that start PostgreSQL for themselves. */
export const booksHome = (settings: Settings): string => join(resolve(settings.home), 'books');
/** A home as people write it: `./.jobhours/demo` below the working folder, else its absolute path. */
export function shownHome(home: string): string {
  const path = relative('.', home);
  return path === '' || path.startsWith('..') ? home : `./${path}`;
}

/** False when there is certainly no such file or folder. */
function mayExist(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}

const dataFolderOf = (home: string): string => join(home, 'postgres');

/** Whether a home has data of PostgreSQL. */
export const hasData = (home: string): Promise<boolean> => mayExist(dataFolderOf(home));

/** Whether a process holds a home, or died while it did. */
export const isHeld = (home: string): Promise<boolean> => mayExist(join(home, 'lock'));

/** The home of the demo. */
export const demoHome = (settings: Settings): string => join(resolve(settings.home), 'demo');

/** PostgreSQL for `dev`, `demo` or one command. */
export interface RunningDatabase {
  readonly url: string;
  /** Null when DATABASE_URL names one. */
  readonly server: PostgresServer | null;
  /** Stops the embedded server; leaves a given one alone. */
  stop(): Promise<void>;
}

/** The given database, or PostgreSQL on the data below a home whose lock the caller holds. */
export async function startDatabase(
  settings: Settings,
  home: string,
  stopping: Stopping,
  note: (text: string) => void,
): Promise<RunningDatabase> {
  if (settings.databaseUrl !== null) {
    return { url: settings.databaseUrl, server: null, stop: () => Promise.resolve() };
  }
  const server = await startPostgres({
    dataFolder: dataFolderOf(home),
    durable: true,
    onProgress: note,
  });
  return { url: server.url, server, stop: stopping.closing(() => server.stop()) };
}

/** Temporal for `dev` and `demo`. */
export interface RunningTemporal {
  readonly target: TemporalTarget;
  /** Null when the environment names one. */
  readonly server: TemporalServer | null;
  /** Stops the embedded server; leaves a given one alone. */
  stop(): Promise<void>;
}

/** The given Temporal, or the dev server on the data below a home whose lock the caller holds. */
export async function startWorkflows(
  settings: Settings,
  home: string,
  stopping: Stopping,
  note: (text: string) => void,
): Promise<RunningTemporal> {
  if (settings.isTemporalGiven) {
    return { target: null, server: null, stop: () => Promise.resolve() };
  }
  const program = await findTemporal({
    explicit: settings.temporalCli ?? undefined,
    onProgress: note,
  });
  const server = await startTemporal({
    program,
    databaseFile: join(home, 'temporal.sqlite'),
    namespace: NAMESPACE,
    ui: true,
    onProgress: note,
  });
  const { address, namespace } = server;
  return {
    target: { address, namespace },
    server,
    stop: stopping.closing(() => server.stop()),
  };
}
