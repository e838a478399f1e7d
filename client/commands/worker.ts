/** `jobhours worker`: a worker process for given servers, until Ctrl-C. Arguments and printing only. */
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import type { ProcessContext } from './context.js';

const QUEUES = ['usage'];

const EXAMPLES = `
Examples:
  DATABASE_URL=postgres://jobhours@db/jobhours TEMPORAL_ADDRESS=temporal:7233 jobhours worker

Brings the five schedules up to date, then works until Ctrl-C or SIGTERM. Its log is JSON lines on stderr
(JOBHOURS_LOG_LEVEL); JOBHOURS_METRICS=127.0.0.1:9464 serves Prometheus metrics there. Any number of workers may run
for the same books.`;

/** Adds `worker`. */
export function registerWorker(program: Command, context: ProcessContext): void {
  program
    .command('worker')
    .description('aggregates, as Temporal tells it to; stays until Ctrl-C')
    .option('--queues <names>', `task queues to work for: ${QUEUES.join(', ')}`, 'usage')
    .addHelpText('after', EXAMPLES)
    .action(({ queues }: { queues: string }) => runWorker(context, queues));
}

function requireQueues(text: string): void {
  const unknown = text.split(',').find((name) => !QUEUES.includes(name.trim()));
  if (unknown === undefined) return;
  throw new JobhoursError(
    'FIELD_UNKNOWN',
    `--queues ${quotedValue(unknown)} is unknown: use ${QUEUES.join(', ')}`,
  );
}

async function runWorker(context: ProcessContext, queues: string): Promise<void> {
  requireQueues(queues);
  await context.withTemporal(async (open) => {
    const [{ keepSchedules }, { startWorker }] = await Promise.all([
      import('../keep-schedules.js'),
      import('../../workers/worker.js'),
    ]);
    const { settings, books, databaseUrl, temporal } = open;
    const worker = await startWorker({
      databaseUrl,
      temporal: settings.isTemporalGiven
        ? null
        : { address: temporal.address, namespace: temporal.namespace },
      graceMs: settings.graceMs,
      catchUpMs: settings.catchUpMs,
      databaseTimeoutMs: settings.databaseTimeoutMs,
      logLevel: settings.logLevel,
      metricsAddress: settings.metricsAddress,
      booksName: books.name,
    });
    try {
      const note = (text: string): void => context.note(text);
      const endSchedules = await keepSchedules(temporal, open, { note });
      note(`worker of the books ${books.name} at ${temporal.address}; Ctrl-C stops it`);
      await Promise.race([context.untilStopped(), worker.run]).finally(endSchedules);
    } finally {
      await worker.shutdown();
    }
  }, 'opens new books');
}
