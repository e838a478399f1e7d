/** `jobhours import`: job records of Slurm or of a CSV file. Arguments and printing only. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';
import { MS_PER_SECOND } from '../../domain/units.js';
import { openImportInput } from '../import-input.js';
import { openRejectsFile } from '../import-rejects.js';
import {
  importRuns,
  type ImportFormat,
  type ImportProgress,
  type ImportResult,
} from '../import-runs.js';
import { rejectedRecords, type ImportSummary } from '../import-summary.js';
import { oneOf } from './choice.js';
import type { CommandContext, OpenBooks } from './context.js';
import { csvFormat, sacctFormat, type FormatFlags } from './import-flags.js';
import { nextCommands, rejectLines, summaryLines, warningLines } from './import-text.js';
import { countText } from './screen.js';

const OUTPUTS = ['table', 'json'] as const;

interface ImportFlags extends FormatFlags {
  readonly partial?: true;
  readonly reopen?: true;
  readonly rejects?: string;
  readonly output: (typeof OUTPUTS)[number];
}

const COMMON_HELP = `
Everything is checked before anything is applied: with rejected records nothing is, unless --partial is given.
Importing the same file again changes nothing; a record with other content corrects the run and keeps its former
values. FILE may be - for standard input. Exit status 2 when records were rejected.`;

const SACCT_HELP = `
The input is what Open XDMoD asks sacct for: 26 fields separated by |, with or without a header line:
  TZ=UTC sacct -M CLUSTER --allusers --allocations --duplicates --parsable2 --noheader -S 2026-01-01 -E 2026-02-01 \
--format=${SACCT_FIELDS.join(',')} > sacct.txt
Steps and jobs that never started are set aside. A job is known by jobidraw@submit in its cluster.

Examples:
  jobhours import sacct sacct.txt
  jobhours import sacct - --partial --rejects rejects.csv < sacct.txt
${COMMON_HELP}`;

const CSV_HELP = `
Columns: user,space,pool,job_id,attempt,gpus,submit,start,end with a header; space, pool, attempt and submit may be
absent. Times are ISO 8601 with offset (or --zone, or numbers with --time-unit). An empty or 0 end = still running.
A job is known by job_id and attempt in its --source. Other columns are kept with the run.

Examples:
  jobhours import csv jobs.csv
  jobhours import csv jobs.csv --map user=owner,gpus=num_gpus --set pool=a100 --zone Europe/Berlin
  jobhours import csv trace.csv --time-unit s --time-origin 2025-01-01T00:00:00Z --missing-end 2025-02-01T00:00:00Z
${COMMON_HELP}`;

const collect = (text: string, texts: readonly string[] = []): readonly string[] => [
  ...texts,
  text,
];

/** Adds `import sacct` and `import csv`. */
export function registerImport(program: Command, context: CommandContext): void {
  const imports = program.command('import').description('Job records of a cluster or a file');
  withCommonFlags(imports.command('sacct <file>').description("Slurm's sacct, 26 fields"))
    .option('--zone <zone>', 'zone of its times (default: UTC)')
    .addHelpText('after', SACCT_HELP)
    .action((file: string, flags: ImportFlags) =>
      runImport(context, file, flags, () => sacctFormat(flags)),
    );
  withCommonFlags(imports.command('csv <file>').description('a CSV file with a header'))
    .option('--source <name>', 'where the records come from (default: csv)')
    .option('--map <field=column,...>', 'which column is which field; repeatable', collect)
    .option('--set <field=value>', 'a constant for a field; repeatable', collect)
    .option(
      '--key <fields>',
      'fields or columns that make a record unique (default: job_id,attempt)',
    )
    .option('--zone <zone>', 'zone of times without offset')
    .option('--time-unit <unit>', 'iso, s or ms', oneOf('--time-unit', ['iso', 's', 'ms']))
    .option('--time-origin <time>', 'what numbers of s or ms count from (default: 1970)')
    .option('--missing-start <rule>', 'reject, submit or an instant (default: reject)')
    .option('--missing-end <rule>', 'open = still running, reject or an instant (default: open)')
    .addHelpText('after', CSV_HELP)
    .action((file: string, flags: ImportFlags) =>
      runImport(context, file, flags, ({ calendar }) => csvFormat(flags, calendar)),
    );
}

function withCommonFlags(command: Command): Command {
  return command
    .option('--partial', 'apply the good records although others are rejected')
    .option('--reopen', 'let a record without an end replace one with an end')
    .option('--rejects <file>', 'write all rejected records to a CSV file')
    .option('-o, --output <format>', OUTPUTS.join(', '), oneOf('--output', OUTPUTS), 'table');
}

async function runImport(
  context: CommandContext,
  file: string,
  flags: ImportFlags,
  formatOf: (open: OpenBooks) => ImportFormat,
): Promise<void> {
  const { result, hasBegun } = await context.withBooks(async (open) => {
    const done = await importFile(context, open, file, flags, formatOf(open));
    printResult(context, open, done, flags);
    return { result: done, hasBegun: open.books.originAtMs !== null };
  }, 'opens new books');
  const { summary } = result;
  const isChanged = summary.new + summary.corrected + summary.ended > 0;
  if (isChanged) await bringUpToDate(context, hasBegun);
  refuseRejected(summary);
}

async function importFile(
  context: CommandContext,
  { database, books, settings }: OpenBooks,
  file: string,
  flags: ImportFlags,
  format: ImportFormat,
): Promise<ImportResult> {
  const input = await openImportInput(file, process.stdin);
  const rejects = flags.rejects === undefined ? null : await openRejectsFile(flags.rejects);
  const progress = progressOf(context);
  try {
    return await importRuns(
      database,
      books,
      input,
      {
        format,
        partial: flags.partial === true,
        reopen: flags.reopen === true,
        batchSize: settings.importBatch,
        actor: actorName(),
        ...(rejects === null ? {} : { writeRejects: rejects.write }),
      },
      progress.show,
    );
  } finally {
    progress.end();
    await rejects?.close();
  }
}

/** Who runs this process; a container's user may have a number and no name. */
function actorName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid:${process.getuid?.() ?? 'unknown'}`;
  }
}

const LINE_EVERY_MS = 2 * MS_PER_SECOND;

/** A line that replaces itself on a terminal; elsewhere a plain line at most every 2 s. */
function progressOf(context: CommandContext): {
  readonly show: (progress: ImportProgress) => void;
  readonly end: () => void;
} {
  const rewrite = (text: string): void => {
    if (context.isInteractive) process.stderr.write(`\r\x1b[2K${text}`);
  };
  let lastMs = performance.now();
  return {
    show: (progress) => {
      const nowMs = performance.now();
      if (nowMs - lastMs < (context.isInteractive ? 100 : LINE_EVERY_MS)) return;
      lastMs = nowMs;
      if (context.isInteractive) rewrite(progressText(progress));
      else context.note(progressText(progress));
    },
    end: () => rewrite(''),
  };
}

function progressText({ step, bytes, totalBytes, records }: ImportProgress): string {
  if (step === 'judge') return 'checking keys ...';
  if (step === 'apply') return `applied ${countText(records)} runs ...`;
  const share =
    totalBytes === null
      ? ''
      : `${Math.floor((100 * bytes) / Math.max(1, totalBytes))}% of the file, `;
  return `read ${share}${countText(records)} records ...`;
}

function printResult(
  context: CommandContext,
  { calendar }: OpenBooks,
  result: ImportResult,
  { output }: ImportFlags,
): void {
  const { summary } = result;
  if (output === 'json') context.print(JSON.stringify(summary));
  else summaryLines(summary, calendar).forEach((line) => context.print(line));
  for (const line of [...rejectLines(result), ...warningLines(summary)]) context.note(line);
  const next = nextCommands(summary, calendar, result.nowMs);
  next.forEach((command, index) => context.note(`${index === 0 ? 'Next:' : '     '} ${command}`));
}

async function bringUpToDate(context: CommandContext, hasBegun: boolean): Promise<void> {
  const command = await context.wakeKeeper();
  if (command !== null) context.note(`Then bring the books up to date: ${command}`);
  else if (hasBegun) context.note('The keeper was woken: it brings the books up to date.');
  else
    context.note(
      'The books have not begun: reports compute from the runs, a backfill begins them.',
    );
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
