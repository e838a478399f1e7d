/** `jobhours import`: job records of Slurm, CSV, JSON lines or SWF. Arguments and printing only. */
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { openImportInput } from '../import-input.js';
import { openRejectsFile } from '../import-rejects.js';
import type { ImportFormat } from '../import-format.js';
import { importRuns, type DeclaredCoverage, type ImportResult } from '../import-runs.js';
import { viewSources } from '../sources.js';
import { rejectedRecords, summaryRecord, type ImportSummary } from '../import-summary.js';
import { actorName } from './actor.js';
import { bringUpToDate } from './after-change.js';
import { oneOf } from './choice.js';
import type { CommandContext, OpenBooks } from './context.js';
import { closeAndPrint } from './import-close.js';
import { coversOf } from './import-covers.js';
import { feedFormat, sacctFormat, sizeOf, swfFormat, type FormatFlags } from './import-flags.js';
import { CSV_HELP, JSONL_HELP, SACCT_HELP, SWF_HELP } from './import-help.js';
import { registerImportList } from './import-list.js';
import { importProgress } from './import-progress.js';
import { registerRejects } from './import-rejects-list.js';
import {
  nextCommands,
  rejectLines,
  summaryLines,
  warningLines,
  type SaidByFlags,
} from './import-text.js';
import { countText } from './screen.js';
import { newSourceNotes } from './unknown-note.js';

const OUTPUTS = ['table', 'json'] as const;

interface ImportFlags extends FormatFlags {
  readonly partial?: true;
  readonly reopen?: true;
  readonly closeUnseen?: true;
  readonly covers?: string;
  readonly rejects?: string;
  readonly output: (typeof OUTPUTS)[number];
}

const collect = (text: string, texts: readonly string[] = []): readonly string[] => [
  ...texts,
  text,
];

/** Adds the commands of `import`: one for each format, and those about what was imported. */
export function registerImport(program: Command, context: CommandContext): void {
  const imports = program.command('import').description('Job records of a cluster or a file');
  registerFormats(imports, context);
  registerImportList(imports, context);
  registerRejects(imports, context);
}

function registerFormats(imports: Command, context: CommandContext): void {
  formatCommand(imports, 'sacct', "Slurm's sacct, 26 fields or those of a header", SACCT_HELP)
    .option('--zone <zone>', 'zone of its times (default: UTC)')
    .option('--source <name>', 'the cluster of records that do not name theirs')
    .option('--gres <name=milli>', 'milli-GPUs that one of a gres counts for; repeatable', collect)
    .option('--pool <template>', 'how pools are called (default: {partition})')
    .action((file: string, flags: ImportFlags) =>
      runImport(context, file, flags, () => sacctFormat(flags)),
    );
  for (const [format, summary, help] of [
    ['csv', 'a CSV file with a header', CSV_HELP],
    ['jsonl', 'a file with a JSON object in each line', JSONL_HELP],
  ] as const) {
    feedOptions(formatCommand(imports, format, summary, help), format).action(
      (file: string, flags: ImportFlags) =>
        runImport(context, file, flags, ({ calendar }) => feedFormat(format, flags, calendar)),
    );
  }
  formatCommand(imports, 'swf', 'a log in the Standard Workload Format', SWF_HELP)
    .option('--source <name>', 'where the records come from (default: swf)')
    .option('--gpus-from <file>', 'a CSV file with the columns job,gpus')
    .option('--set <field=value>', 'a constant for user, space, pool or gpus; repeatable', collect)
    .option('--time-origin <time>', "what its times count from (default: the header's)")
    .option('--missing-start <rule>', 'reject, submit or an instant (default: reject)')
    .option('--missing-end <rule>', 'reject, open = still running or an instant (default: reject)')
    .action((file: string, flags: ImportFlags) =>
      runImport(context, file, flags, ({ calendar }) => swfFormat(flags, calendar)),
    );
}

function feedOptions(command: Command, format: string): Command {
  const column = format === 'csv' ? 'column' : 'name';
  return command
    .option('--source <name>', `where the records come from (default: ${format})`)
    .option(`--map <field=${column},...>`, `which ${column} is which field; repeatable`, collect)
    .option('--set <field=value>', 'a constant for a field; repeatable', collect)
    .option(
      '--key <fields>',
      `fields or ${column}s that make a record unique (default: job_id,attempt)`,
    )
    .option('--zone <zone>', 'zone of times without offset')
    .option('--time-unit <unit>', 'iso, s or ms', oneOf('--time-unit', ['iso', 's', 'ms']))
    .option('--time-origin <time>', 'what numbers of s or ms count from (default: 1970)')
    .option('--missing-start <rule>', 'reject, submit or an instant (default: reject)')
    .option('--missing-end <rule>', 'open = still running, reject or an instant (default: open)');
}

/** A command of one format with the flags that all of them have. */
function formatCommand(imports: Command, format: string, summary: string, help: string): Command {
  return imports
    .command(`${format} <file>`)
    .description(summary)
    .option('--partial', 'apply the good records although others are rejected')
    .option('--reopen', 'let a record without an end replace one with an end')
    .option('--close-unseen', 'end open runs that should be in it and are not, where last seen')
    .option('--covers <from,to>', 'it has everything of its sources that touches [from, to)')
    .option('--rejects <file>', 'write all rejected records to a CSV file')
    .option(
      '--max-decompressed <size>',
      'limit for gzip, such as 2GiB (default: 64GiB, and 500 times the file)',
      sizeOf('--max-decompressed'),
    )
    .option('-o, --output <format>', OUTPUTS.join(', '), oneOf('--output', OUTPUTS), 'table')
    .addHelpText('after', help);
}

async function runImport(
  context: CommandContext,
  file: string,
  flags: ImportFlags,
  formatOf: (open: OpenBooks) => ImportFormat | Promise<ImportFormat>,
): Promise<void> {
  const { summary, hasClosed, hasBegun } = await context.withBooks(async (open) => {
    const format = await formatOf(open);
    const covers = coversOf(flags.covers, format, open.calendar);
    const { sources } = await viewSources(open.database);
    const notes = newSourceNotes(
      flags.source,
      sources.map(({ name }) => name),
    );
    const done = await importFile(context, open, file, flags, format, covers);
    const hasNoGpus = (flags.set ?? []).some((text) => /^\s*gpus\s*=\s*0+(\.0*)?\s*$/.test(text));
    const said = { covers: done.summary.batch === null ? null : covers, hasNoGpus };
    if (done.summary.batch !== null) notes.forEach((note) => context.note(note));
    printResult(context, open, done, said, flags.output);
    const closes = flags.closeUnseen === true;
    const hasClosed = closes && (await closeAndPrint(context, open, done.summary));
    return { summary: done.summary, hasClosed, hasBegun: open.books.originAtMs !== null };
  }, 'opens new books');
  if (hasClosed || summary.new + summary.corrected + summary.ended > 0)
    await bringUpToDate(context, hasBegun);
  refuseRejected(summary);
}

async function importFile(
  context: CommandContext,
  open: OpenBooks,
  file: string,
  flags: ImportFlags,
  format: ImportFormat,
  covers: DeclaredCoverage | null,
): Promise<ImportResult> {
  const { database, books, settings } = open;
  const input = await openImportInput(file, process.stdin);
  const inputs = [file, ...(flags.gpusFrom === undefined ? [] : [flags.gpusFrom])];
  const rejects = flags.rejects === undefined ? null : await openRejectsFile(flags.rejects, inputs);
  const progress = importProgress(context);
  try {
    return await importRuns(
      database,
      books,
      input,
      {
        format,
        partial: flags.partial === true,
        reopen: flags.reopen === true,
        maxDecompressedBytes: flags.maxDecompressed ?? null,
        batchSize: settings.importBatch,
        actor: actorName(),
        covers,
        ...(rejects === null ? {} : { writeRejects: rejects.write }),
      },
      progress.show,
    );
  } finally {
    progress.end();
    await rejects?.close();
  }
}

function printResult(
  context: CommandContext,
  { calendar }: OpenBooks,
  result: ImportResult,
  said: SaidByFlags,
  output: ImportFlags['output'],
): void {
  const { summary } = result;
  if (output === 'json') context.print(JSON.stringify(summaryRecord(summary, said.covers)));
  else summaryLines(summary, said, calendar).forEach((line) => context.print(line));
  for (const line of [...rejectLines(result), ...warningLines(summary, said)]) context.note(line);
  const next = nextCommands(summary, calendar, result.nowMs);
  next.forEach((command, index) => context.note(`${index === 0 ? 'Next:' : '     '} ${command}`));
}

function refuseRejected(summary: ImportSummary): void {
  const rejected = rejectedRecords(summary);
  if (rejected === 0) return;
  const message =
    summary.batch === null
      ? `${countText(rejected)} of ${countText(summary.records)} records were rejected, so nothing was applied: correct them, or give --partial`
      : `${countText(rejected)} of ${countText(summary.records)} records were rejected; the others were applied`;
  throw new JobhoursError('RECORDS_REJECTED', message, { rejected: summary.rejected });
}
