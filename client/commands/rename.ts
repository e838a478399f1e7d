/** `jobhours user rename` and `jobhours space rename`. Arguments and printing only. */
import type { Command } from 'commander';
import { renameInBooks } from '../run-change.js';
import { doerOf, withDoer, type DoerFlags } from './actor.js';
import { noteUndo } from './after-change.js';
import type { CommandContext } from './context.js';

type Noun = 'user' | 'space';

const helpOf = (noun: Noun): string => `
All runs and all reports of every time have the new name at once. A name that is in the books already is refused
(NAME_TAKEN): two ${noun}s are not made one by a rename. Records that still come with the old name are another ${noun}'s:
so change it at the source too, or in the records.

Examples:
  jobhours ${noun} rename ${noun === 'user' ? 'amiller asmith' : 'vision imaging'} --reason 'new name since May'`;

/** Adds `user`. */
export function registerUser(program: Command, context: CommandContext): void {
  const user = program.command('user').description('Users: other names for them');
  registerRename(user, 'user', context);
}

/** Adds `rename` to `space`. */
export function registerSpaceRename(space: Command, context: CommandContext): void {
  registerRename(space, 'space', context);
}

function registerRename(parent: Command, noun: Noun, context: CommandContext): void {
  withDoer(parent.command('rename <old> <new>').description(`another name for a ${noun}`))
    .addHelpText('after', helpOf(noun))
    .action((former: string, name: string, flags: DoerFlags) =>
      runRename(context, noun, former, name, flags),
    );
}

async function runRename(
  context: CommandContext,
  noun: Noun,
  former: string,
  name: string,
  flags: DoerFlags,
): Promise<void> {
  const doer = doerOf(flags);
  await context.withBooks(async ({ database }) => {
    const batch = await renameInBooks(database, noun, former, name, doer);
    context.print(`${noun} ${former} is called ${name} now, by import ${batch}`);
    noteUndo(context, batch);
    context.note(`records that still say ${former} are another ${noun}'s from now on`);
  });
}
