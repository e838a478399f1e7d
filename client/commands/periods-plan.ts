/** `jobhours periods plan`: what would be built next and why. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import type { Period } from '../../domain/period.js';
import { periodKey } from '../../domain/plan.js';
import { instantText } from '../../domain/units.js';
import { viewPlan, type PlanView } from '../period-plan.js';
import { rangeText, stateText } from './backfill-text.js';
import { noteClock } from './clock-note.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { emptyNote } from './period-record.js';
import { countedText } from './screen.js';

/** Lines of a table; the other formats have all. */
const SHOWN = 40;

const EXAMPLES = `
Examples:
  jobhours periods plan
  jobhours periods plan -o csv                           every period of the plan, in its order

What the keeper would do if it were woken now: the newest due hour first, then the oldest first, parts before what is
made of them. Each plan is one step: what becomes stale by it is in the next one. Nothing is done by looking. What lies beyond the catch-up (JOBHOURS_CATCH_UP) needs a backfill.`;

const COLUMNS = [
  'order',
  'action',
  'granularity',
  'label',
  'last_label',
  'period_start',
  'period_end',
  'periods',
  'because',
] as const;
type PlanRecord = DataRecord<(typeof COLUMNS)[number]>;

/** Adds `plan`. */
export function registerPlan(periods: Command, context: CommandContext): void {
  periods
    .command('plan')
    .description('what would be built next and why, without doing it')
    .addOption(outputOption())
    .addHelpText('after', EXAMPLES)
    .action(({ output }: { output: Format }) => runPlan(context, output));
}

async function runPlan(context: CommandContext, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar, settings }) => {
    const view = await viewPlan(database, calendar, settings);
    if (view.originAtMs === null) context.note(emptyNote(null, calendar));
    if (format === 'table') printPlan(context, view, calendar);
    else
      await printRecords((text) => context.print(text), format, COLUMNS, records(view, calendar));
    await noteClock(context, database);
  });
}

function becauseOf(view: PlanView, period: Period, because: string): string {
  const code = view.failures.get(periodKey(period));
  return code === undefined ? because : `${because}; it failed before: ${code}`;
}

/** In the order of the plan, then what is blocked, then what is beyond the reach. */
function* records(view: PlanView, calendar: Calendar): Generator<PlanRecord> {
  const base = ({ granularity, label, startAtMs, endAtMs }: Period) => ({
    ...{ granularity, label, last_label: label, periods: 1 },
    period_start: instantText(startAtMs),
    period_end: instantText(endAtMs),
  });
  for (const [index, period] of view.build.entries()) {
    const because = becauseOf(view, period, period.because);
    yield { order: index + 1, action: 'build', ...base(period), because };
  }
  for (const { period, because } of view.blocked) {
    yield { order: null, action: 'blocked', ...base(period), because };
  }
  for (const { granularity, span, periods } of view.beyondReach) {
    const first = calendar.periodAt(granularity, span.startAtMs);
    const last = calendar.periodAt(granularity, span.endAtMs - 1);
    yield {
      ...{ order: null, action: 'beyond reach' },
      ...base({ ...first, endAtMs: last.endAtMs }),
      ...{ last_label: last.label, periods, because: 'it is missing and beyond the catch-up' },
    };
  }
}

function printPlan(context: CommandContext, view: PlanView, calendar: Calendar): void {
  const { build, blocked, asOfMs } = view;
  const at = calendar.localText(asOfMs);
  context.print(
    `Plan as of ${at} ${calendar.zone}: ${countedText(build.length, 'period')} to build, next tick ${ticksText(view, calendar)}`,
  );
  const lines = build.map((one) => [one.granularity, one.label, becauseOf(view, one, one.because)]);
  printSome(context, '', ['build', 'period', 'because'], lines);
  const stopped = blocked.map(({ period, because }) => [period.granularity, period.label, because]);
  printSome(context, 'Blocked until a part of it is mended:', ['', 'period', 'because'], stopped);
  for (const one of view.openBackfills) {
    const state = stateText(one);
    context.print(`\nLeft to backfill ${one.name} (${state}): ${rangeText(calendar, one)}`);
  }
  if (view.beyondReachText !== '') {
    context.print(`\nBeyond the catch-up, ${view.beyondReachText}`);
  }
}

/** `for hours at 2026-01-31T15:02:05+00:00, days at ...`. */
function ticksText({ nextTicks }: PlanView, calendar: Calendar): string {
  const texts = nextTicks.map(
    ({ granularity, atMs }) => `${granularity}s at ${calendar.localText(atMs)}`,
  );
  return `for ${texts.join(', ')}`;
}

function printSome(
  context: CommandContext,
  head: string,
  titles: readonly string[],
  lines: readonly string[][],
): void {
  if (lines.length === 0) return;
  context.print(head === '' ? '' : `\n${head}\n`);
  context.print(
    tableText(
      titles.map((title) => ({ title })),
      lines.slice(0, SHOWN),
    ),
  );
  if (lines.length > SHOWN) {
    context.print(`... and ${lines.length - SHOWN} more: jobhours periods plan -o csv`);
  }
}
