/** `jobhours usage`: exact run hours and GPU-hours of any window. Arguments and printing only. */
import { Option, type Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { EXIT, JobhoursError } from '../../domain/errors.js';
import type { Span } from '../../domain/period.js';
import { STEPS, type Step } from '../../domain/report-pieces.js';
import { parseRange, parseWindow } from '../../domain/time-text.js';
import { gpuHoursText, gpuMsText, hoursText, instantText } from '../../domain/units.js';
import { DIMENSIONS, type Dimension } from '../usage-groups.js';
import { withUsageReport, type UsageReport, type UsageRow } from '../usage-report.js';
import { oneOf, someOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, type DataRecord, type Format } from './output.js';
import { printUsageTable } from './usage-table.js';

/** Columns of csv, json and jsonl: a contract, new ones are appended. */
export const USAGE_COLUMNS = [
  'period_start',
  'period_end',
  'label',
  'user',
  'space',
  'pool',
  'run_ms',
  'gpu_ms',
  'run_hours',
  'gpu_hours',
  'runs_started',
  'runs_ended',
  'runs_carried_in',
  'state',
] as const;

interface UsageOptions {
  readonly start?: string;
  readonly end?: string;
  readonly window?: string;
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly user?: string;
  readonly space?: string;
  readonly pool?: string;
  readonly strict?: true;
  readonly output: Format;
}

const EXAMPLES = `
Examples:
  jobhours usage                                          this month up to now, in total
  jobhours usage --window lastmonth --by user             who used how much last month
  jobhours usage --start 2026-01-01 --end 2026-02-01 --step day --by space -o csv
  jobhours usage --window 7d --step hour --user anna --pool a100

Windows are half-open, [start, end). Times are ISO 8601 with offset, or dates and local times in the zone of the
books; also 'now'. Words: today yesterday week lastweek month lastmonth (calendar periods, the unfinished ones
up to now); 30m 12h 7d reach back from now; A,B is any range. Without --end a range ends now.
GPU time is allocated time; runs are attempts, not jobs. A running run counts up to now.
States: complete; provisional = not over yet; incomplete = begins before the books while older runs exist.
csv: text that a spreadsheet would take for a formula gets a leading '.`;

function byOption(): Option {
  return new Option('--by <dimensions>', `rows for each of ${DIMENSIONS.join(',')}; a list`)
    .argParser(someOf('--by', DIMENSIONS))
    .default([], 'none: totals');
}

/** Adds `usage`. */
export function registerUsage(program: Command, context: CommandContext): void {
  program
    .command('usage')
    .description('Run hours and GPU-hours, exact to the millisecond')
    .option('-S, --start <time>', 'start of the window, inclusive')
    .option('-E, --end <time>', 'end of the window, exclusive (default: now)')
    .option('--window <window>', 'the window in one word (default: month)')
    .option('--step <step>', STEPS.join(', '), oneOf('--step', STEPS), 'none')
    .addOption(byOption())
    .option('--user <name>', 'only this user (exact name)')
    .option('--space <name>', 'only this space (exact name)')
    .option('--pool <name>', 'only this pool (exact name)')
    .option('--strict', 'exit status 5 when a row is incomplete')
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action((options: UsageOptions) => runUsage(context, options));
}

async function runUsage(context: CommandContext, options: UsageOptions): Promise<void> {
  checkCombination(options);
  const { step, by } = options;
  const filter = {
    user: options.user?.normalize('NFC') ?? null,
    space: options.space?.normalize('NFC') ?? null,
    pool: options.pool?.normalize('NFC') ?? null,
  };
  const incomplete = await context.withBooks(({ database, calendar }) => {
    const windowAt = (nowMs: number): Span => windowOf(options, calendar, nowMs);
    return withUsageReport(database, calendar, { windowAt, step, by, filter }, (report) =>
      printReport(context, options, calendar, report),
    );
  });
  if (options.strict === true && incomplete > 0) process.exitCode = EXIT.findings;
}

function checkCombination({ start, end, window }: UsageOptions): void {
  if (window !== undefined && (start !== undefined || end !== undefined)) {
    throw new JobhoursError('USAGE', 'give either --window, or --start and --end');
  }
  if (end !== undefined && start === undefined) {
    throw new JobhoursError('USAGE', '--end needs --start');
  }
}

function windowOf({ start, end, window }: UsageOptions, calendar: Calendar, nowMs: number): Span {
  if (start === undefined) return parseWindow(window ?? 'month', calendar, nowMs);
  const { startAtMs = nowMs, endAtMs = nowMs } = parseRange(start, end, calendar, nowMs);
  return { startAtMs, endAtMs };
}

/** Prints the report; returns how many rows are incomplete. */
async function printReport(
  context: CommandContext,
  options: UsageOptions,
  calendar: Calendar,
  report: UsageReport,
): Promise<number> {
  const seen = { rows: 0, incomplete: 0 };
  const print = (text: string): void => context.print(text);
  const rows = watched(report.rows, seen);
  const { output } = options;
  if (output === 'table') await printUsageTable(print, { ...report, rows }, options, calendar);
  else await printRecords(print, output, USAGE_COLUMNS, recordsOf(rows));
  for (const note of notesOf(options, calendar, report, seen)) context.note(note);
  return seen.incomplete;
}

async function* watched(
  rows: AsyncIterable<UsageRow>,
  seen: { rows: number; incomplete: number },
): AsyncGenerator<UsageRow> {
  for await (const row of rows) {
    seen.rows += 1;
    if (row.state === 'incomplete') seen.incomplete += 1;
    yield row;
  }
}

function* notesOf(
  options: UsageOptions,
  calendar: Calendar,
  { window, books, unknown }: UsageReport,
  seen: { readonly rows: number; readonly incomplete: number },
): Generator<string> {
  for (const dimension of unknown) {
    yield `note: no record has the ${dimension} ${JSON.stringify(options[dimension])}`;
  }
  if (seen.rows === 0) {
    const [start, end] = [window.startAtMs, window.endAtMs].map((atMs) => calendar.localText(atMs));
    yield `note: no run touches [${start}, ${end})`;
  }
  if (seen.incomplete > 0) {
    const since =
      books.originAtMs === null
        ? 'the books have not begun'
        : `the books begin at ${calendar.localText(books.originAtMs)}`;
    yield `note: ${seen.incomplete} of ${seen.rows} rows are incomplete: ${since}, and older runs exist; include them by: jobhours backfill create --start oldest`;
  }
}

async function* recordsOf(
  rows: AsyncIterable<UsageRow>,
): AsyncGenerator<DataRecord<(typeof USAGE_COLUMNS)[number]>> {
  for await (const row of rows) {
    yield {
      period_start: instantText(row.startAtMs),
      period_end: instantText(row.endAtMs),
      label: row.label,
      user: row.user,
      space: row.space,
      pool: row.pool,
      run_ms: String(row.runMs),
      gpu_ms: gpuMsText(row.milliGpuMs),
      run_hours: hoursText(row.runMs),
      gpu_hours: gpuHoursText(row.milliGpuMs),
      runs_started: Number(row.runsStarted),
      runs_ended: Number(row.runsEnded),
      runs_carried_in: Number(row.runsCarriedIn),
      state: row.state,
    };
  }
}
