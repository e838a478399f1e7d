/** `jobhours backfill list|show|pause|unpause|cancel`, and where `create` hangs. Arguments and printing only. */
import type { Command } from 'commander';
import { listBackfills, showBackfill } from '../backfill-view.js';
import { registerCreate } from './backfill-create.js';
import {
  BACKFILL_COLUMNS,
  backfillRecord,
  failureText,
  outcomeText,
  rangeText,
  shellName,
  shownLines,
  stateText,
} from './backfill-text.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type Format } from './output.js';

const LISTED = 100;

const CONTROL_NOTES = `
A pause lets months that are being built be finished and begins no new one; it holds until unpause. The keeper leaves
the range of an open backfill alone, paused or not. A cancelled backfill stops between two hours; what was built stays.`;

/** Adds `backfill`. */
export function registerBackfill(program: Command, context: CommandContext): void {
  const backfill = program.command('backfill').description('Aggregate a chosen range, however old');
  registerCreate(backfill, context);
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
  backfill
    .command('pause <name>')
    .description('begin no new month until it is unpaused')
    .addHelpText('after', CONTROL_NOTES)
    .action((name: string) => runPause(context, name, true));
  backfill
    .command('unpause <name>')
    .description('let it go on')
    .addHelpText('after', CONTROL_NOTES)
    .action((name: string) => runPause(context, name, false));
  backfill
    .command('cancel <name>')
    .description('stop it; what was built stays')
    .addHelpText('after', CONTROL_NOTES)
    .action((name: string) => runCancel(context, name));
}

async function runList(context: CommandContext, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const found = await listBackfills(database, LISTED);
    if (format !== 'table') {
      const records = found.map(backfillRecord);
      await printRecords((text) => context.print(text), format, BACKFILL_COLUMNS, records);
      return;
    }
    if (found.length === 0) {
      context.note(
        'no backfill was created; the first one: jobhours backfill create --start oldest',
      );
      return;
    }
    const titles = ['name', 'range', 'reprocess', 'state', 'built', 'failed'];
    const rows = found.map((one) => [
      one.name,
      rangeText(calendar, one),
      one.reprocess,
      stateText(one),
      one.endedAtMs === null ? '-' : String(one.periodsBuilt),
      one.endedAtMs === null ? '-' : String(one.periodsFailed),
    ]);
    const columns = titles.map((title) => ({ title, isNumber: /built|failed/.test(title) }));
    context.print(tableText(columns, rows));
  });
}

async function runShow(context: CommandContext, name: string, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const { backfill, progress, failures } = await showBackfill(database, calendar, name);
    if (format !== 'table') {
      const columns = [...BACKFILL_COLUMNS, 'hours_done', 'hours', 'left_ms'] as const;
      const { done, of, leftMs } = progress;
      const record = { ...backfillRecord(backfill), hours_done: done, hours: of, left_ms: leftMs };
      await printRecords((text) => context.print(text), format, columns, [record]);
      return;
    }
    for (const line of shownLines(calendar, backfill, progress)) context.print(line);
    for (const one of failures) context.print(`  failed    ${failureText(one)}`);
  });
}

async function runPause(context: CommandContext, name: string, isPaused: boolean): Promise<void> {
  await context.withTemporal(async (open) => {
    const { pauseBackfill } = await import('../backfill-control.js');
    const backfill = await pauseBackfill(open.temporal, open, name, isPaused);
    context.print(`backfill ${name}: ${stateText(backfill)}`);
    context.note(
      isPaused
        ? `months that are being built are finished; it goes on by: jobhours backfill unpause ${shellName(name)}`
        : `its progress: jobhours backfill show ${shellName(name)}`,
    );
  });
}

async function runCancel(context: CommandContext, name: string): Promise<void> {
  await context.withTemporal(async (open) => {
    const { cancelBackfill } = await import('../backfill-control.js');
    const backfill = await cancelBackfill(open.temporal, open, name, () =>
      context.note('waiting until it stops between two hours'),
    );
    context.print(`backfill ${name}: ${outcomeText(backfill)}`);
    context.note(
      'what was built stays; what is missing within the catch-up is built by the keeper now',
    );
  });
}
