/**
 * The log of a worker: JSON lines on stderr, ours and those of Temporal's library alike. Owns the format; what is
 * logged, and with which fields, is the activities'.
 */
import { DefaultLogger, Runtime, type LogEntry } from '@temporalio/worker';
import { pino } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

const PINO_LEVEL = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const;
const TEMPORAL_LEVEL = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
} as const;

let isInstalled = false;

/**
 * Sends the log of Temporal's runtime through pino, once per process. Signals are left alone: whoever starts a
 * worker owns the order in which things stop.
 */
export function installLog(level: LogLevel): void {
  if (isInstalled) return;
  isInstalled = true;
  const log = pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  const write = ({ level: entryLevel, message, meta }: LogEntry): void => {
    const { error, ...fields } = meta ?? {};
    log[PINO_LEVEL[entryLevel]](
      { ...fields, ...(error === undefined ? {} : { err: error }) },
      message,
    );
  };
  Runtime.install({
    logger: new DefaultLogger(TEMPORAL_LEVEL[level], write),
    telemetryOptions: { logging: { filter: { core: 'WARN', other: 'ERROR' }, forward: {} } },
    shutdownSignals: [],
  });
}
