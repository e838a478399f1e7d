/**
 * Temporal's dev server on this machine.
 * Owns its flags, its readiness and its end. Where the program comes from is temporal-program.ts.
 * Neither the flags nor the namespace of one database file may change while it holds waiting work:
 * a changed number of partitions left tasks undelivered.
 */
import { JobhoursError } from '../domain/errors.js';
import { findFreePorts } from './port.js';
import { startServer, waitForPort, waitUntilReady, type ServerProcess } from './process.js';
import type { OnProgress } from './temporal-program.js';

export { findTemporal } from './temporal-program.js';

export interface TemporalRequest {
  /** Path of the `temporal` program. */
  readonly program: string;
  /** Absolute path of its SQLite file, or null to keep everything in memory (tests). */
  readonly databaseFile: string | null;
  /** Namespace that is created if absent, with a retention of 7 days. */
  readonly namespace: string;
  /** Whether to serve the web UI. */
  readonly ui: boolean;
  readonly onProgress?: OnProgress;
}

export interface TemporalServer {
  /** `127.0.0.1:port` of the gRPC frontend. */
  readonly address: string;
  /** `http://127.0.0.1:port` of the UI, null without it. */
  readonly uiAddress: string | null;
  readonly namespace: string;
  /** Version of the server, not of the program: '1.32.0'. */
  readonly version: string;
  readonly readyInMs: number;
  readonly pid: number;
  /** Settles when the server is gone, asked for or not. */
  readonly exited: Promise<string>;
  /** Returns when the server is gone. One that keeps everything in memory is killed at once. */
  stop(): Promise<void>;
}

interface Ports {
  readonly grpc: number;
  readonly http: number;
  readonly metrics: number;
  readonly ui: number;
}

const START_DEADLINE_MS = 60_000;
const STOP_DEADLINE_MS = 15_000;
const START_ATTEMPTS = 3;
const RETENTION_SECONDS = 7 * 24 * 3600;
/** Fairness between users needs the flag; one partition makes the order of a queue strict. */
const DYNAMIC_CONFIG = [
  'matching.enableFairness=true',
  'matching.numTaskqueueReadPartitions=1',
  'matching.numTaskqueueWritePartitions=1',
];

function startArguments(request: TemporalRequest, ports: Ports): string[] {
  const ui = request.ui ? ['--ui-port', `${ports.ui}`, '--ui-disable-news-fetch'] : ['--headless'];
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', `${ports.grpc}`],
    ...['--http-port', `${ports.http}`, '--metrics-port', `${ports.metrics}`],
    ...['--namespace', request.namespace, '--log-level', 'error'],
    ...DYNAMIC_CONFIG.flatMap((setting) => ['--dynamic-config-value', setting]),
    ...(request.databaseFile === null ? [] : ['--db-filename', request.databaseFile]),
    ...ui,
  ];
}

/** The variables of this process without those that would change the server's flags. */
function serverEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !entry[0].startsWith('TEMPORAL_'),
  );
  return Object.fromEntries(kept);
}

/** The JSON answer of the server's HTTP API, null while it does not answer with success. */
async function callApi(
  port: number,
  path: string,
  body?: object,
): Promise<Record<string, unknown> | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, {
      signal: AbortSignal.timeout(2000),
      ...(body && {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    return response.ok ? ((await response.json()) as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/**
 * Waits until the frontend serves the namespace, sets its retention and returns the server's
 * version; else what went wrong. The HTTP API answers through the same frontend as gRPC and needs
 * neither the SDK nor a run of the program (0.1 to 0.7 s each).
 */
async function waitForFrontend(
  server: ServerProcess,
  ports: Ports,
  namespace: string,
): Promise<{ version: string } | { failed: string }> {
  const opened = await waitForPort(ports.grpc, server, START_DEADLINE_MS);
  if (opened !== 'ready') return { failed: opened };
  let version = '';
  const config = { workflowExecutionRetentionTtl: `${RETENTION_SECONDS}s` };
  const path = `namespaces/${encodeURIComponent(namespace)}/update`;
  const served = await waitUntilReady(server, START_DEADLINE_MS, async () => {
    const cluster = await callApi(ports.http, 'cluster-info');
    const reported = cluster?.['serverVersion'];
    version = typeof reported === 'string' ? reported : '';
    return version !== '' && (await callApi(ports.http, path, { config })) !== null;
  });
  return served === 'ready' ? { version } : { failed: served };
}

async function choosePorts(): Promise<Ports> {
  const [grpc = 0, http = 0, metrics = 0, ui = 0] = await findFreePorts(4);
  return { grpc, http, metrics, ui };
}

/**
 * Starts the dev server on free ports of 127.0.0.1 and returns when its frontend serves the
 * namespace. It ends when this process dies. Everybody on this machine can reach it: the dev server
 * knows no passwords. TEMPORAL_START carries the server's own last words.
 */
export async function startTemporal(request: TemporalRequest): Promise<TemporalServer> {
  const startedAtMs = performance.now();
  const endSignal = request.databaseFile === null ? 'SIGKILL' : 'SIGTERM';
  let words = '';
  for (let attempt = 1; attempt <= START_ATTEMPTS; attempt += 1) {
    const ports = await choosePorts();
    const server = await startServer({
      program: request.program,
      args: startArguments(request, ports),
      environment: serverEnvironment(),
      endSignal,
    });
    const answer = await waitForFrontend(server, ports, request.namespace);
    if ('version' in answer) {
      return {
        address: `127.0.0.1:${ports.grpc}`,
        uiAddress: request.ui ? `http://127.0.0.1:${ports.ui}` : null,
        namespace: request.namespace,
        version: answer.version,
        readyInMs: Math.round(performance.now() - startedAtMs),
        pid: server.pid,
        exited: server.exited,
        stop: () => server.stop(endSignal, STOP_DEADLINE_MS),
      };
    }
    await server.stop('SIGKILL', STOP_DEADLINE_MS);
    const reason = answer.failed === 'late' ? 'no answer in time' : await server.exited;
    words = `${reason}: ${server.output()}`;
    if (!/address already in use|can't set .*port|failed .*listen/i.test(words)) break;
    request.onProgress?.('a port was taken meanwhile, trying others');
  }
  throw new JobhoursError(
    'TEMPORAL_START',
    `The Temporal dev server did not start (${request.program}): ${words}`,
    { program: request.program, databaseFile: request.databaseFile },
  );
}
