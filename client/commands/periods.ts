/** `jobhours periods list`: what the ledger should hold and what it holds. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { GRANULARITIES, type Granularity } from '../../domain/period.js';
import { PERIOD_STATES, type PeriodState } from '../../domain/period-state.js';
import { listPeriods, type ListedPeriod } from '../period-list.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { noteClock } from './clock-note.js';
import { printRecords, tableText } from './output.js';
import { granularityOf, rangeOf, withRange, type RangeOptions } from './period-range.js';
import { emptyNote, mendText, PERIOD_COLUMNS, recordOf } from './period-record.js';
import { registerCheck } from './periods-check.js';
import { registerClean } from './periods-clean.js';
import { registerPlan } from './periods-plan.js';

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
'by itself' = by the keeper of a running 'jobhours dev' or worker, at the latest at the tick that is named; an import
wakes it at once. Reports are exact all the same: what is not good is computed from the runs.`;

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
  registerCheck(periods, context);
  registerClean(periods, context);
  registerPlan(periods, context);
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
      if (view.periods.length > 0) context.print(`\n${listTable(view.periods, calendar)}`);
    } else await printRecords(print, output, PERIOD_COLUMNS, view.periods.map(recordOf));
    if (view.periods.length === 0)
      context.note(emptyNote(view.originAtMs, calendar, options.state));
    await noteClock(context, database);
  });
}

function listTable(periods: readonly ListedPeriod[], calendar: Calendar): string {
  const columns = ['granularity', 'period', 'state', 'source state', 'because', 'mend'];
  return tableText(
    columns.map((title) => ({ title })),
    periods.map((one) => [
      one.granularity,
      one.label,
      one.state,
      one.sourceState,
      one.because,
      mendText(one, calendar),
    ]),
  );
}
