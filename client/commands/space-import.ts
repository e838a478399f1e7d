/** `jobhours space import`: memberships of a CSV file. Arguments and printing only. */
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { plainName } from '../../domain/quoted-value.js';
import { canonicalZone } from '../../domain/zone-name.js';
import { openImportInput } from '../import-input.js';
import { importMemberships, type MembershipImport } from '../space-import.js';
import { oneOf } from './choice.js';
import type { CommandContext } from './context.js';
import { countText } from './screen.js';

const OUTPUTS = ['table', 'json'] as const;
const SHOWN_REJECTS = 20;

interface ImportOptions {
  readonly zone?: string;
  readonly output: (typeof OUTPUTS)[number];
}

const HELP = `
Columns: user,space,from,to with a header; 'to' may be absent or empty = until further notice. Times are ISO 8601 with
offset, or local times and dates with --zone. A membership is [from, to): who is to be a member until the end of
January has to = February 1st. All is applied or nothing: one record that is refused, or that overlaps another
membership of the same user and space, refuses the file. The same file again changes nothing; an open membership
that stands there with the same start and an end ends. FILE may be - for standard input.

Examples:
  jobhours space import members.csv --zone Europe/Berlin
  jobhours space list --space vision --all -o csv > members.csv`;

/** Adds `space import`. */
export function registerSpaceImport(space: Command, context: CommandContext): void {
  space
    .command('import <file>')
    .description('memberships of a CSV file: user,space,from,to')
    .option('--zone <zone>', 'zone of times without offset')
    .option('-o, --output <format>', OUTPUTS.join(', '), oneOf('--output', OUTPUTS), 'table')
    .addHelpText('after', HELP)
    .action((file: string, options: ImportOptions) => runImport(context, file, options));
}

async function runImport(
  context: CommandContext,
  file: string,
  { zone, output }: ImportOptions,
): Promise<void> {
  const canonical = zone === undefined ? null : canonicalZone(zone);
  await context.withBooks(async ({ database, books }) => {
    const input = await openImportInput(file, process.stdin);
    const result = await importMemberships(database, books, input, canonical);
    if (output === 'json') context.print(JSON.stringify(recordOf(input.name, result)));
    else context.print(summaryText(input.name, result));
    for (const note of notesOf(input.name, result)) context.note(note);
    refuseRejected(result);
  }, 'opens new books');
}

function recordOf(input: string, result: MembershipImport): Record<string, unknown> {
  const { records, added, ended, unchanged, repeated, rejected, unusedColumns } = result;
  return {
    ...{ input, records, added, ended, unchanged, repeated },
    rejected: rejected.length,
    unused_columns: unusedColumns,
  };
}

function summaryText(
  input: string,
  { records, added, ended, unchanged, repeated, rejected }: MembershipImport,
): string {
  const changes =
    rejected.length > 0
      ? `${countText(rejected.length)} rejected, nothing applied`
      : `${countText(added)} added, ${countText(ended)} ended, ${countText(unchanged)} unchanged, ${countText(repeated)} repeated`;
  return `Memberships  ${countText(records)} read from ${input}: ${changes}`;
}

function* notesOf(
  input: string,
  { records, rejected, unusedColumns }: MembershipImport,
): Generator<string> {
  for (const { line, code, detail } of rejected.slice(0, SHOWN_REJECTS)) {
    yield `line ${line}: ${code}: ${detail}`;
  }
  const more = rejected.length - SHOWN_REJECTS;
  if (more > 0) yield `... and ${countText(more)} more`;
  if (unusedColumns.length > 0)
    yield `note: columns not used: ${unusedColumns.map(plainName).join(', ')}`;
  if (records === 0) {
    yield `WARNING: 0 records: ${input} is empty or has only a header; nothing was imported`;
  }
}

function refuseRejected({ records, rejected }: MembershipImport): void {
  if (rejected.length === 0) return;
  const counts: Record<string, number> = {};
  for (const { code } of rejected) counts[code] = (counts[code] ?? 0) + 1;
  throw new JobhoursError(
    'RECORDS_REJECTED',
    `${countText(rejected.length)} of ${countText(records)} records were rejected, so nothing was applied: correct them`,
    { rejected: counts },
  );
}
