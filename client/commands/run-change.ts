/** `jobhours run void|correct`. Arguments and printing only. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { milliGpusOf } from '../../domain/gpus.js';
import type { RunCorrection } from '../../domain/run-correction.js';
import { nameOf } from '../../domain/record-text.js';
import { parseInstant } from '../../domain/time-text.js';
import { correctOneRun, runIdOf, voidOneRun, type ChangedRun } from '../run-change.js';
import { doerOf, withDoer, type DoerFlags } from './actor.js';
import { bringUpToDate, noteUndo } from './after-change.js';
import type { CommandContext, OpenBooks } from './context.js';
import { contentText } from './run-text.js';
import { unknownNotes } from './unknown-note.js';

interface ChangeFlags extends DoerFlags {
  /** Whose key it is. */
  readonly source?: string;
}

interface CorrectFlags extends ChangeFlags {
  readonly user?: string;
  readonly space?: string;
  readonly pool?: string;
  readonly gpus?: string;
  readonly start?: string;
  readonly end?: string;
}

const VOID_HELP = `
The run counts no more, in no period. Its values stay in the history, and records that imports deliver under its key are
set aside from now on (VOIDED), until the void is undone. RUN is a number, a record key or a job id;
where 12 may be both, '#12' is the number, and 12 with --source the key.

Examples:
  jobhours run void 4711 --reason 'benchmark of the vendor, not to be billed'
  jobhours run void 1234@2026-01-31T10:00:00 --source north --reason 'test'`;

const CORRECT_HELP = `
Writes the given fields and keeps the former values in the history. Imports leave the run alone from now on and count
what differs as corrected by hand, until the correction is undone. Times without offset are in the zone of the books;
--end open = still running. For many runs import corrected records instead.

Examples:
  jobhours run correct 4711 --user anna --space vision --reason 'ran under a shared account'
  jobhours run correct 4711 --end 2026-01-31T12:00 --reason 'the node died, no end was recorded'`;

/** Adds `void` and `correct` to `run`. */
export function registerRunChange(run: Command, context: CommandContext): void {
  withDoer(run.command('void <run>').description('count it no more'))
    .option('--source <name>', 'whose key it is')
    .addHelpText('after', VOID_HELP)
    .action((text: string, flags: ChangeFlags) => runVoid(context, text, flags));
  withDoer(run.command('correct <run>').description('give fields by hand'))
    .option('--source <name>', 'whose key it is')
    .option('--user <name>', 'who ran it')
    .option('--space <name>', 'who pays')
    .option('--pool <name>', 'kind of GPU, or partition')
    .option('--gpus <number>', 'how many, with at most 3 decimals')
    .option('--start <time>', 'when it began')
    .option('--end <time>', 'when it ended, or open')
    .addHelpText('after', CORRECT_HELP)
    .action((text: string, flags: CorrectFlags) => runCorrect(context, text, flags));
}

function runVoid(context: CommandContext, text: string, flags: ChangeFlags): Promise<void> {
  return changeRun(context, text, flags, 'voided', ({ database }, id) =>
    voidOneRun(database, id, doerOf(flags)),
  );
}

function runCorrect(context: CommandContext, text: string, flags: CorrectFlags): Promise<void> {
  return changeRun(context, text, flags, 'corrected', ({ database, books, calendar }, id) => {
    const correction = correctionOf(flags, calendar);
    return correctOneRun(database, id, correction, books.minimumRunMs, doerOf(flags));
  });
}

async function changeRun(
  context: CommandContext,
  text: string,
  flags: CorrectFlags,
  what: 'voided' | 'corrected',
  change: (open: OpenBooks, id: bigint) => Promise<ChangedRun>,
): Promise<void> {
  doerOf(flags);
  const { result, hasBegun, calendar } = await context.withBooks(async (open) => {
    const id = await runIdOf(open.database, text, flags.source ?? null);
    const { user, space, pool } = flags;
    const names = { ...(user === undefined ? {} : { users: [user] }), space, pool };
    const notes = await unknownNotes(open, names);
    const result = await change(open, id);
    for (const note of notes) context.note(note);
    return { result, hasBegun: open.books.originAtMs !== null, calendar: open.calendar };
  });
  const { run, batch } = result;
  context.print(`run ${run.id} (${run.key} of ${run.source}) is ${what}, by import ${batch}`);
  context.print(`it ${what === 'voided' ? 'was' : 'is'} ${contentText(run, calendar)}`);
  noteUndo(context, batch);
  await bringUpToDate(context, hasBegun);
}

/** The fields that flags give. Errors name the flag: USER_INVALID, SPACE_INVALID, POOL_INVALID, GPUS_INVALID, TIME_*. */
function correctionOf(flags: CorrectFlags, calendar: Calendar): RunCorrection {
  const { user, space, pool, gpus, start, end } = flags;
  const at = (text: string, field: string): number =>
    parseInstant(text, { zone: calendar.zone, field });
  return {
    ...(user !== undefined && { user: nameOf(user, { field: '--user', code: 'USER_INVALID' }) }),
    ...(space !== undefined && {
      space: nameOf(space, { field: '--space', code: 'SPACE_INVALID' }),
    }),
    ...(pool !== undefined && { pool: nameOf(pool, { field: '--pool', code: 'POOL_INVALID' }) }),
    ...(gpus !== undefined && { milliGpus: milliGpusOf(gpus, '--gpus') }),
    ...(start !== undefined && { startedAtMs: at(start, '--start') }),
    ...(end !== undefined && { endAtMs: end === 'open' ? null : at(end, '--end') }),
  };
}
