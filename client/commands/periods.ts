/** `jobhours periods list|check`: what the ledger should hold and what it holds. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { EXIT, JobhoursError } from '../../domain/errors.js';
import { GRANULARITIES, type Granularity } from '../../domain/period.js';
import { PERIOD_STATES, SOURCE_STATE, type PeriodState } from '../../domain/period-state.js';
import { parsePeriodLabel, parseRange } from '../../domain/time-text.js';
import { instantText } from '../../domain/units.js';
import { checkPeriods, listPeriods, type ListedPeriod, type RangeAt } from '../period-list.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';

/** Columns of csv, json and jsonl; new ones are appended. */
export const PERIOD_COLUMNS = [
  'granularity',
  'label',
  'period_start',
  'period_end',
  'state',
  'source_state',
  'because',
  'mend',
  'periods',
  'last_label',
] as const;

interface RangeOptions {
  readonly start?: string;
  readonly end?: string;
  readonly period?: string;
  readonly output: Format;
}

interface ListOptions extends RangeOptions {
  readonly granularity?: Granularity;
  readonly state?: PeriodState;
}

const LIST_EXAMPLES = `
Examples:
  jobhours periods list                                  the last 24 hours, 5 days, 2 weeks, 1 month, and the present ones
  jobhours periods list --granularity day --start 2026-01-01 --end 2026-02-01
  jobhours periods list --start 2026-01-01 --state missing
  jobhours periods list --period 2026-W05

States: good; missing; stale = aggregated, but its inputs changed since; provisional = not over yet, or not yet due;
failed; building. The source's names beside them: jobCompleted, jobNotExecute, jobFailed, jobProcessing.
'by itself' = at the next tick of a running 'jobhours dev' or worker. Reports are exact all the same: what is not
good is computed from the runs.`;

const CHECK_EXAMPLES = `
Examples:
  jobhours periods check                                 all periods since the books begin
  jobhours periods check --start 2026-01-01 --end 2026-02-01
  jobhours periods check --period 2026-01

Judges the periods that lie wholly in [start, end) and are due. Exit status 5 when one is missing, stale or failed.`;

/** Adds `periods`. */
export function registerPeriods(program: Command, context: CommandContext): void {
  const periods = program
    .command('periods')
    .description('Which hours, days, weeks and months are aggregated, and why others are not');
  withRange(periods.command('list').description('one line for each period'))
    .option(
      '--granularity <granularity>',
      GRANULARITIES.join(', '),
      oneOf('--granularity', GRANULARITIES),
    )
    .option('--state <state>', PERIOD_STATES.join(', '), oneOf('--state', PERIOD_STATES))
    .addHelpText('after', LIST_EXAMPLES)
    .action((options: ListOptions) => runList(context, options));
  withRange(periods.command('check').description('whether all periods are good'))
    .addHelpText('after', CHECK_EXAMPLES)
    .action((options: RangeOptions) => runCheck(context, options));
}

function withRange(command: Command): Command {
  return command
    .option('-S, --start <time>', 'start of the range, inclusive')
    .option('-E, --end <time>', 'end of the range, exclusive (default: now)')
    .option('--period <label>', 'one period: 2026-01, 2026-W05, 2026-01-31, 2026-01-31T15:00+08:00')
    .addOption(outputOption());
}

/** Errors of parseRange and parsePeriodLabel (B67). */
function rangeOf({ start, end, period }: RangeOptions, calendar: Calendar): RangeAt {
  if (period === undefined) return (nowMs) => parseRange(start, end, calendar, nowMs);
  if (start !== undefined || end !== undefined) {
    throw new JobhoursError('USAGE', 'give either --period, or --start and --end');
  }
  const { startAtMs, endAtMs } = parsePeriodLabel(granularityOf(period), period, calendar);
  return () => ({ startAtMs, endAtMs });
}

/** The four labels differ in form. */
function granularityOf(label: string): Granularity {
  if (label.includes('T')) return 'hour';
  if (label.includes('W')) return 'week';
  return label.split('-').length === 3 ? 'day' : 'month';
}

async function runList(context: CommandContext, options: ListOptions): Promise<void> {
  const print = (text: string): void => context.print(text);
  const { state = null, output, period } = options;
  const granularity = options.granularity ?? (period === undefined ? null : granularityOf(period));
  const granularities = granularity === null ? GRANULARITIES : [granularity];
  await context.withBooks(async ({ database, calendar, settings }) => {
    const rangeAt = rangeOf(options, calendar);
    const view = await listPeriods(database, calendar, settings, { granularities, rangeAt, state });
    if (output === 'table') {
      context.print(`Periods as of ${calendar.localText(view.asOfMs)} ${calendar.zone}`);
      if (view.periods.length > 0) context.print(`\n${listTable(view.periods)}`);
    } else await printRecords(print, output, PERIOD_COLUMNS, view.periods.map(recordOf));
    if (view.periods.length === 0) context.note(emptyNote(view.originAtMs, calendar));
  });
}

async function runCheck(context: CommandContext, options: RangeOptions): Promise<void> {
  const print = (text: string): void => context.print(text);
  const { output } = options;
  const findings = await context.withBooks(async ({ database, calendar, settings }) => {
    const rangeAt = rangeOf(options, calendar);
    const check = await checkPeriods(database, calendar, settings, rangeAt);
    const counts = GRANULARITIES.map((granularity) => {
      const count = check.checked[granularity];
      return `${count} ${granularity}${count === 1 ? '' : 's'}`;
    });
    const bad = check.periods.reduce((sum, one) => sum + one.periods, 0);
    const total = Object.values(check.checked).reduce((sum, count) => sum + count, 0);
    const verdict = bad === 0 ? 'all good' : `${bad} not good`;
    const summary = `checked ${counts.join(', ')} as of ${calendar.localText(check.asOfMs)}: ${total === 0 ? 'nothing to judge' : verdict}`;
    if (output === 'table') {
      if (check.periods.length > 0) context.print(`${checkTable(check.periods)}\n`);
      context.print(summary);
    } else {
      await printRecords(print, output, PERIOD_COLUMNS, check.periods.map(recordOf));
      context.note(summary);
    }
    if (total === 0) context.note(emptyNote(check.originAtMs, calendar));
    return bad;
  });
  if (findings > 0) process.exitCode = EXIT.findings;
}

function emptyNote(originAtMs: number | null, calendar: Calendar): string {
  if (originAtMs === null) {
    return 'note: the books have not begun, so no period is expected; begin them by: jobhours backfill create --start oldest';
  }
  return `note: no such period; the books begin at ${calendar.localText(originAtMs)}`;
}

function listTable(periods: readonly ListedPeriod[]): string {
  const columns = ['granularity', 'period', 'state', 'source state', 'because', 'mend'];
  return tableText(
    columns.map((title) => ({ title })),
    periods.map((one) => [
      one.granularity,
      one.label,
      one.state,
      one.sourceState,
      one.because,
      one.mend,
    ]),
  );
}

function checkTable(periods: readonly ListedPeriod[]): string {
  const columns = ['periods', 'granularity', 'from', 'to', 'state', 'because', 'mend'];
  return tableText(
    columns.map((title) => ({ title, isNumber: title === 'periods' })),
    periods.map((one) => [
      String(one.periods),
      one.granularity,
      one.label,
      one.lastLabel,
      one.state,
      one.because,
      one.mend,
    ]),
  );
}

function recordOf(one: ListedPeriod): DataRecord<(typeof PERIOD_COLUMNS)[number]> {
  return {
    granularity: one.granularity,
    label: one.label,
    period_start: instantText(one.startAtMs),
    period_end: instantText(one.endAtMs),
    state: one.state,
    source_state: SOURCE_STATE[one.state],
    because: one.because,
    mend: one.mend,
    periods: one.periods,
    last_label: one.lastLabel,
  };
}
