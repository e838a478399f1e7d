/** `jobhours usage`: exact run hours and GPU-hours of any window. Arguments and printing only. */
import { Option, type Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { gapAdvice, gapText } from '../../domain/coverage.js';
import { EXIT, JobhoursError } from '../../domain/errors.js';
import type { Span } from '../../domain/period.js';
import { STEPS, type Step } from '../../domain/report-pieces.js';
import { DIMENSIONS, type Dimension } from '../usage-groups.js';
import { USAGE_COLUMNS, usageRecord, type UsageRecord } from '../usage-record.js';
import {
  withUsageReport,
  type NameFilter,
  type UsageReport,
  type UsageRow,
} from '../usage-report.js';
import { oneOf, someOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, type Format } from './output.js';
import { checkWindow, windowOf, withWindow, type WindowOptions } from './report-window.js';
import { countedText, productVersion } from './screen.js';
import { printUsageChart } from './usage-chart.js';
import { fileAnswer, filingOf, type Filed, type OutOptions } from './usage-out.js';
import { printUsageTable } from './usage-table.js';
import { registerUsageVerify } from './usage-verify.js';

interface UsageOptions extends WindowOptions, OutOptions {
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly user?: string;
  readonly space?: string;
  readonly pool?: string;
  readonly strict?: true;
  readonly chart?: true;
  /** False after --no-color. */
  readonly color: boolean;
  readonly output: Format;
}

const EXAMPLES = `
Examples:
  jobhours usage                                          this month up to now, in total
  jobhours usage --window lastmonth --by user             who used how much last month
  jobhours usage --start 2026-01-01 --end 2026-02-01 --step day --by space -o csv
  jobhours usage --window 7d --step hour --user anna --pool a100
  jobhours usage --window lastmonth --by user --chart     bars of GPU-hours
  jobhours usage --window lastmonth --by user --out october.csv

Windows are half-open, [start, end). Times are ISO 8601 with offset, or dates and local times in the zone of the
books; also 'now'. Words: today yesterday week lastweek month lastmonth (calendar periods, the unfinished ones
up to now); 30m 12h 7d reach back from now; A,B is any range. Without --end a range ends now.
GPU time is allocated time; runs are attempts, not jobs. A running run counts up to now.
States: complete; provisional = not over yet; incomplete = begins before the books while older runs exist, or a source
does not cover it, or open rejects may lie in it.
csv: text that a spreadsheet would take for a formula gets a leading '.
--out writes the data (in the format of -o, else of the name's ending) and FILE.manifest.json, which says what was
asked, as of when, and digests; 'jobhours usage verify' asks the same again and names what changed.`;

function byOption(): Option {
  return new Option('--by <dimensions>', `rows for each of ${DIMENSIONS.join(',')}; a list`)
    .argParser(someOf('--by', DIMENSIONS))
    .default([], 'none: totals');
}

/** Adds `usage`. */
export function registerUsage(program: Command, context: CommandContext): void {
  // Else options behind `verify` would be taken for those of `usage`.
  const usage = program.enablePositionalOptions().command('usage').enablePositionalOptions();
  // Which makes those of the program, too, a matter of their place.
  usage
    .version(productVersion())
    .options.find(({ long }) => long === '--version')
    ?.hideHelp();
  withWindow(usage.description('Run hours and GPU-hours, exact to the millisecond'))
    .option('--step <step>', STEPS.join(', '), oneOf('--step', STEPS), 'none')
    .addOption(byOption())
    .option('--user <name>', 'only this user (exact name)')
    .option('--space <name>', 'only this space (exact name)')
    .option('--pool <name>', 'only this pool (exact name)')
    .option('--strict', 'exit status 5 when a row is incomplete')
    .option('--chart', 'bars of GPU-hours instead of a table')
    .option('--no-color', 'plain characters in charts')
    .addOption(outputOption())
    .option('--out <file>', 'write the data to a file, with its manifest')
    .option('--force', 'let --out replace existing files')
    .addHelpText('after', EXAMPLES)
    .action((options: UsageOptions, command: Command) => {
      const isOutputSaid = command.getOptionValueSource('output') !== 'default';
      return runUsage(context, options, isOutputSaid);
    });
  registerUsageVerify(usage, context);
}

async function runUsage(
  context: CommandContext,
  options: UsageOptions,
  isOutputSaid: boolean,
): Promise<void> {
  checkWindow(options);
  checkChart(options);
  const { step, by } = options;
  const filter = {
    user: options.user?.normalize('NFC') ?? null,
    space: options.space?.normalize('NFC') ?? null,
    pool: options.pool?.normalize('NFC') ?? null,
  };
  const filing = filingOf(options, isOutputSaid);
  if (filing !== null) context.whenInterrupted('nothing was filed');
  try {
    const incomplete = await context.withBooks(({ database, calendar }) => {
      const windowAt = (nowMs: number): Span => windowOf(options, calendar, nowMs);
      return withUsageReport(database, calendar, { windowAt, step, by, filter }, (report) =>
        printReport(context, { ...options, filter, filing }, calendar, report),
      );
    });
    if (options.strict === true && incomplete > 0) process.exitCode = EXIT.findings;
  } finally {
    filing?.file.abandon();
  }
}

function checkChart({ chart, out, output }: UsageOptions): void {
  if (chart !== true) return;
  if (out !== undefined) throw new JobhoursError('USAGE', 'give either --chart or --out');
  if (output !== 'table') {
    throw new JobhoursError('USAGE', `--chart draws for people: it has no -o ${output}`);
  }
}

interface Printing extends UsageOptions {
  readonly filter: NameFilter;
  readonly filing: Filed | null;
}

/** Prints or files the report; returns how many rows are incomplete. */
async function printReport(
  context: CommandContext,
  options: Printing,
  calendar: Calendar,
  report: UsageReport,
): Promise<number> {
  const seen = { rows: 0, incomplete: 0 };
  const watching = { ...report, rows: watched(report.rows, seen) };
  const { filing, chart } = options;
  const print = (text: string): void => context.print(text);
  const format = filing?.format ?? options.output;
  if (filing !== null) {
    await fileAnswer(context, filing, watching, options, (write, filed) =>
      printRows(write, format, filed, options, calendar),
    );
  } else if (chart === true) await printUsageChart(print, watching, options, calendar);
  else await printRows(print, format, watching, options, calendar);
  for (const note of notesOf(options, calendar, report, seen)) context.note(note);
  return seen.incomplete;
}

async function printRows(
  print: (text: string) => void,
  format: Format,
  report: UsageReport,
  options: UsageOptions,
  calendar: Calendar,
): Promise<void> {
  if (format === 'table') await printUsageTable(print, report, options, calendar);
  else await printRecords(print, format, USAGE_COLUMNS, recordsOf(report.rows));
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
  { window, books, unknown, isBeforeBooks, gaps }: UsageReport,
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
    yield `note: ${seen.incomplete} of ${countedText(seen.rows, 'row')} ${seen.incomplete === 1 ? 'is' : 'are'} incomplete:`;
    for (const gap of gaps) yield `  ${gapText(gap, calendar)}: ${gapAdvice(gap)}`;
  }
  if (seen.incomplete > 0 && isBeforeBooks) {
    const since =
      books.originAtMs === null
        ? 'the books have not begun'
        : `the books begin at ${calendar.localText(books.originAtMs)}`;
    yield `  ${since}, and older runs exist; include them by: jobhours backfill create --start oldest`;
  }
}

async function* recordsOf(rows: AsyncIterable<UsageRow>): AsyncGenerator<UsageRecord> {
  for await (const row of rows) yield usageRecord(row);
}
