/** What is said of names that nothing in the books has: a slip of the pen, perhaps. */
import { plainName, quotedValue } from '../../domain/quoted-value.js';
import { unknownOf, type GivenNames, type UnknownName } from '../known-names.js';
import type { CommandContext, OpenBooks } from './context.js';

/** Names of one kind that are named. */
const SHOWN = 10;
const NOUNS = ['user', 'space', 'pool', 'source'] as const;

/**
 * A line for each kind: `note: no record has the user "herno"`. Call it before what would make them known. `has`: who could
 * have them.
 */
export async function unknownNotes(
  { database }: Pick<OpenBooks, 'database'>,
  given: GivenNames,
  has = 'no record has',
): Promise<string[]> {
  const unknown = await unknownOf(database, given);
  return NOUNS.flatMap((noun) => noteOf(noun, unknown, has));
}

function noteOf(noun: UnknownName['noun'], unknown: readonly UnknownName[], has: string): string[] {
  const names = unknown.filter((one) => one.noun === noun).map(({ name }) => quotedValue(name));
  if (names.length === 0) return [];
  const more = names.length > SHOWN ? `, and ${names.length - SHOWN} more` : '';
  return [
    `note: ${has} the ${noun}${names.length === 1 ? '' : 's'} ${names.slice(0, SHOWN).join(', ')}${more}`,
  ];
}

/** Prints them. */
export async function noteUnknown(
  context: Pick<CommandContext, 'note'>,
  open: Pick<OpenBooks, 'database'>,
  given: GivenNames,
  has?: string,
): Promise<void> {
  for (const note of await unknownNotes(open, given, has)) context.note(note);
}

/** Of a source that is given to an import while there are others. */
export function newSourceNotes(source: string | undefined, known: readonly string[]): string[] {
  if (source === undefined || known.length === 0 || known.includes(source.normalize('NFC'))) {
    return [];
  }
  const shown = known.slice(0, SHOWN).map(plainName).join(', ');
  const more = known.length > SHOWN ? ', ...' : '';
  return [`note: ${plainName(source)} is a new source; those before are ${shown}${more}`];
}
