/** `jobhours source list|end`: where records come from, and what they cover. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { parseInstant } from '../../domain/instant-text.js';
import { plainName } from '../../domain/quoted-value.js';
import { instantText } from '../../domain/units.js';
import {
  afterEnd,
  databaseNowMs,
  endOneSource,
  viewSources,
  type AfterEnd,
  type SourceView,
} from '../sources.js';
import { doerOf, withDoer, type DoerFlags } from './actor.js';
import { noteUndo } from './after-change.js';
import { rangeText } from './backfill-text.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { countedText, countText } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
const COLUMNS = [
  'source',
  'newest_batch',
  'newest_input',
  'imported',
  'last_record',
  'declared_from',
  'covered_until',
  'gaps',
  'ended',
] as const;

/** Gaps that are told by name in a table. */
const TOLD = 20;

const LIST_HELP = `
Examples:
  jobhours source list
  jobhours source list -o csv

An import says what it covers with --covers A,B. From the first declared instant on, every source is expected to be covered
up to now, and a report is complete only where all of them are. A source that ended is expected until its end.`;

const END_HELP = `
Examples:
  jobhours source end north --at 2026-03-01 --reason 'switched off'
  jobhours source end north --never --reason 'it was only being repaired'
  jobhours import undo 12 --reason 'wrong day'           takes it back

Nothing is expected of the source from --at on (default: now). Records that come all the same are counted as always.`;

interface EndFlags extends DoerFlags {
  readonly at?: string;
  readonly never?: true;
}

/** Adds `source`. */
export function registerSource(program: Command, context: CommandContext): void {
  const source = program.command('source').description('Where records come from, what they cover');
  source
    .command('list')
    .description('all, with their newest import and what is missing')
    .addOption(outputOption())
    .addHelpText('after', LIST_HELP)
    .action(({ output }: { output: Format }) => runList(context, output));
  withDoer(source.command('end <name>').description('expect nothing of it any more'))
    .option('--at <time>', 'since when (default: now)')
    .option('--never', 'it goes on after all')
    .addHelpText('after', END_HELP)
    .action((name: string, flags: EndFlags) => runEnd(context, name, flags));
}

async function runList(context: CommandContext, format: Format): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const { asOfMs, sources } = await viewSources(database);
    if (format !== 'table') {
      await printRecords((text) => context.print(text), format, COLUMNS, sources.map(recordOf));
      return;
    }
    context.print(`Sources as of ${calendar.localText(asOfMs)} ${calendar.zone}`);
    if (sources.length === 0) {
      context.note('note: no source is known; import records first: jobhours import --help');
      return;
    }
    context.print(`\n${sourceTable(sources, calendar)}`);
    for (const line of gapLines(sources, calendar)) context.print(line);
    if (sources.every(({ declared }) => declared === null)) {
      context.note(
        'note: nobody declared what the imports cover: jobhours import ... --covers A,B',
      );
    }
  });
}

function recordOf({
  name,
  newest,
  declared,
  endedAtMs,
}: SourceView): DataRecord<(typeof COLUMNS)[number]> {
  const timeOf = (atMs: number | null | undefined): string | null =>
    atMs === null || atMs === undefined ? null : instantText(atMs);
  return {
    source: name,
    newest_batch: newest === null ? null : String(newest.batch),
    newest_input: newest?.inputName ?? null,
    imported: timeOf(newest?.importedAtMs),
    last_record: timeOf(newest?.lastAtMs),
    declared_from: timeOf(declared?.startAtMs),
    covered_until: timeOf(declared?.coveredUntilMs),
    gaps: declared === null ? null : declared.gaps.length,
    ended: timeOf(endedAtMs),
  };
}

function sourceTable(sources: readonly SourceView[], calendar: Calendar): string {
  const text = (atMs: number | null | undefined): string =>
    atMs === null || atMs === undefined ? '-' : calendar.localText(atMs);
  const titles = [
    'source',
    'newest import',
    'last record',
    'declared from',
    'covered until',
    'ended',
  ];
  return tableText(
    titles.map((title) => ({ title })),
    sources.map(({ name, newest, declared, endedAtMs }) => [
      name,
      newest === null ? '-' : `${newest.batch}, ${text(newest.importedAtMs)}`,
      text(newest?.lastAtMs),
      text(declared?.startAtMs),
      text(declared?.coveredUntilMs),
      text(endedAtMs),
    ]),
  );
}

function* gapLines(sources: readonly SourceView[], calendar: Calendar): Generator<string> {
  for (const { name, declared } of sources) {
    const gaps = declared?.gaps ?? [];
    for (const gap of gaps.slice(0, TOLD)) yield `${name} misses ${rangeText(calendar, gap)}`;
    const more = gaps.length - TOLD;
    if (more > 0) yield `${name} misses ${countText(more)} more`;
  }
}

/** What contradicts the end of a source. */
function* afterEndNotes(
  name: string,
  { runs, lastAtMs, declaredUntilMs }: AfterEnd,
  calendar: Calendar,
): Generator<string> {
  if (runs > 0 && lastAtMs !== null) {
    yield `note: ${countedText(runs, 'run')} of ${plainName(name)} ${runs === 1 ? 'reaches' : 'reach'} beyond it, up to ${calendar.localText(lastAtMs)}, and ${runs === 1 ? 'counts' : 'count'} as always`;
  }
  if (declaredUntilMs !== null) {
    yield `note: its imports were declared to cover up to ${calendar.localText(declaredUntilMs)}`;
  }
}

async function runEnd(context: CommandContext, name: string, flags: EndFlags): Promise<void> {
  if (flags.at !== undefined && flags.never === true) {
    throw new JobhoursError('USAGE', 'give either --at or --never');
  }
  const doer = doerOf(flags);
  await context.withBooks(async ({ database, calendar }) => {
    const { at = 'now', never } = flags;
    const atMs =
      at === 'now'
        ? await databaseNowMs(database)
        : parseInstant(at, { zone: calendar.zone, field: '--at' });
    const batch = await endOneSource(database, name, never === true ? null : atMs, doer);
    const what = never === true ? 'goes on' : `ended at ${calendar.localText(atMs)}`;
    context.print(`source ${name} ${what}, by import ${batch}`);
    if (never !== true) {
      const after = await afterEnd(database, name, atMs);
      for (const note of afterEndNotes(name, after, calendar)) context.note(note);
    }
    noteUndo(context, batch);
  });
}
