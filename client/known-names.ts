/** Names that nothing in the books has: slips of the pen, or new ones. Owns the look; what is said of them is the commands'. */
import type { Database } from '../db/database.js';
import { isSourceKnown } from '../db/run-store.js';
import { unknownNames } from '../db/usage-store.js';

/** Names as somebody gave them; an absent one was not given. */
export interface GivenNames {
  readonly users?: readonly string[];
  readonly space?: string | undefined;
  readonly pool?: string | undefined;
  readonly source?: string | undefined;
}

export interface UnknownName {
  readonly noun: 'user' | 'space' | 'pool' | 'source';
  readonly name: string;
}

/** Those that no record and no membership has, in the order of the interface. */
export async function unknownOf(database: Database, given: GivenNames): Promise<UnknownName[]> {
  const { users = [], space, pool, source } = given;
  const none = { user: null, space: null, pool: null };
  const found: UnknownName[] = [];
  for (const [noun, name] of [
    ...users.map((user) => ['user', user] as const),
    ['space', space] as const,
    ['pool', pool] as const,
  ]) {
    // What no name may have is refused by what takes it.
    if (name === undefined || /\p{Cc}/u.test(name)) continue;
    const unknown = await unknownNames(database, { ...none, [noun]: name.normalize('NFC') });
    if (unknown.length > 0) found.push({ noun, name });
  }
  if (
    source !== undefined &&
    !/\p{Cc}/u.test(source) &&
    !(await isSourceKnown(database, source.normalize('NFC')))
  ) {
    found.push({ noun: 'source', name: source });
  }
  return found;
}
