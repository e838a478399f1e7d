/**
 * The connection of clients to Temporal: address and credentials, namespace, whether a worker polls. Owns how an
 * absent server, namespace or worker is told; what is asked of workflows is their own file.
 */
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { JobhoursError } from '../domain/errors.js';

/** Where Temporal answers; null: what TEMPORAL_* and Temporal's configuration file say. */
export type TemporalAddress = { readonly address: string; readonly namespace: string } | null;

export interface TemporalClient {
  readonly client: Client;
  readonly address: string;
  readonly namespace: string;
  close(): Promise<void>;
}

/** A command answers within 10 s (B73), its own start included. */
const CONNECT_TIMEOUT_MS = 8_000;
const USUAL_ADDRESS = 'localhost:7233';
const USUAL_NAMESPACE = 'default';
/** gRPC status NOT_FOUND. */
const NOT_FOUND = 5;

/**
 * Connects. TEMPORAL_MISSING when no server answers within 8 s, TEMPORAL_NAMESPACE when it lacks the namespace, CONFIG
 * when TEMPORAL_* or Temporal's configuration file is wrong.
 */
export async function connectTemporal(target: TemporalAddress): Promise<TemporalClient> {
  const config = target === null ? givenConfig() : null;
  const address = target?.address ?? config?.connectionOptions.address ?? USUAL_ADDRESS;
  const namespace = target?.namespace ?? config?.namespace ?? USUAL_NAMESPACE;
  const connection = await connect({
    ...config?.connectionOptions,
    address,
    connectTimeout: CONNECT_TIMEOUT_MS,
  });
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    await connection.close();
    throw namespaceError(error, address, namespace);
  }
  const client = new Client({ connection, namespace });
  return { client, address, namespace, close: () => connection.close() };
}

function givenConfig(): ReturnType<typeof loadClientConnectConfig> {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new JobhoursError(
      'CONFIG',
      `TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or another TEMPORAL_* is wrong: ${reason}`,
      {},
      { cause: error },
    );
  }
}

async function connect(
  options: NonNullable<Parameters<typeof Connection.connect>[0]>,
): Promise<Connection> {
  try {
    return await Connection.connect(options);
  } catch (error) {
    throw unreachable(error, options.address ?? USUAL_ADDRESS);
  }
}

function unreachable(error: unknown, address: string): JobhoursError {
  const reason = error instanceof Error ? error.message : String(error);
  return new JobhoursError(
    'TEMPORAL_MISSING',
    `no Temporal server answers at ${address}: ${reason}; start 'jobhours dev', or set TEMPORAL_ADDRESS to a running one`,
    { address },
    { cause: error },
  );
}

function namespaceError(error: unknown, address: string, namespace: string): JobhoursError {
  if (!isGrpcServiceError(error) || Number(error.code) !== NOT_FOUND)
    return unreachable(error, address);
  return new JobhoursError(
    'TEMPORAL_NAMESPACE',
    `the Temporal server at ${address} has no namespace ${namespace}: create it (temporal operator namespace create ${namespace}) or set TEMPORAL_NAMESPACE`,
    { address, namespace },
    { cause: error },
  );
}

/** How long a worker that is just starting is waited for. */
const WORKER_WAIT_MS = 10_000;
const LOOK_EVERY_MS = 250;
/** A poll lasts a minute; a poller not seen for longer is gone. */
const POLLER_SEEN_MS = 75_000;
/** `TASK_QUEUE_TYPE_WORKFLOW` and `TASK_QUEUE_TYPE_ACTIVITY` of Temporal's API. */
const QUEUE_TYPES = [1, 2] as const;

/** Returns when a worker polls the task queue. NO_WORKER after `waitMs`. */
export async function requireWorker(
  temporal: TemporalClient,
  taskQueue: string,
  waitMs = WORKER_WAIT_MS,
): Promise<void> {
  const deadlineMs = performance.now() + waitMs;
  while (!(await isPolled(temporal, taskQueue))) {
    if (performance.now() > deadlineMs) {
      throw new JobhoursError(
        'NO_WORKER',
        `no worker polls the task queue ${taskQueue} at ${temporal.address}: start 'jobhours worker' with the same books`,
        { taskQueue, address: temporal.address, namespace: temporal.namespace },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function isPolled(
  { client, namespace }: TemporalClient,
  taskQueue: string,
): Promise<boolean> {
  const answers = await Promise.all(
    QUEUE_TYPES.map((taskQueueType) =>
      client.workflowService.describeTaskQueue({
        namespace,
        taskQueue: { name: taskQueue },
        taskQueueType,
      }),
    ),
  );
  return answers.every(({ pollers }) =>
    (pollers ?? []).some(
      ({ lastAccessTime }) =>
        Date.now() - Number(lastAccessTime?.seconds ?? 0) * 1_000 < POLLER_SEEN_MS,
    ),
  );
}
