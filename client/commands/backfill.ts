/** `jobhours backfill create|list|show`: arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { parseInstant } from '../../domain/instant-text.js';
import { instantText } from '../../domain/units.js';
import { listBackfills, MOST_LANES, REPROCESS, showBackfill } from '../backfill-view.js';
import type { Backfill, BackfillProgress, BackfillRequest, Reprocess } from '../backfill-view.js';
import { oneOf } from './choice.js';
import type { CommandContext, OpenBooksAndTemporal } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { Progress } from './progress.js';

const USUAL_LANES = 2;
const LISTED = 100;

const EXAMPLES = `
Examples:
  jobhours backfill create --start oldest --wait           everything that is stored, and wait for it
  jobhours backfill create --start 2026-01-01 --end 2026-02-01 --lanes 4
  jobhours backfill create --start 2026-01-01 --reprocess all --name january-again --wait

Times without offset are in the zone of the books; whole hours are built. Repeating a create with the --name of one
that was interrupted goes on with it. A start before the books begin moves their beginning there.`;

interface CreateOptions {
  readonly start: string;
  readonly end: string;
  readonly lanes: number;
  readonly reprocess: Reprocess;
  readonly name?: string;
  readonly dryRun?: true;
  readonly wait?: true;
}

/** Adds `backfill`. */
export function registerBackfill(program: Command, context: CommandContext): void {
  const backfill = program.command('backfill').description('Aggregate a chosen range, however old');
  backfill
    .command('create')
    .description('start one; it runs in the worker')
    .option('-S, --start <time>', 'oldest, or the start of the range', 'oldest')
    .option('-E, --end <time>', 'now, or the end of the range, exclusive', 'now')
    .option(
      '--lanes <number>',
      `months built side by side, 1 to ${MOST_LANES}`,
      Number,
      USUAL_LANES,
    )
    .option(
      '--reprocess <which>',
      'missing; stale = also those that no longer fit; all',
      oneOf('--reprocess', REPROCESS),
      'stale' as const,
    )
    .option('--name <name>', 'its name (default: the time)')
    .option('--dry-run', 'say what would be built, and build nothing')
    .option('--wait', 'show progress until it has ended')
    .addHelpText('after', EXAMPLES)
    .action((options: CreateOptions) => runCreate(context, options));
  backfill
    .command('list')
    .description('the newest ones')
    .addOption(outputOption())
    .action(({ output }: { output: Format }) => runList(context, output));
  backfill
    .command('show <name>')
    .description('one, with its progress and what failed')
    .addOption(outputOption())
    .action((name: string, { output }: { output: Format }) => runShow(context, name, output));
}

function requestOf(options: CreateOptions, calendar: Calendar): BackfillRequest {
  const instant = (text: string, field: string): number =>
    parseInstant(text, { zone: calendar.zone, field });
  const { start, end, lanes, reprocess, name } = options;
  return {
    start: start === 'oldest' ? start : instant(start, '--start'),
    end: end === 'now' ? end : instant(end, '--end'),
    ...{ lanes, reprocess, name: name ?? null },
  };
}

async function runCreate(context: CommandContext, options: CreateOptions): Promise<void> {
  if (options.dryRun === true) {
    await context.withBooks(async (open) => {
      const { previewBackfill } = await import('../backfill.js');
      const preview = await previewBackfill(open, requestOf(options, open.calendar));
      context.print(
        `would look at ${preview.hours} hours in ${preview.months} months: ${rangeText(open.calendar, preview)}`,
      );
    });
    return;
  }
  await context.withTemporal(async (open) => {
    const { createBackfill } = await import('../backfill.js');
    const request = requestOf(options, open.calendar);
    const created = await createBackfill(open.temporal, open, request);
    context.print(`backfill ${created.name}: ${rangeText(open.calendar, created)}`);
    if (options.wait === true) await wait(context, open, created.name);
    else context.note(`its progress: jobhours backfill show ${created.name}`);
  });
}

async function wait(
  context: CommandContext,
  open: OpenBooksAndTemporal,
  name: string,
): Promise<void> {
  const { waitForBackfill } = await import('../backfill.js');
  context.note(`Ctrl-C ends the wait, not the backfill: jobhours backfill show ${name}`);
  const progress = new Progress(context, 'hours');
  let ended: Backfill;
  try {
    ended = await waitForBackfill(open.temporal, open, name, ({ done, of }) =>
      progress.show(done, of),
    );
  } finally {
    progress.end();
  }
  context.print(outcomeText(ended));
  if (ended.outcome === 'completed') {
    const [start, end] = [ended.startAtMs, ended.endAtMs].map((atMs) =>
      open.calendar.localText(atMs),
    );
    context.note(`Next: jobhours usage --start ${start} --end ${end} --step month`);
    context.note('      jobhours periods check');
    return;
  }
  const { failures } = await showBackfill(open.database, open.calendar, name);
  for (const one of failures) context.note(failureText(one));
  throw new JobhoursError(
    'BACKFILL_FAILED',
    `backfill ${name} ${ended.outcome ?? 'is open'}: ${ended.periodsFailed} periods failed; when the cause is gone, create it again`,
  );
}

function outcomeText(backfill: Backfill): string {
  const { outcome, hoursBuilt, periodsBuilt, periodsFailed } = backfill;
  return `${outcome ?? 'open'}: ${hoursBuilt} hours and ${periodsBuilt - hoursBuilt} days, weeks and months built, ${periodsFailed} failed`;
}

function failureText(one: {
  granularity: string;
  label: string;
  code: string;
  detail: string;
}): string {
  return `${one.granularity} ${one.label}: ${one.code} ${one.detail}`;
}

function rangeText(calendar: Calendar, span: { startAtMs: number; endAtMs: number }): string {
  return `[${calendar.localText(span.startAtMs)}, ${calendar.localText(span.endAtMs)})`;
}

const COLUMNS = [
  'name',
  'start',
  'end',
  'lanes',
  'reprocess',
  'created',
  'ended',
  'outcome',
  'hours_built',
  'periods_built',
  'periods_failed',
] as const;

function recordOf(backfill: Backfill): DataRecord<(typeof COLUMNS)[number]> {
  return {
    name: backfill.name,
    start: instantText(backfill.startAtMs),
    end: instantText(backfill.endAtMs),
    lanes: backfill.lanes,
    reprocess: backfill.reprocess,
    created: instantText(backfill.createdAtMs),
    ended: backfill.endedAtMs === null ? null : instantText(backfill.endedAtMs),
    outcome: backfill.outcome,
    hours_built: backfill.hoursBuilt,
    periods_built: backfill.periodsBuilt,
    periods_failed: backfill.periodsFailed,
  };
}

async function runList(context: CommandContext, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const found = await listBackfills(database, LISTED);
    if (format !== 'table') {
      await printRecords((text) => context.print(text), format, COLUMNS, found.map(recordOf));
      return;
    }
    if (found.length === 0) {
      context.note(
        'no backfill was created; the first one: jobhours backfill create --start oldest',
      );
      return;
    }
    const titles = ['name', 'range', 'reprocess', 'outcome', 'built', 'failed'];
    const rows = found.map((one) => [
      one.name,
      rangeText(calendar, one),
      one.reprocess,
      one.outcome ?? 'open',
      String(one.periodsBuilt),
      String(one.periodsFailed),
    ]);
    const columns = titles.map((title) => ({ title, isNumber: /built|failed/.test(title) }));
    context.print(tableText(columns, rows));
  });
}

async function runShow(context: CommandContext, name: string, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const { backfill, progress, failures } = await showBackfill(database, calendar, name);
    if (format !== 'table') {
      const columns = [...COLUMNS, 'hours_done', 'hours'] as const;
      const record = { ...recordOf(backfill), hours_done: progress.done, hours: progress.of };
      await printRecords((text) => context.print(text), format, columns, [record]);
      return;
    }
    for (const line of shownLines(calendar, backfill, progress)) context.print(line);
    for (const one of failures) context.print(`  failed    ${failureText(one)}`);
  });
}

function shownLines(
  calendar: Calendar,
  backfill: Backfill,
  { done, of }: BackfillProgress,
): string[] {
  return [
    `backfill    ${backfill.name}`,
    `range       ${rangeText(calendar, backfill)}`,
    `asked       --reprocess ${backfill.reprocess} --lanes ${backfill.lanes}, at ${calendar.localText(backfill.createdAtMs)}`,
    `hours       ${done} of ${of} done`,
    backfill.endedAtMs === null
      ? `outcome     open; if nothing moves: jobhours backfill create --name ${backfill.name}${backfill.reprocess === 'stale' ? '' : ` --reprocess ${backfill.reprocess}`} --wait`
      : `outcome     ${outcomeText(backfill)}, at ${calendar.localText(backfill.endedAtMs)}`,
  ];
}
