/** `jobhours backfill create`: starts one, waits for it, or says what it would do. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { parseInstant } from '../../domain/instant-text.js';
import { instantText } from '../../domain/units.js';
import type { BackfillPreview } from '../backfill-preview.js';
import { MOST_LANES, REPROCESS, showBackfill } from '../backfill-view.js';
import type { Backfill, BackfillRequest, Reprocess } from '../backfill-view.js';
import {
  BACKFILL_COLUMNS,
  backfillRecord,
  failureText,
  leftText,
  outcomeText,
  rangeText,
  shellName,
} from './backfill-text.js';
import { integerOf, oneOf } from './choice.js';
import type { CommandContext, OpenBooksAndTemporal } from './context.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';
import { Progress } from './progress.js';
import { countedText, lengthText } from './screen.js';

const USUAL_LANES = 2;

const EXAMPLES = `
Examples:
  jobhours backfill create --start oldest --wait           everything that is stored, and wait for it
  jobhours backfill create --start 2026-01-01 --dry-run    what would be built and why, how long it takes
  jobhours backfill create --start 2026-01-01 --end 2026-02-01 --lanes 4
  jobhours backfill create --start 2026-01-01 --reprocess all --name january-again --wait

Times without offset are in the zone of the books; whole hours are built. Repeating a create with the --name of one
that is open joins it. A start before the books begin moves their beginning there.`;

interface CreateOptions {
  readonly start: string;
  readonly end: string;
  readonly lanes: number;
  readonly reprocess: Reprocess;
  readonly name?: string;
  readonly beforeRecords?: true;
  readonly dryRun?: true;
  readonly wait?: true;
  readonly output: Format;
}

/** Adds `create`. */
export function registerCreate(backfill: Command, context: CommandContext): void {
  backfill
    .command('create')
    .description('start one; it runs in the worker')
    .option('-S, --start <time>', 'oldest, or the start of the range', 'oldest')
    .option('-E, --end <time>', 'now, or the end of the range, exclusive', 'now')
    .option(
      '--lanes <number>',
      `months built side by side, 1 to ${MOST_LANES}`,
      integerOf('--lanes', 1, MOST_LANES),
      USUAL_LANES,
    )
    .option(
      '--reprocess <which>',
      'missing; stale = also those that no longer fit; all',
      oneOf('--reprocess', REPROCESS),
      'stale' as const,
    )
    .option('--name <name>', 'its name (default: the time)')
    .option('--before-records', 'the books may begin more than a year before the oldest record')
    .option('--dry-run', 'say what would be built and why, and build nothing')
    .option('--wait', 'show progress until it has ended')
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action((options: CreateOptions) => runCreate(context, options));
}

function requestOf(options: CreateOptions, calendar: Calendar): BackfillRequest {
  const instant = (text: string, field: string): number =>
    parseInstant(text, { zone: calendar.zone, field });
  const { start, end, lanes, reprocess, name, beforeRecords } = options;
  return {
    start: start === 'oldest' ? start : instant(start, '--start'),
    end: end === 'now' ? end : instant(end, '--end'),
    ...{ lanes, reprocess, name: name ?? null },
    mayPrecedeRecords: beforeRecords === true,
  };
}

async function runCreate(context: CommandContext, options: CreateOptions): Promise<void> {
  if (options.dryRun === true) return runDry(context, options);
  await context.withTemporal(async (open) => {
    const { createBackfill } = await import('../backfill.js');
    const { books, calendar } = open;
    const created = await createBackfill(open.temporal, open, requestOf(options, calendar));
    const isTable = options.output === 'table';
    if (isTable) context.print(`backfill ${created.name}: ${rangeText(calendar, created)}`);
    for (const line of movedLines(books.originAtMs, created, calendar)) context.note(line);
    const name = shellName(created.name);
    const isOpen = created.endedAtMs === null;
    if (!isOpen)
      context.note(`it had ended before, nothing is started: for another one give another --name`);
    else if (options.wait !== true) context.note(`its progress: jobhours backfill show ${name}`);
    const isAwaited = isOpen && options.wait === true;
    const ended = isAwaited ? await wait(context, open, created.name) : created;
    if (!isTable) {
      await printRecords((text) => context.print(text), options.output, BACKFILL_COLUMNS, [
        backfillRecord(ended),
      ]);
    } else if (ended.endedAtMs !== null) context.print(outcomeText(ended));
    if (ended.endedAtMs !== null) await conclude(context, open, ended);
  });
}

/** What a backfill from before the books' beginning does to it, and to what lies between. */
function movedLines(
  originAtMs: number | null,
  { startAtMs, endAtMs }: { readonly startAtMs: number; readonly endAtMs: number },
  calendar: Calendar,
): string[] {
  if (originAtMs === null || startAtMs >= originAtMs) return [];
  const [before, now, end] = [originAtMs, startAtMs, endAtMs].map((atMs) =>
    calendar.localText(atMs),
  );
  return [
    `the books begin at ${now} now; before this they began at ${before}`,
    ...(endAtMs < originAtMs
      ? [
          `what lies between is missing then: jobhours backfill create --start ${end} --end ${before}`,
        ]
      : []),
  ];
}

async function wait(
  context: CommandContext,
  open: OpenBooksAndTemporal,
  name: string,
): Promise<Backfill> {
  const { waitForBackfill } = await import('../backfill.js');
  const typed = shellName(name);
  context.note(
    `Ctrl-C ends the wait, not the backfill: jobhours backfill show ${typed}, or cancel ${typed}`,
  );
  context.whenInterrupted(`backfill ${name} goes on: jobhours backfill show ${typed}`);
  const progress = new Progress(context, 'hours');
  try {
    return await waitForBackfill(open.temporal, open, name, (reached, backfill) =>
      progress.show(
        reached.done,
        reached.of,
        backfill.pausedAtMs === null ? leftText(reached) : 'paused',
      ),
    );
  } finally {
    progress.end();
  }
}

/** What to do next. BACKFILL_FAILED when it was cancelled or something failed. */
async function conclude(
  context: CommandContext,
  open: OpenBooksAndTemporal,
  ended: Backfill,
): Promise<void> {
  if (ended.outcome === 'completed') {
    const [start, end] = [ended.startAtMs, ended.endAtMs].map((atMs) =>
      open.calendar.localText(atMs),
    );
    context.note(`Next: jobhours usage --start ${start} --end ${end} --step month`);
    context.note('      jobhours periods check');
    return;
  }
  const { failures } = await showBackfill(open.database, open.calendar, ended.name);
  for (const one of failures) context.note(failureText(one));
  const failed = countedText(ended.periodsFailed, 'period');
  const what =
    ended.outcome === 'cancelled'
      ? 'was cancelled; what it built stays. For the rest'
      : `${ended.outcome ?? 'is open'}: ${failed} failed. When the cause is gone,`;
  throw new JobhoursError(
    'BACKFILL_FAILED',
    `backfill ${ended.name} ${what} create another one under another name`,
  );
}

const PREVIEW_COLUMNS = [
  'granularity',
  'label',
  'last_label',
  'period_start',
  'period_end',
  'periods',
  'action',
  'because',
] as const;

async function runDry(context: CommandContext, options: CreateOptions): Promise<void> {
  await context.withBooks(async (open) => {
    const { previewBackfill } = await import('../backfill-preview.js');
    const { calendar } = open;
    const preview = await previewBackfill(open, requestOf(options, calendar));
    if (options.output === 'table') {
      printPreview(context, calendar, preview);
    } else {
      const records = preview.stretches.map((one) => ({
        granularity: one.granularity,
        label: one.label,
        last_label: one.lastLabel,
        period_start: instantText(one.startAtMs),
        period_end: instantText(one.endAtMs),
        periods: one.periods,
        action: one.action,
        because: one.because,
      }));
      await printRecords((text) => context.print(text), options.output, PREVIEW_COLUMNS, records);
    }
    for (const line of movedLines(preview.originAtMs, preview, calendar)) context.note(line);
    context.note('nothing was built; the same command without --dry-run builds it');
  });
}

function printPreview(context: CommandContext, calendar: Calendar, preview: BackfillPreview): void {
  context.print(
    `Backfill of ${rangeText(calendar, preview)} ${calendar.zone}: ${sumText(preview)}\n`,
  );
  const titles = ['periods', 'granularity', 'from', 'to', 'would', 'because'];
  context.print(
    tableText(
      titles.map((title) => ({ title, isNumber: title === 'periods' })),
      preview.stretches.map((one) => [
        String(one.periods),
        one.granularity,
        one.label,
        one.lastLabel,
        { build: 'build', leave: 'leave', blocked: 'not build' }[one.action],
        one.because,
      ]),
    ),
  );
}

function sumText({ hoursToBuild, hoursPerSecond }: BackfillPreview): string {
  const hours = `${countedText(hoursToBuild, 'hour')} to build`;
  if (hoursToBuild === 0) return hours;
  if (hoursPerSecond === null) return `${hours}; how long is not known, no hour was built yet`;
  const lengthMs = (hoursToBuild * 1_000) / hoursPerSecond;
  return `${hours}, about ${lengthText(lengthMs)} at the ${hoursPerSecond.toFixed(1)} hours per second of the newest ones`;
}
