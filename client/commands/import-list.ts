/** `jobhours import list|show|undo`: what changed the books, and taking it back. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { lineText, quotedValue } from '../../domain/quoted-value.js';
import { instantText } from '../../domain/units.js';
import { listImports, showImport, type Batch, type ShownImport } from '../import-list.js';
import { undoBatch, type UndoResult } from '../import-undo.js';
import { doerOf, withDoer, type DoerFlags } from './actor.js';
import { bringUpToDate } from './after-change.js';
import { limitOf } from './choice.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { countedText, countText } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
const BATCH_COLUMNS = [
  ...(['batch', 'what', 'subject', 'actor', 'reason', 'started', 'applied', 'state'] as const),
  ...(['undone_by', 'undoes', 'changed'] as const),
];

const LIST_HELP = `
Imports, and what was done by hand: undo, void, correct, close-unseen, rename-user, rename-space, dismiss, end-source.
Each but an undo can be undone by its number. State: applied; interrupted = some of its runs are in the books, the same import again adds the
others; undone.

Examples:
  jobhours import list
  jobhours import list --limit 1000 -o csv
  jobhours import show 12`;

const UNDO_HELP = `
Takes back what an import, or an act by hand, did to the books, as if it had never been: runs that it changed have
their former values again, runs that came with it are gone. A run that a later import delivered with the same values
stays, and records that later imports had to leave aside because of it count now. All or nothing: when a later import
or act changed one of its runs again, nothing is changed and that one is named. What was undone stays in the history.

Examples:
  jobhours import undo 12 --reason 'dump of the test cluster'
  jobhours import undo 14 --reason 'wrong user after all' --actor anna`;

/** Adds `list`, `show` and `undo` to `import`. */
export function registerImportList(imports: Command, context: CommandContext): void {
  imports
    .command('list')
    .description('what changed the books, the newest first')
    .option('--limit <number>', 'how many, 1 to 1000', limitOf, 50)
    .addOption(outputOption())
    .addHelpText('after', LIST_HELP)
    .action((options: { limit: number; output: Format }) => runList(context, options));
  imports
    .command('show <import>')
    .description('one, and what stands in the books because of it')
    .addOption(outputOption())
    .action((text: string, { output }: { output: Format }) =>
      runShow(context, batchNumber(text), output),
    );
  withDoer(imports.command('undo <import>').description('take back an import, or an act by hand'))
    .addHelpText('after', UNDO_HELP)
    .action((text: string, flags: DoerFlags) => runUndo(context, batchNumber(text), flags));
}

/** The number of a batch as people type it. USAGE. */
export function batchNumber(text: string): bigint {
  if (/^\d{1,9}$/.test(text)) return BigInt(text);
  throw new JobhoursError(
    'USAGE',
    `${quotedValue(text)} is not the number of an import: see jobhours import list`,
  );
}

function stateOf({ undoneBy, appliedAtMs }: Batch): string {
  if (undoneBy !== null) return `undone by ${undoneBy}`;
  return appliedAtMs === null ? 'interrupted' : 'applied';
}

const CHANGE_WORDS = [
  'new',
  'corrected',
  'ended',
  'runs',
  'removed',
  'restored',
  'kept',
  'applied',
];

/** `20 new, 3 corrected`: what its counts say that it changed; null: nothing. `inWords`: digits grouped for people. */
function changeText({ counts, act }: Batch, inWords = true): string | null {
  const shown = (count: number): string => (inWords ? countText(count) : String(count));
  const words = act === null ? CHANGE_WORDS.slice(0, 3) : [...CHANGE_WORDS, 'rejects'];
  const parts = words.flatMap((word) => {
    const count = counts[word];
    if (typeof count !== 'number' || count === 0) return [];
    const noun = word.endsWith('s') && count === 1 ? word.slice(0, -1) : word;
    return [`${shown(count)} ${noun}`];
  });
  return parts.length === 0 ? null : parts.join(', ');
}

function whatText({ act, format }: Batch): string {
  return act ?? `import ${format}`;
}

function recordOf(batch: Batch): DataRecord<(typeof BATCH_COLUMNS)[number]> {
  const idOf = (id: bigint | null): string | null => (id === null ? null : String(id));
  return {
    batch: String(batch.id),
    what: whatText(batch),
    subject: batch.inputName,
    actor: batch.actor,
    reason: batch.reason,
    started: instantText(batch.startedAtMs),
    applied: batch.appliedAtMs === null ? null : instantText(batch.appliedAtMs),
    state: batch.undoneBy === null ? stateOf(batch) : 'undone',
    undone_by: idOf(batch.undoneBy),
    undoes: idOf(batch.undoes),
    changed: changeText(batch, false),
  };
}

async function runList(
  context: CommandContext,
  { limit, output }: { readonly limit: number; readonly output: Format },
): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const batches = await listImports(database, limit);
    if (output !== 'table') {
      const print = (text: string): void => context.print(text);
      await printRecords(print, output, BATCH_COLUMNS, batches.map(recordOf));
    } else if (batches.length === 0) context.note('nothing was imported yet');
    else context.print(listTable(batches, calendar));
    if (batches.length === limit) context.note(`the newest ${limit}; more by --limit`);
  });
}

function listTable(batches: readonly Batch[], calendar: Calendar): string {
  const titles = ['batch', 'when', 'who', 'what', 'subject', 'changed', 'state', 'reason'];
  return tableText(
    titles.map((title) => ({ title, isNumber: title === 'batch' })),
    batches.map((one) => [
      String(one.id),
      calendar.localText(one.startedAtMs),
      one.actor,
      whatText(one),
      one.inputName,
      changeText(one) ?? '-',
      stateOf(one),
      one.reason ?? '',
    ]),
  );
}

async function runShow(context: CommandContext, id: bigint, output: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const shown = await showImport(database, id);
    if (output === 'table') {
      for (const line of shownLines(shown, calendar)) context.print(line);
      return;
    }
    const { runsGiven, changedLater, rejects, openRejects, withheld } = shown.effects;
    const columns = [
      ...BATCH_COLUMNS,
      ...(['runs', 'changed_later', 'open_rejects', 'withheld', 'covers'] as const),
      ...(['rejects', 'sources'] as const),
    ] as const;
    const record = {
      ...recordOf(shown.batch),
      ...{ runs: runsGiven, changed_later: changedLater, open_rejects: openRejects, withheld },
      covers: coverageCell(shown.coverage),
      ...{ rejects, sources: sourcesCell(shown.sources) },
    };
    await printRecords((text) => context.print(text), output, columns, [record]);
  });
}

/** `north 2026-01-01T00:00:00.000Z/2026-02-01T00:00:00.000Z 12 runs`, several with `; ` between. */
function sourcesCell(sources: ShownImport['sources']): string | null {
  const texts = sources.map(
    ({ source, runs, firstStartedAtMs, lastAtMs }) =>
      `${source} ${instantText(firstStartedAtMs)}/${instantText(lastAtMs)} ${runs} run${runs === 1 ? '' : 's'}`,
  );
  return texts.length === 0 ? null : texts.join('; ');
}

/** `north 2026-01-01T00:00:00.000Z/2026-02-01T00:00:00.000Z`, several with `; ` between. */
function coverageCell(coverage: ShownImport['coverage']): string | null {
  const texts = coverage.map(
    ({ source, startAtMs, endAtMs }) =>
      `${source} ${instantText(startAtMs)}/${instantText(endAtMs)}`,
  );
  return texts.length === 0 ? null : texts.join('; ');
}

function shownLines(
  { batch, effects, sources, coverage }: ShownImport,
  calendar: Calendar,
): string[] {
  const at = (atMs: number): string => calendar.localText(atMs);
  const { runsGiven, changedLater, rejects, openRejects, withheld } = effects;
  const lines = [
    `import      ${batch.id}: ${whatText(batch)}, ${batch.inputName}`,
    `who         ${batch.actor}, at ${at(batch.startedAtMs)} (${calendar.zone})`,
    ...(batch.reason === null ? [] : [`why         ${batch.reason}`]),
    `state       ${stateOf(batch)}`,
    `changed     ${changeText(batch) ?? '-'}`,
    `stands      ${countedText(runsGiven, 'run')} as it left them; ${countText(changedLater)} changed later`,
    ...(rejects === 0
      ? []
      : [`rejects     ${countText(rejects)}, ${countText(openRejects)} of them open`]),
    ...(withheld === 0
      ? []
      : [`left aside  ${countText(withheld)} that something in the books is in the way of`]),
    ...sources.map(
      ({ source, runs, firstStartedAtMs, lastAtMs }) =>
        `source      ${source}: ${countedText(runs, 'run')}, ${at(firstStartedAtMs)} to ${at(lastAtMs)}`,
    ),
    ...coverage.map(
      ({ source, startAtMs, endAtMs }) =>
        `covers      ${source}: ${at(startAtMs)} to ${at(endAtMs)}`,
    ),
  ];
  return lines.map(lineText);
}

async function runUndo(context: CommandContext, id: bigint, flags: DoerFlags): Promise<void> {
  const doer = doerOf(flags);
  const { result, hasBegun } = await context.withBooks(async ({ database, books }) => {
    const wait = (): void => context.note(`waiting until import ${id} is over`);
    const undone = await undoBatch(database, id, doer, wait);
    return { result: undone, hasBegun: books.originAtMs !== null };
  });
  for (const line of undoLines(id, result)) context.print(line);
  const { removed, restored, applied } = result;
  if (removed + restored + applied > 0) await bringUpToDate(context, hasBegun);
}

function undoLines(id: bigint, result: UndoResult): string[] {
  const { removed, restored, kept, applied, rejected, reopenedRejects, undone } = result;
  const parts = [
    [removed, 'removed'],
    [restored, 'restored'],
    [kept, 'kept, because a later import delivered the same'],
    [applied, 'changed by records that had been left aside'],
    [rejected, 'rejected: jobhours import rejects list'],
  ] as const;
  const runs = parts.flatMap(([count, what]) => (count > 0 ? [`${countText(count)} ${what}`] : []));
  return [
    lineText(
      `import ${id} (${whatText(undone)}, ${undone.inputName}) is undone, by import ${result.batch}`,
    ),
    ...(runs.length === 0 ? [] : [`runs: ${runs.join(', ')}`]),
    ...(reopenedRejects === 0 ? [] : [`${countedText(reopenedRejects, 'reject')} open again`]),
  ];
}
