/**
 * A worker process's heart: connects, wires the activities, polls, stops in order. Owns the lives of the connection
 * to Temporal, the pool and the pollers; what the activities do is activities/.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { readBooks, type Books } from '../db/books-store.js';
import { requireClock } from '../db/clock.js';
import { Database } from '../db/database.js';
import { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { ids } from '../domain/ids.js';
import { passwordsOf, type LogFormat, type LogLevel } from './log.js';
import { startGauges, type GaugeOptions, type RunningGauges } from './metrics.js';
import { installRuntime } from './runtime.js';
import { usageDoor } from './usage-door.js';

/** Work of one process side by side; the pool has a connection for each and two to spare. */
const ACTIVITIES_AT_ONCE = 8;
/** Heartbeats reach the server at least this often: they bring cancellations back. */
const HEARTBEAT_THROTTLE_MS = 2_000;
/** A build between two statements stops at once; one statement may take this long before it is given up. */
const FORCED_STOP_MS = 10_000;
/** Closing connections that are idle takes milliseconds. */
const CLOSE_MS = 1_000;

/** The queues that a worker can poll. */
export const QUEUES = ['usage'] as const;

export interface UsageWorkerOptions {
  readonly databaseUrl: string;
  /** Null: what TEMPORAL_* and Temporal's configuration file say. */
  readonly temporal: { readonly address: string; readonly namespace: string } | null;
  readonly graceMs: number;
  readonly catchUpMs: number;
  /** Longest wait for PostgreSQL without a sign that it works; absent: the usual one. */
  readonly databaseTimeoutMs?: number;
  readonly logLevel: LogLevel;
  /** Absent: JSON lines. */
  readonly logFormat?: LogFormat;
  /** `host:port` where Prometheus metrics are served; absent or null: nowhere. */
  readonly metricsAddress?: string | null;
  /** The name that the books must have; absent: any. */
  readonly booksName?: string | undefined;
  /** This machine's clock, in ms; absent: the system's. */
  readonly ownNowMs?: () => number;
  /** Code of the workflows; absent: what the build made. */
  readonly workflowBundle?: WorkerOptions['workflowBundle'];
}

export interface RunningWorker {
  /** Settles when the worker has stopped, asked for or not; rejects when it broke. */
  readonly run: Promise<void>;
  /** Stops polling, cancels builds between two transactions, closes the connections. */
  shutdown(): Promise<void>;
}

/**
 * Starts a worker of the queue `usage` and returns when it polls. BOOKS_MISMATCH when the database holds other
 * books or none; CLOCK_SKEW when this machine's clock is not the database's; TEMPORAL_MISSING when no server answers; CONFIG when metrics cannot be served.
 */
export async function startWorker(options: UsageWorkerOptions): Promise<RunningWorker> {
  const metricsAddress = options.metricsAddress ?? null;
  await installRuntime({
    level: options.logLevel,
    format: options.logFormat ?? 'lines',
    secrets: passwordsOf(options.databaseUrl),
    metricsAddress,
  });
  const database = Database.open({
    url: options.databaseUrl,
    maxConnections: ACTIVITIES_AT_ONCE + 2,
    applicationName: 'jobhours worker',
    ...(options.databaseTimeoutMs === undefined ? {} : { timeoutMs: options.databaseTimeoutMs }),
  });
  try {
    const books = await requireBooks(database, options.booksName);
    await requireClock(database, options.ownNowMs ?? Date.now);
    const { connection, namespace } = await connect(options.temporal);
    try {
      const worker = await createWorker(options, { connection, namespace, database, books });
      const gauges =
        metricsAddress === null ? null : startGauges(gaugesOf(options, books, database));
      return running(worker, connection, database, gauges);
    } catch (error) {
      await connection.close();
      throw error;
    }
  } catch (error) {
    await database.close();
    throw error;
  }
}

function gaugesOf({ graceMs }: UsageWorkerOptions, books: Books, database: Database): GaugeOptions {
  return { database, booksName: books.name, calendar: Calendar.of(books.zone), graceMs };
}

async function requireBooks(database: Database, name: string | undefined): Promise<Books> {
  const books = await readBooks(database);
  if (books !== null && (name === undefined || books.name === name)) return books;
  throw new JobhoursError(
    'BOOKS_MISMATCH',
    books === null
      ? 'this database has no books yet: jobhours db status'
      : `the database holds the books ${books.name}, this worker is for ${String(name)}`,
  );
}

async function connect(
  target: UsageWorkerOptions['temporal'],
): Promise<{ connection: NativeConnection; namespace: string }> {
  const config = target === null ? loadClientConnectConfig() : null;
  const connectionOptions = config?.connectionOptions ?? { address: target?.address ?? '' };
  try {
    const connection = await NativeConnection.connect(connectionOptions);
    return { connection, namespace: config?.namespace ?? target?.namespace ?? 'default' };
  } catch (error) {
    throw new JobhoursError(
      'TEMPORAL_MISSING',
      `no Temporal server answers at ${connectionOptions.address ?? 'localhost:7233'}: ${error instanceof Error ? error.message : String(error)}`,
      { address: connectionOptions.address ?? null },
      { cause: error },
    );
  }
}

interface Wiring {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly database: Database;
  readonly books: Books;
}

function createWorker(
  options: UsageWorkerOptions,
  { connection, namespace, database, books }: Wiring,
): Promise<Worker> {
  const { graceMs, catchUpMs, ownNowMs = Date.now } = options;
  return Worker.create({
    connection,
    namespace,
    taskQueue: ids(books.name).usageQueue,
    workflowBundle: options.workflowBundle ?? builtBundle(),
    activities: createActivities(usageDoor({ database, books, graceMs, catchUpMs, ownNowMs })),
    maxConcurrentActivityTaskExecutions: ACTIVITIES_AT_ONCE,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    maxCachedWorkflows: 200,
    shutdownForceTime: FORCED_STOP_MS,
  });
}

/** `npm run build` puts the bundle beside the compiled workflows. */
function builtBundle(): { codePath: string } {
  const places = ['../workflows/bundle.js', '../dist/workflows/bundle.js'];
  const found = places
    .map((place) => fileURLToPath(new URL(place, import.meta.url)))
    .find(existsSync);
  if (found !== undefined) return { codePath: found };
  throw new JobhoursError('UNEXPECTED', 'the bundle of the workflows is missing: npm run build');
}

/** The order matters: the pollers first, then what the activities use. */
function running(
  worker: Worker,
  connection: NativeConnection,
  database: Database,
  gauges: RunningGauges | null,
): RunningWorker {
  const polling = worker.run();
  const run = polling.then(
    async () => {
      await gauges?.stop();
      // A read of the gauges may still wait for a server that hangs, or for a lock; nothing else is under way.
      await Promise.race([database.close(), delay(CLOSE_MS, undefined, { ref: false })]);
      await connection.close();
    },
    async (error: unknown) => {
      void gauges?.stop();
      // After a forced stop a busy connection would be waited for without end.
      await connection.close().catch(() => undefined);
      throw error;
    },
  );
  // Whoever only calls shutdown() gets the error there.
  run.catch(() => undefined);
  return {
    run,
    shutdown: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await run;
    },
  };
}
