/** `jobhours periods clean`: removes what no build replaces. Arguments and printing only. */
import type { Command } from 'commander';
import { cleanPeriods } from '../period-audit.js';
import type { CommandContext } from './context.js';
import { rangeOf, withEdges, type RangeEdges } from './period-range.js';

const EXAMPLES = `
Examples:
  jobhours periods check --deep                          names what is wrong, and the command that mends it
  jobhours periods clean                                 in all of the books
  jobhours periods clean --start 2026-01-01 --end 2026-02-01

Removes rows of the ledger that are no hour, day, week or month of the calendar or that end in the future, and rows of
usage that no row of the ledger vouches for. No run is touched, and no figure changes: reports compute from the runs
what is not in the ledger. What is missing then is built as always.`;

/** Adds `clean` to `periods`. */
export function registerClean(periods: Command, context: CommandContext): void {
  withEdges(
    periods.command('clean').description('remove rows that belong to no period; see check --deep'),
  )
    .addHelpText('after', EXAMPLES)
    .action((options: RangeEdges) => runClean(context, options));
}

async function runClean(context: CommandContext, options: RangeEdges): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const { ledgerRows, dirtyRows } = await cleanPeriods(
      database,
      calendar,
      rangeOf(options, calendar),
    );
    context.print(`removed ${ledgerRows} rows of the ledger and ${dirtyRows} rows of usage`);
    if (ledgerRows + dirtyRows > 0) context.note('what is missing now: jobhours periods check');
  });
}
