/** `jobhours dev`: servers, worker and schedules for one's own books, until Ctrl-C. */
import type { Command } from 'commander';
import type { OpenBooks } from '../open-books.js';
import { SCHEDULE_NAMES } from '../../domain/ids.js';
import { countContents } from '../demo-check.js';
import type { ProcessContext } from './context.js';
import { countedText, productVersion, screenLine } from './screen.js';
import { booksHome, shownHome, startWorkflows } from './servers.js';
import {
  databaseLine,
  holdHome,
  preloadWorker,
  startBooks,
  startKeeping,
  temporalLines,
  together,
  untilStopped,
} from './starting.js';

const EXAMPLES = `
Keeps PostgreSQL, Temporal with its web UI, a worker and the five schedules until Ctrl-C. Other commands, typed
in another terminal, join it. Data stay in <JOBHOURS_HOME>/books (default ./.jobhours/books).
With DATABASE_URL or TEMPORAL_ADDRESS the given servers are used instead of the embedded ones.

Examples:
  jobhours dev
  JOBHOURS_ZONE=Europe/Berlin jobhours dev             the zone of new books; fixed for ever once they exist
  DATABASE_URL=postgres://... JOBHOURS_ZONE=UTC jobhours dev`;

/** Adds `dev`. */
export function registerDev(program: Command, context: ProcessContext): void {
  program
    .command('dev')
    .description(
      'PostgreSQL, Temporal, worker and schedules for your own books; stays until Ctrl-C',
    )
    .addHelpText('after', EXAMPLES)
    .action(() => runDev(context));
}

async function runDev(context: ProcessContext): Promise<void> {
  const { settings, stopping } = context;
  const home = booksHome(settings);
  const lock = await holdHome(context, home, 'jobhours dev');
  preloadWorker();
  const note = (text: string): void => context.note(text);
  const [{ database, open }, temporal] = await together(
    startBooks(context, home, false),
    startWorkflows(settings, home, stopping, note),
  );
  const keeping = await startKeeping(context, open, temporal);
  const { keepSchedules } = await import('../keep-schedules.js');
  context.stopping.closing(await keepSchedules(keeping.temporal, open, { note }));
  await lock.publish({
    databaseUrl: database.url,
    temporalAddress: temporal.server?.address ?? null,
    temporalNamespace: temporal.server?.namespace ?? null,
    uiAddress: temporal.server?.uiAddress ?? null,
  });
  context.print(`jobhours ${productVersion()}  dev, books in ${shownHome(home)}`);
  context.print(databaseLine(database));
  for (const line of temporalLines(temporal)) context.print(line);
  for (const line of await booksLines(open)) context.print(line);
  await untilStopped(context, database, temporal, keeping);
  context.note('stopping...');
}

async function booksLines({ database, books, calendar }: OpenBooks): Promise<string[]> {
  const { runs } = await countContents(database);
  const { originAtMs } = books;
  const kept = originAtMs === null ? 'not begun' : `kept since ${calendar.localText(originAtMs)}`;
  return [
    screenLine('Books', `${books.name}, zone ${books.zone}, ${countedText(runs, 'run')}, ${kept}`),
    screenLine(
      'Worker',
      `running, schedules ${SCHEDULE_NAMES.map((name) => `usage-${name}`).join(', ')}`,
    ),
    screenLine(
      'Try next',
      runs === 0
        ? 'npx jobhours import sacct FILE     (in another terminal; Ctrl-C here stops everything)'
        : 'npx jobhours usage --by user       (in another terminal; Ctrl-C here stops everything)',
    ),
  ];
}
