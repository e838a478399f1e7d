/**
 * What `dev` and `demo` have in common: their home, servers in parallel, the worker and the schedules, waiting
 * for the end. Everything started is noted for closing; the frame closes it in reverse order, which is worker,
 * connections, Temporal, PostgreSQL, home.
 */
import { JobhoursError } from '../../domain/errors.js';
import { EMBEDDED_ZONE } from '../../domain/settings.js';
import { acquire, type HomeLock } from '../../local/home.js';
import { openBooksAt, type OpenBooks } from '../open-books.js';
import type { TemporalClient } from '../temporal.js';
import type { ProcessContext } from './context.js';
import { screenLine, secondsText } from './screen.js';
import { shownHome, startDatabase, type RunningDatabase, type RunningTemporal } from './servers.js';

/** `dev` waits this long for a short command that holds the home. */
const HOME_WAIT_MS = 60_000;
/** The worker builds several periods at once, beside plans and ticks. */
const WORKER_CONNECTIONS = 10;

/** Takes the home; HOME_BUSY names who keeps it. */
export async function holdHome(
  context: ProcessContext,
  home: string,
  command: string,
): Promise<HomeLock> {
  const onProgress = (text: string): void => context.note(text);
  const lock = await acquire(home, { command, waitMs: HOME_WAIT_MS, onProgress });
  context.stopping.closing(() => lock.release());
  return lock;
}

/** PostgreSQL and the books in it. */
export interface StartedBooks {
  readonly database: RunningDatabase;
  readonly open: OpenBooks;
}

/** Starts or joins PostgreSQL and opens the books. */
export async function startBooks(
  context: ProcessContext,
  home: string,
  isDemo: boolean,
): Promise<StartedBooks> {
  const { settings, stopping } = context;
  const database = await startDatabase(settings, home, stopping, (text) => context.note(text));
  const isEmbedded = database.server !== null;
  const open = await openBooksAt({
    databaseUrl: database.url,
    settings,
    isEmbedded,
    isDemo,
    opens: true,
    folder: isEmbedded ? shownHome(home) : null,
    defaultZone: isEmbedded ? EMBEDDED_ZONE : null,
    maxConnections: WORKER_CONNECTIONS,
  });
  stopping.closing(() => open.database.close());
  return { database, open };
}

/** The line about PostgreSQL. */
export function databaseLine({ server }: RunningDatabase): string {
  if (server === null) return screenLine('PostgreSQL', 'the one of DATABASE_URL');
  const { version, port, readyInMs } = server;
  return screenLine(
    'PostgreSQL',
    `${version} embedded, port ${port}`,
    `ready in ${secondsText(readyInMs)}`,
  );
}

/** The lines about Temporal and its UI. */
export function temporalLines({ server }: RunningTemporal): string[] {
  if (server === null) return [screenLine('Temporal', 'the one of TEMPORAL_ADDRESS')];
  const { version, address, namespace, uiAddress, readyInMs } = server;
  const text = `${version} embedded, ${address}, namespace ${namespace}`;
  const ui = uiAddress === null ? [] : [screenLine('Temporal UI', uiAddress)];
  return [screenLine('Temporal', text, `ready in ${secondsText(readyInMs)}`), ...ui];
}

/** A worker and a connection that work in this process. */
export interface Keeping {
  readonly temporal: TemporalClient;
  /** Settles when the worker ends; rejects when it fails. */
  readonly ended: Promise<void>;
}

/** Loads what a worker needs: 0.3 to 1 s that pass while the servers start. */
export function preloadWorker(): void {
  const modules = Promise.all([import('../../workers/worker.js'), import('../temporal.js')]);
  // Whoever needs them imports them again and gets the error.
  modules.catch(() => undefined);
}

/** Starts the worker of these books. */
export async function startKeeping(
  context: ProcessContext,
  open: OpenBooks,
  { target }: RunningTemporal,
): Promise<Keeping> {
  const [{ startWorker }, { connectTemporal }] = await Promise.all([
    import('../../workers/worker.js'),
    import('../temporal.js'),
  ]);
  const temporal = await connectTemporal(target);
  context.stopping.closing(() => temporal.close());
  const { settings, books, databaseUrl } = open;
  const worker = await startWorker({
    databaseUrl,
    temporal: target,
    graceMs: settings.graceMs,
    catchUpMs: settings.catchUpMs,
    databaseTimeoutMs: settings.databaseTimeoutMs,
    // A person reads this screen: the worker's ordinary lines stay out of it.
    logLevel: settings.logLevel === 'info' ? 'warn' : settings.logLevel,
    logFormat: 'sentences',
    metricsAddress: settings.metricsAddress,
    booksName: books.name,
  });
  context.stopping.closing(() => worker.shutdown());
  return { temporal, ended: worker.run };
}

/** Resolves when the process is told to stop; rejects when a server or the worker ends by itself. */
export async function untilStopped(
  context: ProcessContext,
  database: RunningDatabase,
  temporal: RunningTemporal | null,
  keeping: Keeping | null,
): Promise<void> {
  const never = new Promise<never>(() => undefined);
  await Promise.race([
    context.untilStopped(),
    diedOf('PostgreSQL', 'DATABASE_MISSING', database.server?.exited ?? never),
    diedOf('Temporal', 'TEMPORAL_MISSING', temporal?.server?.exited ?? never),
    diedOf('the worker', 'UNEXPECTED', keeping?.ended.then(() => 'no reason given') ?? never),
  ]);
}

async function diedOf(
  what: string,
  code: 'DATABASE_MISSING' | 'TEMPORAL_MISSING' | 'UNEXPECTED',
  exited: Promise<string>,
): Promise<never> {
  throw new JobhoursError(code, `${what} ended by itself: ${await exited}`);
}

/** Both results; when one fails, the failure, after the other has come to its end and can be closed. */
export async function together<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  const [a, b] = await Promise.allSettled([first, second]);
  if (a.status === 'rejected') throw a.reason;
  if (b.status === 'rejected') throw b.reason;
  return [a.value, b.value];
}
