/** `jobhours import rejects list|dismiss`: records that were left out. Arguments and printing only. */
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { instantText } from '../../domain/units.js';
import { dismissStoredRejects, storedRejects, type StoredReject } from '../reject-list.js';
import { doerOf, withDoer, type DoerFlags } from './actor.js';
import type { CommandContext } from './context.js';
import { batchNumber } from './import-list.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { countedText } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
const REJECT_COLUMNS = [
  ...(['batch', 'line', 'code', 'detail', 'record', 'at'] as const),
  ...(['dismissed_at', 'dismissed_by', 'dismissed_reason'] as const),
];

const LIST_HELP = `
Records that an import with --partial left out. They wait until somebody dismisses them: correct the records and
import them again, then dismiss these.

Examples:
  jobhours import rejects list
  jobhours import rejects list --batch 12 -o csv`;

const DISMISS_HELP = `
Says that nothing waits any more for rejected records of an import: all open ones, or that of one line.

Examples:
  jobhours import rejects dismiss 12 --reason 'imported again, corrected'
  jobhours import rejects dismiss 12:40 --reason 'a test job of the vendor'`;

interface ListFlags {
  readonly batch?: string;
  readonly all?: true;
  readonly output: Format;
}

/** Adds `rejects` to `import`. */
export function registerRejects(imports: Command, context: CommandContext): void {
  const rejects = imports.command('rejects').description('records that were left out');
  rejects
    .command('list')
    .description('the open ones, by import and line')
    .option('--batch <number>', 'of one import')
    .option('--all', 'dismissed ones too')
    .addOption(outputOption())
    .addHelpText('after', LIST_HELP)
    .action((flags: ListFlags) => runList(context, flags));
  withDoer(
    rejects.command('dismiss <import[:line]>').description('nothing waits for them any more'),
  )
    .addHelpText('after', DISMISS_HELP)
    .action((text: string, flags: DoerFlags) => runDismiss(context, text, flags));
}

function recordOf(one: StoredReject): DataRecord<(typeof REJECT_COLUMNS)[number]> {
  const { dismissed } = one;
  return {
    batch: String(one.batch),
    line: one.line,
    code: one.code,
    detail: one.detail,
    record: one.record,
    at: instantText(one.atMs),
    dismissed_at: dismissed === null ? null : instantText(dismissed.atMs),
    dismissed_by: dismissed?.actor ?? null,
    dismissed_reason: dismissed?.reason ?? null,
  };
}

async function* recordsOf(
  rejects: AsyncIterable<StoredReject>,
): AsyncGenerator<ReturnType<typeof recordOf>> {
  for await (const one of rejects) yield recordOf(one);
}

async function runList(context: CommandContext, { batch, all, output }: ListFlags): Promise<void> {
  const number = batch === undefined ? null : batchNumber(batch);
  await context.withBooks(async ({ database }) => {
    const rejects = storedRejects(database, number, all === true);
    if (output !== 'table') {
      const print = (text: string): void => context.print(text);
      await printRecords(print, output, REJECT_COLUMNS, recordsOf(rejects));
      return;
    }
    const rows: string[][] = [];
    for await (const one of rejects) {
      const state = one.dismissed === null ? 'open' : `dismissed: ${one.dismissed.reason}`;
      rows.push([`${one.batch}:${one.line}`, one.code, state, one.detail]);
    }
    if (rows.length === 0) context.note('no rejected record is open');
    else
      context.print(
        tableText(
          [{ title: 'reject' }, { title: 'code' }, { title: 'state' }, { title: 'reason' }],
          rows,
        ),
      );
  });
}

async function runDismiss(context: CommandContext, text: string, flags: DoerFlags): Promise<void> {
  const match = /^(\d{1,9})(?::(\d{1,15}))?$/.exec(text);
  if (match === null) {
    throw new JobhoursError(
      'USAGE',
      `${quotedValue(text)}: expected the number of an import, or IMPORT:LINE`,
    );
  }
  const which = {
    batch: BigInt(match[1] ?? 0),
    line: match[2] === undefined ? null : Number(match[2]),
  };
  const doer = doerOf(flags);
  await context.withBooks(async ({ database }) => {
    const { batch, dismissed } = await dismissStoredRejects(database, which, doer);
    context.print(`${countedText(dismissed, 'reject')} dismissed, by import ${batch}`);
  });
}
