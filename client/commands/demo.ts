/**
 * `jobhours demo` (npm start): everything on this machine with invented records, and a number to check. Owns the
 * order of the steps and the screen; each step is somebody else's.
 */
import { Option, type Command } from 'commander';
import { isJobhoursError, JobhoursError } from '../../domain/errors.js';
import { checkPreviousMonth, countContents, countPending, type MonthCheck } from '../demo-check.js';
import { loadDemoRecords } from '../demo-load.js';
import { topUsers } from '../demo-top-users.js';
import { GRANULARITIES } from '../../domain/period.js';
import type { OpenBooks } from '../open-books.js';
import type { ProcessContext } from './context.js';
import { Progress } from './progress.js';
import { countedText, productVersion, screenLine, secondsText } from './screen.js';
import { demoHome, shownHome, startWorkflows, type RunningTemporal } from './servers.js';
import {
  databaseLine,
  holdHome,
  preloadWorker,
  startBooks,
  startKeeping,
  temporalLines,
  together,
  untilStopped,
  type Keeping,
} from './starting.js';

const EXAMPLES = `
Starts PostgreSQL and Temporal on this machine, loads the job log of an invented GPU site (about 2,000 runs from
the start of the previous month up to now), aggregates it through Temporal, and checks the previous month against
the runs in plain SQL. Then worker and schedules keep the books until Ctrl-C.
Data stay in <JOBHOURS_HOME>/demo (default ./.jobhours/demo); a second start goes on with them.

Examples:
  jobhours demo
  jobhours demo --exit        for scripts: stops everything after the check; exit status 1 when it fails`;

const TOP_USERS = 10;

/** Adds `demo`. */
export function registerDemo(program: Command, context: ProcessContext): void {
  program
    .command('demo')
    .description('everything on this machine with invented records (npm start); stays until Ctrl-C')
    .addOption(new Option('--exit', 'stop everything after the check'))
    .addHelpText('after', EXAMPLES)
    .action((options: { exit?: true }) => runDemo(context, options.exit === true));
}

async function runDemo(context: ProcessContext, isOneShot: boolean): Promise<void> {
  const { settings, stopping } = context;
  const home = demoHome(settings);
  const lock = await holdHome(context, home, 'jobhours demo');
  context.print(
    `jobhours ${productVersion()}  demo, demo books in ${shownHome(home)} (delete to start afresh)`,
  );
  preloadWorker();
  const note = (text: string): void => context.note(text);
  const temporalStart = startWorkflows(settings, home, stopping, note);
  const [{ database, open }, temporal] = await together(
    startBooks(context, home, true).then(async (started) => {
      context.print(databaseLine(started.database));
      context.print(await loadLine(started.open));
      return started;
    }),
    withoutTemporal(temporalStart),
  );
  const missing = temporal instanceof JobhoursError ? temporal : null;
  const running = temporal instanceof JobhoursError ? null : temporal;
  const keeping = running === null ? null : await startKeeping(context, open, running);
  await showResults(context, open, running, keeping, missing);
  if (isOneShot) {
    if (missing !== null) throw missing;
    return;
  }
  if (keeping !== null) {
    const { keepSchedules } = await import('../keep-schedules.js');
    context.stopping.closing(await keepSchedules(keeping.temporal, open, { note }));
  }
  await lock.publish({
    databaseUrl: database.url,
    temporalAddress: running?.server?.address ?? null,
    temporalNamespace: running?.server?.namespace ?? null,
    uiAddress: running?.server?.uiAddress ?? null,
  });
  for (const line of NEXT_LINES) context.print(line);
  await untilStopped(context, database, running, keeping);
  context.note('stopping...');
}

/** A missing Temporal program or server as a value: reports and imports work without it. */
async function withoutTemporal(
  start: Promise<RunningTemporal>,
): Promise<RunningTemporal | JobhoursError> {
  try {
    return await start;
  } catch (error) {
    if (isJobhoursError(error, 'TEMPORAL_FETCH') || isJobhoursError(error, 'TEMPORAL_START')) {
      return error;
    }
    throw error;
  }
}

async function loadLine(open: OpenBooks): Promise<string> {
  const startedAtMs = performance.now();
  const summary = await loadDemoRecords(open);
  const { runs, users, spaces, pools } = await countContents(open.database);
  const text = [
    countedText(runs, 'run'),
    countedText(users, 'user'),
    countedText(spaces, 'space'),
    countedText(pools, 'pool'),
    `${countedText(summary.running, 'run')} running`,
  ].join(', ');
  const isNew = summary.new > 0;
  const timing = secondsText(performance.now() - startedAtMs);
  return screenLine('Demo data', text, `${isNew ? 'loaded' : 'up to date'} in ${timing}`);
}

async function showResults(
  context: ProcessContext,
  open: OpenBooks,
  running: RunningTemporal | null,
  keeping: Keeping | null,
  missing: JobhoursError | null,
): Promise<void> {
  if (running !== null && keeping !== null) {
    for (const line of temporalLines(running)) context.print(line);
    context.print(await backfillLine(context, open, keeping));
    const check = await checkPreviousMonth(open);
    context.print(screenLine('Check', `${check.month.label}: ${check.text}`, verdict(check)));
    if (!check.isEqual) {
      throw new JobhoursError('CHECK_FAILED', `${check.month.label}: ${check.text}`);
    }
  }
  if (missing !== null) {
    context.print(screenLine('Temporal', `not available: ${missing.message}`));
    context.print(screenLine('Backfill', 'needs Temporal; the figures below come from the runs'));
  }
  for (const line of await topLines(open)) context.print(line);
}

function verdict({ isEqual }: MonthCheck): string {
  return isEqual ? 'equal to the ms' : 'NOT EQUAL';
}

async function backfillLine(
  context: ProcessContext,
  open: OpenBooks,
  { temporal }: Keeping,
): Promise<string> {
  const startedAtMs = performance.now();
  if ((await countPending(open)) === 0) {
    return screenLine('Backfill', 'nothing to do, every period that is over is good');
  }
  const { backfillDemo } = await import('../demo-backfill.js');
  const progress = new Progress(context, 'hours');
  const built = await backfillDemo(open, temporal, ({ done, of }) =>
    progress.show(done, of),
  ).finally(() => progress.end());
  const text = GRANULARITIES.map((one) => countedText(built[one], one)).join(', ');
  return screenLine('Backfill', text, `done in ${secondsText(performance.now() - startedAtMs)}`);
}

async function topLines(open: OpenBooks): Promise<string[]> {
  const { month, top, users } = await topUsers(open, TOP_USERS);
  const heads = { user: 'user', gpuHours: 'GPU-hours', runHours: 'run hours', runsStarted: 'runs' };
  const line = ({ user, gpuHours, runHours, runsStarted }: typeof heads): string =>
    `  ${user.padEnd(12)}${gpuHours.padStart(12)}${runHours.padStart(12)}${runsStarted.padStart(7)}`;
  return [
    '',
    `Users with the most GPU-hours in ${month.label} (${top.length} of ${users}):`,
    line(heads),
    ...top.map(line),
    '',
  ];
}

const NEXT_LINES = [
  screenLine('Try next', 'npx jobhours usage --window lastmonth --by user,pool'),
  screenLine('', 'npx jobhours usage --window lastweek --step day -o csv'),
  screenLine('', 'npx jobhours periods list'),
  '(in another terminal; Ctrl-C here stops everything)',
];
