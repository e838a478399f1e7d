/** `jobhours periods check`: whether all periods are good. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { EXIT, JobhoursError } from '../../domain/errors.js';
import { GRANULARITIES } from '../../domain/period.js';
import { GREATEST_SEED, MOST_SAMPLED, type AuditOptions } from '../period-audit.js';
import { checkPeriods, type ListedPeriod, type PeriodCheck } from '../period-list.js';
import { integerOf } from './choice.js';
import type { CommandContext } from './context.js';
import { printRecords, tableText } from './output.js';
import { rangeOf, withRange, type RangeOptions } from './period-range.js';
import { emptyNote, PERIOD_COLUMNS, recordOf } from './period-record.js';
import { runDeepCheck } from './periods-deep.js';
import { countedText } from './screen.js';

const CHECK_EXAMPLES = `
Examples:
  jobhours periods check                                 all periods since the books begin
  jobhours periods check --start 2026-01-01 --end 2026-02-01
  jobhours periods check --period 2026-01

  jobhours periods check --deep                          recompute all good periods from the runs
  jobhours periods check --deep --sample 25              25 hours, 25 days, 25 weeks and 25 months, drawn at random

Judges the periods that lie wholly in [start, end) and are due. Exit status 5 when one is missing, stale or failed, or
when an audit found periods wrong and no complete one has found all right since.

--deep reads every run again, clips it to each hour, day, week and month by start and end alone, and compares the sums
and their digests with what is stored: so it finds what was changed by hand, which no comparison inside the ledger can.
Exit status 5 when something differs, or when all was asked for and stale periods could not be judged; each finding
names the command that mends it. It reads all runs about once for
each month of the range, builds nothing, and may run beside imports and builds. Missing and stale periods are only
counted: reports do not use them. The schedule 'audit' does the same with a sample of 25, once a day.`;

interface CheckOptions extends RangeOptions {
  readonly deep?: true;
  readonly sample?: number;
  readonly seed?: number;
}

/** Adds `check` to `periods`. */
export function registerCheck(periods: Command, context: CommandContext): void {
  withRange(periods.command('check').description('whether all periods are good'))
    .option('--deep', 'recompute them from the runs and compare every row')
    .option(
      '--sample <number>',
      'with --deep: so many of each granularity',
      integerOf('--sample', 1, MOST_SAMPLED),
    )
    .option(
      '--seed <number>',
      'with --sample: draw what that seed drew',
      integerOf('--seed', 0, GREATEST_SEED),
    )
    .addHelpText('after', CHECK_EXAMPLES)
    .action((options: CheckOptions) => run(context, options));
}

async function run(context: CommandContext, options: CheckOptions): Promise<void> {
  const { deep, output, sample = null, seed = null } = options;
  if (deep === true) {
    if (seed !== null && sample === null) throw new JobhoursError('USAGE', '--seed needs --sample');
    const optionsOf = (calendar: Calendar): AuditOptions => ({
      rangeAt: rangeOf(options, calendar),
      ...{ sample, seed },
    });
    return runDeepCheck(context, output, optionsOf);
  }
  if (sample !== null || seed !== null) {
    throw new JobhoursError('USAGE', `${sample === null ? '--seed' : '--sample'} needs --deep`);
  }
  return runCheck(context, options);
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
    else context.note(auditText(check.audits, calendar));
    return bad + check.audits.periodsWrong;
  });
  if (findings > 0) process.exitCode = EXIT.findings;
}

function auditText({ newest, periodsWrong }: PeriodCheck['audits'], calendar: Calendar): string {
  if (periodsWrong > 0) {
    return `WARNING: an audit found ${countedText(periodsWrong, 'period')} that the runs say otherwise; which, and what mends them: jobhours periods check --deep`;
  }
  if (newest === null) {
    return 'note: nothing was recomputed from the runs yet: jobhours periods check --deep, or the daily audit';
  }
  const what = newest.sample === null ? '' : `, sample ${newest.sample}`;
  return `note: the newest audit (${newest.askedBy}${what}) ended at ${calendar.localText(newest.endedAtMs)}; the audits found no difference`;
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
