/**
 * Temporal's runtime, one for each process: where its log and ours go, and where metrics are served. Owns installing it;
 * the form of the log is workers/log.ts, what is measured domain/metrics.ts.
 */
import { lookup } from 'node:dns/promises';
import { DefaultLogger, Runtime, type RuntimeOptions } from '@temporalio/worker';
import { JobhoursError } from '../domain/errors.js';
import { GAUGES, MEASURED, type Metric } from '../domain/metrics.js';
import { logWriter, type LogOptions } from './log.js';

export interface RuntimeSettings extends LogOptions {
  /** `host:port` where metrics are served; null: nowhere. */
  readonly metricsAddress: string | null;
}

const TEMPORAL_LEVEL = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
} as const;

let isInstalled = false;

/**
 * Sends the log of Temporal's library through ours and serves metrics, once per process: later calls change nothing.
 * CONFIG when metrics cannot be served at that address. Signals are left alone: whoever starts a worker owns the order
 * in which things stop.
 */
export async function installRuntime(
  settings: RuntimeSettings,
  write = logWriter(settings),
): Promise<void> {
  if (isInstalled) return;
  const { metricsAddress } = settings;
  const metrics = metricsAddress === null ? {} : { metrics: await exporter(metricsAddress) };
  const options: RuntimeOptions = {
    logger: new DefaultLogger(TEMPORAL_LEVEL[settings.level], write),
    telemetryOptions: {
      logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} },
      ...metrics,
    },
    shutdownSignals: [],
  };
  try {
    Runtime.install(options);
  } catch (error) {
    // Only the exporter opens something that can be taken already.
    if (metricsAddress === null) throw error;
    throw notServed(metricsAddress, error);
  }
  isInstalled = true;
}

async function exporter(
  address: string,
): Promise<NonNullable<NonNullable<RuntimeOptions['telemetryOptions']>['metrics']>> {
  const metrics: readonly Metric[] = [...Object.values(GAUGES), ...Object.values(MEASURED)];
  return {
    prometheus: {
      bindAddress: await numeric(address),
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
      histogramBucketOverrides: Object.fromEntries(
        metrics.flatMap(({ name, buckets }) =>
          buckets === undefined ? [] : [[name, [...buckets]]],
        ),
      ),
    },
  };
}

/** The library takes numbers only. */
async function numeric(address: string): Promise<string> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  try {
    const { address: ip, family } = await lookup(host);
    return `${family === 6 ? `[${ip}]` : ip}${address.slice(colon)}`;
  } catch (error) {
    throw notServed(address, error);
  }
}

function notServed(address: string, error: unknown): JobhoursError {
  const reason = error instanceof Error ? error.message : String(error);
  return new JobhoursError(
    'CONFIG',
    `JOBHOURS_METRICS=${address}: metrics cannot be served there: ${reason}. Choose a free port of this machine, one for each worker`,
    { variable: 'JOBHOURS_METRICS', address },
    { cause: error },
  );
}
