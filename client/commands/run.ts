/** `jobhours run list|show`, and where `void` and `correct` hang. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { parseRange } from '../../domain/time-text.js';
import { instantText } from '../../domain/units.js';
import { listStoredRuns, overdueRuns, showRun, type StoredRun } from '../run-list.js';
import { limitOf } from './choice.js';
import type { CommandContext, OpenBooks } from './context.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';
import { noteUnknown } from './unknown-note.js';
import { registerRunChange } from './run-change.js';
import {
  becauseText,
  gpusText,
  RUN_COLUMNS,
  runRecord,
  shownLines,
  type ListedRun,
} from './run-text.js';

interface ListFlags {
  readonly user?: string;
  readonly source?: string;
  readonly start?: string;
  readonly end?: string;
  readonly open?: true;
  readonly overdue?: true;
  readonly limit: number;
  readonly output: Format;
}

const LIST_HELP = `
Runs that touch [start, end), the newest start first. --overdue: open runs of imports that should have ended, the oldest
first: past their time limit, or not in a later import of the same source that reaches beyond their start. They go on
counting GPU-hours: import records that have their end, give the end by hand (run correct), or import with
--close-unseen.

Examples:
  jobhours run list --user anna --start 2026-01-01 --end 2026-02-01
  jobhours run list --open --source north -o csv
  jobhours run list --overdue`;

const SHOW_HELP = `
RUN is the number of a run, its record key as run list shows it, or the job id of one run. Where a number is the key of
another run too, '#12' is the number, and 12 with --source the key. The history says who changed it, when, why, and
what stood there before; runs that were voided are shown too.

Examples:
  jobhours run show 4711
  jobhours run show 1234@2026-01-31T10:00:00 --source north`;

/** Adds `run`. */
export function registerRun(program: Command, context: CommandContext): void {
  const run = program.command('run').description('Single runs: look at them, void or correct them');
  run
    .command('list')
    .description('runs, the newest first')
    .option('--user <name>', 'of one user')
    .option('--source <name>', 'of one source')
    .option('-S, --start <time>', 'start of the range, inclusive')
    .option('-E, --end <time>', 'end of the range, exclusive')
    .option('--open', 'only those that have no end')
    .option('--overdue', 'only those that should have one')
    .option('--limit <number>', 'how many, 1 to 1000', limitOf, 100)
    .addOption(outputOption())
    .addHelpText('after', LIST_HELP)
    .action((flags: ListFlags) => runList(context, flags));
  run
    .command('show <run>')
    .description('one, with its history')
    .option('--source <name>', 'whose key it is')
    .addOption(outputOption())
    .addHelpText('after', SHOW_HELP)
    .action((text: string, flags: { source?: string; output: Format }) =>
      runShow(context, text, flags),
    );
  registerRunChange(run, context);
}

async function runList(context: CommandContext, flags: ListFlags): Promise<void> {
  if (flags.overdue === true && (flags.start ?? flags.end) !== undefined) {
    throw new JobhoursError(
      'USAGE',
      '--overdue looks at all open runs: leave --start and --end out',
    );
  }
  await context.withBooks(async (open) => {
    const runs = await listed(open, flags);
    if (flags.output !== 'table') {
      const print = (text: string): void => context.print(text);
      await printRecords(print, flags.output, RUN_COLUMNS, runs.map(runRecord));
    } else if (runs.length === 0) context.note('no run fits');
    else context.print(listTable(runs, flags.overdue === true, open.calendar));
    const { user, source } = flags;
    await noteUnknown(context, open, { ...(user === undefined ? {} : { users: [user] }), source });
    if (runs.length === flags.limit) context.note(`the first ${runs.length}; more by --limit`);
  });
}

function listed({ database, calendar }: OpenBooks, flags: ListFlags): Promise<ListedRun[]> {
  const { start, end, open = false, overdue = false, limit } = flags;
  const user = flags.user?.normalize('NFC') ?? null;
  const source = flags.source?.normalize('NFC') ?? null;
  if (overdue) return overdueRuns(database, { user, source }, limit);
  const rangeAt = (nowMs: number) => parseRange(start, end, calendar, nowMs);
  return listStoredRuns(database, { user, source, onlyOpen: open }, rangeAt, limit);
}

function listTable(runs: readonly ListedRun[], areOverdue: boolean, calendar: Calendar): string {
  const titles = ['run', 'key', 'source', 'user', 'space', 'pool', 'GPUs', 'started'];
  const columns = [...titles, areOverdue ? 'because' : 'ended'].map((title) => ({
    title,
    isNumber: title === 'run' || title === 'GPUs',
  }));
  return tableText(
    columns,
    runs.map((one) => [
      ...[String(one.id), one.key, one.source, one.user, one.space, one.pool],
      ...[gpusText(one.milliGpus), calendar.localText(one.startedAtMs)],
      'because' in one ? becauseText(one, calendar) : endText(one, calendar),
    ]),
  );
}

function endText({ endedAtMs, endIsEstimated }: StoredRun, calendar: Calendar): string {
  if (endedAtMs === null) return 'running';
  return `${calendar.localText(endedAtMs)}${endIsEstimated ? ' (estimated)' : ''}`;
}

async function runShow(
  context: CommandContext,
  text: string,
  { source = null, output }: { readonly source?: string | null; readonly output: Format },
): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const shown = await showRun(database, text, source);
    if (output === 'table') {
      for (const line of shownLines(shown, calendar)) context.print(line);
      return;
    }
    const history = shown.history.map((change) => ({
      ...runRecord({ ...change.former, id: shown.id, batch: change.formerBatch }),
      change: change.change,
      changed_by: change.actor,
      changed_at: instantText(change.atMs),
      change_reason: change.reason,
      change_batch: change.batch === null ? null : String(change.batch),
      undone_by: change.undoneBy === null ? null : String(change.undoneBy),
    }));
    const columns = [
      ...RUN_COLUMNS,
      ...([
        'change',
        'changed_by',
        'changed_at',
        'change_reason',
        'change_batch',
        'undone_by',
      ] as const),
    ];
    const none = {
      ...{ change: null, changed_by: null, changed_at: null, change_reason: null },
      ...{ change_batch: null, undone_by: null },
    };
    const now = shown.run === null ? [] : [{ ...runRecord(shown.run), ...none }];
    await printRecords((line) => context.print(line), output, columns, [...history, ...now]);
  });
}
