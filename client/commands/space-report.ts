/** `jobhours space report`: members and use of spaces. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { EXIT } from '../../domain/errors.js';
import { gpuHoursText, gpuMsText, hoursText, instantText } from '../../domain/units.js';
import {
  SPACE_STEPS,
  withSpaceReport,
  type SpaceReport,
  type SpaceRow,
  type SpaceStep,
} from '../space-report.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, type DataRecord, type Format } from './output.js';
import { checkWindow, windowOf, withWindow, type WindowOptions } from './report-window.js';
import { averageText, membershipText, perMemberText, printSpaceTable } from './space-table.js';

/** Columns of csv, json and jsonl: a contract, new ones are appended. */
const SPACE_COLUMNS = [
  'period_start',
  'period_end',
  'label',
  'space',
  'membership',
  'member_ms',
  'average_members',
  'members_at_end',
  'active_users',
  'active_nonmembers',
  'runs_started',
  'run_ms',
  'gpu_ms',
  'run_hours',
  'gpu_hours',
  'gpu_hours_per_member',
  'state',
] as const;

interface ReportOptions extends WindowOptions {
  readonly step: SpaceStep;
  readonly space?: string;
  readonly strict?: true;
  readonly output: Format;
}

const HELP = `
A row for each space and period in which it had a member or use. Average members: their number over the time of the
period, which is cut at the window and at now. At the end: in the last ms of the period. Active users: distinct users
with a start or time of a run in the period; not to be summed over periods or spaces. Nonmembers: those of them who were
a member at no instant of the period. GPU-hours per member: divided by the average members; - for none.
Membership inferred: nobody was entered for that space, so its users are members, each from the start of the first
run there. States as in 'jobhours usage'. A membership that is changed in the past changes the report at once.

Examples:
  jobhours space report --window lastmonth
  jobhours space report --start 2026-01-01 --end 2026-04-01 --step month --space vision
  jobhours space report --window 7d --step day -o csv`;

/** Adds `space report`. */
export function registerSpaceReport(space: Command, context: CommandContext): void {
  withWindow(space.command('report').description('members, active users and use per period'))
    .option('--step <step>', SPACE_STEPS.join(', '), oneOf('--step', SPACE_STEPS), 'month')
    .option('--space <name>', 'only this space (exact name)')
    .option('--strict', 'exit status 5 when a row is incomplete')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action((options: ReportOptions) => runReport(context, options));
}

async function runReport(context: CommandContext, options: ReportOptions): Promise<void> {
  checkWindow(options);
  const { step } = options;
  const space = options.space?.normalize('NFC') ?? null;
  const incomplete = await context.withBooks(({ database, calendar }) => {
    const windowAt = (nowMs: number) => windowOf(options, calendar, nowMs);
    return withSpaceReport(database, calendar, { windowAt, step, space }, (report) =>
      printReport(context, options, calendar, report),
    );
  });
  if (options.strict === true && incomplete > 0) process.exitCode = EXIT.findings;
}

/** What the notes below a report are about. */
interface Seen {
  rows: number;
  incomplete: number;
  /** Rows with active users who are no members. */
  nonmembers: number;
  readonly inferred: Set<string>;
}

/** Prints the report; returns how many rows are incomplete. */
async function printReport(
  context: CommandContext,
  options: ReportOptions,
  calendar: Calendar,
  report: SpaceReport,
): Promise<number> {
  const seen: Seen = { rows: 0, incomplete: 0, nonmembers: 0, inferred: new Set() };
  const print = (text: string): void => context.print(text);
  const rows = watched(report.rows, seen);
  const { output } = options;
  if (output === 'table') await printSpaceTable(print, { ...report, rows }, options, calendar);
  else await printRecords(print, output, SPACE_COLUMNS, recordsOf(rows));
  for (const note of notesOf(options, calendar, report, seen)) context.note(note);
  return seen.incomplete;
}

async function* watched(rows: AsyncIterable<SpaceRow>, seen: Seen): AsyncGenerator<SpaceRow> {
  for await (const row of rows) {
    seen.rows += 1;
    if (row.state === 'incomplete') seen.incomplete += 1;
    if (row.activeNonmembers > 0) seen.nonmembers += 1;
    if (row.isInferred) seen.inferred.add(row.space);
    yield row;
  }
}

function* notesOf(
  options: ReportOptions,
  calendar: Calendar,
  { window, unknown }: SpaceReport,
  { rows, incomplete, nonmembers, inferred }: Seen,
): Generator<string> {
  if (unknown.includes('space')) {
    yield `note: no record and no membership has the space ${JSON.stringify(options.space)}`;
  }
  if (rows === 0) {
    const [start, end] = [window.startAtMs, window.endAtMs].map((atMs) => calendar.localText(atMs));
    yield `note: no space has a member or use in [${start}, ${end})`;
  }
  if (inferred.size > 0) {
    yield `note: ${inferred.size === 1 ? 'one space has' : `${inferred.size} spaces have`} members inferred from use, because none were entered: jobhours space import`;
  }
  if (nonmembers > 0) {
    yield `note: in ${nonmembers} of ${rows} rows active users are no members: jobhours usage --by user,space and jobhours space list show who`;
  }
  if (incomplete > 0) {
    yield `note: ${incomplete} of ${rows} rows are incomplete: jobhours usage says why`;
  }
}

async function* recordsOf(
  rows: AsyncIterable<SpaceRow>,
): AsyncGenerator<DataRecord<(typeof SPACE_COLUMNS)[number]>> {
  for await (const row of rows) {
    yield {
      period_start: instantText(row.startAtMs),
      period_end: instantText(row.endAtMs),
      label: row.label,
      space: row.space,
      membership: membershipText(row),
      member_ms: String(row.memberMs),
      average_members: averageText(row),
      members_at_end: row.membersAtEnd,
      active_users: row.activeUsers,
      active_nonmembers: row.activeNonmembers,
      runs_started: Number(row.runsStarted),
      run_ms: String(row.runMs),
      gpu_ms: gpuMsText(row.milliGpuMs),
      run_hours: hoursText(row.runMs),
      gpu_hours: gpuHoursText(row.milliGpuMs),
      gpu_hours_per_member: perMemberText(row),
      state: row.state,
    };
  }
}
