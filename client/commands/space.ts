/** `jobhours space add|remove|list`, and where `import` and `report` hang. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { parseInstant } from '../../domain/instant-text.js';
import { instantText } from '../../domain/units.js';
import {
  addMembers,
  listMembers,
  removeMembers,
  type ChangedMembers,
  type ListedMembers,
  type Member,
} from '../space-members.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { registerSpaceRename } from './rename.js';
import { countedText } from './screen.js';
import { registerSpaceImport } from './space-import.js';
import { registerSpaceReport } from './space-report.js';
import { noteUnknown, unknownNotes } from './unknown-note.js';

/** Columns of csv, json and jsonl, which `space import` reads again: new ones are appended. */
const MEMBER_COLUMNS = ['space', 'user', 'from', 'to', 'membership'] as const;

const ADD_HELP = `
A membership holds from --at until further notice: [from, to), to = open. Who is a member from then on already is left
alone; one that would overlap another of the same user and space is refused, and then nothing is changed. A user may be
in several spaces. A space without any entered member has its users as members, each from the first run there: so
enter all members of a space, not one of them. A change in the past changes every report at once.

Examples:
  jobhours space add vision anna ben --at 2026-01-01
  jobhours space add vision chris`;

const REMOVE_HELP = `
Members leave at --at: they are members before that instant, not from it on. A membership that begins at that very
instant is deleted, as if it had never been entered.

Examples:
  jobhours space remove vision anna --at 2026-03-01
  jobhours space remove vision ben chris`;

const LIST_HELP = `
Membership: entered, or inferred = nobody was entered for that space, so its users are its members, each from the
start of the first run there. To enter inferred members: list them, correct the file, import it.

Examples:
  jobhours space list
  jobhours space list --at 2026-01-31 --space vision
  jobhours space list --all -o csv`;

/** Where names of users and spaces come from. */
const HAS = 'no record and no membership has';

interface ChangeOptions {
  readonly at?: string;
}

interface ListOptions {
  readonly at?: string;
  readonly all?: true;
  readonly space?: string;
  readonly user?: string;
  readonly output: Format;
}

/** Adds `space`. */
export function registerSpace(program: Command, context: CommandContext): void {
  const space = program.command('space').description('Who belongs to which space, and its use');
  space
    .command('add <space> <users...>')
    .description('let users be members')
    .option('--at <time>', 'since when (default: now)')
    .addHelpText('after', ADD_HELP)
    .action((name: string, users: string[], options: ChangeOptions) =>
      runAdd(context, name, users, options),
    );
  space
    .command('remove <space> <users...>')
    .description('let members leave')
    .option('--at <time>', 'from when on they are none (default: now)')
    .addHelpText('after', REMOVE_HELP)
    .action((name: string, users: string[], options: ChangeOptions) =>
      runRemove(context, name, users, options),
    );
  registerSpaceImport(space, context);
  space
    .command('list')
    .description('members at one instant')
    .option('--at <time>', 'the instant (default: now)')
    .option('--all', 'all memberships, past and coming ones too')
    .option('--space <name>', 'only this space (exact name)')
    .option('--user <name>', 'only this user (exact name)')
    .addOption(outputOption())
    .addHelpText('after', LIST_HELP)
    .action((options: ListOptions) => runList(context, options));
  registerSpaceReport(space, context);
  registerSpaceRename(space, context);
}

/** `--at`: an instant with offset, a date or local time of the books, or now. */
function instantAt(text: string | undefined, calendar: Calendar): (nowMs: number) => number {
  if (text === undefined || text.trim() === 'now') return (nowMs) => nowMs;
  const atMs = parseInstant(text, { zone: calendar.zone, field: '--at' });
  return () => atMs;
}

async function runAdd(
  context: CommandContext,
  space: string,
  users: readonly string[],
  { at }: ChangeOptions,
): Promise<void> {
  await context.withBooks(async (open) => {
    const { database, calendar } = open;
    const change = { space, users, at: instantAt(at, calendar) };
    const notes = await unknownNotes(open, { users, space }, HAS);
    const done = await addMembers(database, change);
    for (const note of notes) context.note(note);
    printChange(context, calendar, done, ['member from', 'member already from']);
    const { formerlyInferred: former } = done;
    if (former > 0) {
      context.note(
        `note: ${countedText(former, 'user')} of ${done.space} counted as inferred until now; only entered members count from now on`,
      );
    }
  });
}

async function runRemove(
  context: CommandContext,
  space: string,
  users: readonly string[],
  { at }: ChangeOptions,
): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const change = { space, users, at: instantAt(at, calendar) };
    const done = await removeMembers(database, change);
    printChange(context, calendar, done, ['no member from', 'had left already: no member from']);
    if (done.isInferredAgain) {
      context.note(
        `note: ${done.space} has no entered member any more: its members are inferred from use`,
      );
    }
  });
}

function printChange(
  context: CommandContext,
  calendar: Calendar,
  { space, atMs, changed, unchanged }: ChangedMembers,
  [changedWords, unchangedWords]: readonly [string, string],
): void {
  const since = `${calendar.localText(atMs)} on`;
  const lines = [
    ...changed.map((user) => [user, space, `${changedWords} ${since}`]),
    ...unchanged.map((user) => [user, space, `${unchangedWords} ${since}`]),
  ];
  const titles = ['user', 'space', 'now'].map((title) => ({ title }));
  context.print(tableText(titles, lines));
}

async function runList(context: CommandContext, options: ListOptions): Promise<void> {
  if (options.all === true && options.at !== undefined) {
    throw new JobhoursError('USAGE', 'give either --all or --at');
  }
  const filter = {
    space: options.space?.normalize('NFC') ?? null,
    user: options.user?.normalize('NFC') ?? null,
  };
  await context.withBooks(async (open) => {
    const { database, calendar } = open;
    const at = options.all === true ? null : instantAt(options.at, calendar);
    const listed = await listMembers(database, filter, at);
    if (options.output === 'table') printMembers(context, calendar, listed);
    else {
      const print = (text: string): void => context.print(text);
      await printRecords(print, options.output, MEMBER_COLUMNS, listed.members.map(recordOf));
    }
    const { user, space } = options;
    await noteUnknown(
      context,
      open,
      { ...(user === undefined ? {} : { users: [user] }), space },
      HAS,
    );
    if (listed.members.length === 0)
      context.note('note: no member; enter some: jobhours space add');
  });
}

function membershipText({ isInferred }: Member): string {
  return isInferred ? 'inferred' : 'entered';
}

function recordOf(member: Member): DataRecord<(typeof MEMBER_COLUMNS)[number]> {
  return {
    space: member.space,
    user: member.user,
    from: instantText(member.fromAtMs),
    to: member.toAtMs === null ? null : instantText(member.toAtMs),
    membership: membershipText(member),
  };
}

function printMembers(
  context: CommandContext,
  calendar: Calendar,
  { atMs, members }: ListedMembers,
): void {
  const when = atMs === null ? 'of all time' : `at ${calendar.localText(atMs)}`;
  context.print(`Members of spaces ${when} ${calendar.zone}`);
  if (members.length === 0) return;
  const rows = members.map((member) => [
    member.space,
    member.user,
    calendar.localText(member.fromAtMs),
    member.toAtMs === null ? 'open' : calendar.localText(member.toAtMs),
    membershipText(member),
  ]);
  context.print(
    `\n${tableText(
      MEMBER_COLUMNS.map((title) => ({ title })),
      rows,
    )}`,
  );
}
