/**
 * Names of users and spaces: rows of `dim_user` and `dim_space`, to which everything else points by number, so that a
 * rename touches one row. Owns renaming; whoever stores what
 * a new name belongs to adds it: imports, members, corrections (db/import-apply.ts, membership-store.ts, run-store.ts).
 */
import { JobhoursError } from '../domain/errors.js';
import type { Transaction } from './database.js';
import { statements } from './statement.js';

/** What has a name that can be changed. */
export type NamedNoun = 'user' | 'space';

const pair = { former: 'text', name: 'text' } as const;
const specs = {
  lock: { params: pair, row: { name: 'text' } },
  rename: { params: pair, row: {} },
  'keep-former': { params: { ...pair, batch: 'int8' }, row: {} },
  'forget-former': { params: { batch: 'int8' }, row: {} },
  'find-rename': {
    params: { batch: 'int8' },
    row: { present: 'text', given_since: 'int8?' },
  },
} as const;

const sql = {
  user: statements('name', specs, { noun: 'user' }),
  space: statements('name', specs, { noun: 'space' }),
};

/** Gives a user or a space another name. NOT_FOUND without the former one, NAME_TAKEN when the new one is in use. */
export async function renameNoun(
  transaction: Transaction,
  noun: NamedNoun,
  former: string,
  name: string,
): Promise<void> {
  const found = await transaction.rows(sql[noun].lock, { former, name });
  if (!found.some((row) => row.name === former)) {
    throw new JobhoursError('NOT_FOUND', `no record ever had the ${noun} ${former}`);
  }
  if (found.some((row) => row.name === name)) {
    throw new JobhoursError(
      'NAME_TAKEN',
      `${noun} ${name} is in the books already, and two are not made one by a rename: correct the runs instead, each by jobhours run correct ID --${noun} ${name} --reason TEXT, or all by importing their records with the other name`,
      { noun, former, name },
    );
  }
  await transaction.execute(sql[noun].rename, { former, name });
}

/**
 * Keeps the name that a user or a space had before a rename: imports read it as the present one from now on, unless it is
 * somebody's name again.
 */
export async function keepFormerName(
  transaction: Transaction,
  noun: NamedNoun,
  names: { readonly former: string; readonly name: string },
  batch: bigint,
): Promise<void> {
  await transaction.execute(sql[noun]['keep-former'], { ...names, batch });
}

/** Forgets the former name that a rename kept. */
export async function forgetFormerName(
  transaction: Transaction,
  noun: NamedNoun,
  batch: bigint,
): Promise<void> {
  await transaction.execute(sql[noun]['forget-former'], { batch });
}

/** The present name of whom a rename renamed, and the first later batch that gave one of their runs its content. */
export async function findRename(
  transaction: Transaction,
  noun: NamedNoun,
  batch: bigint,
): Promise<{ readonly present: string; readonly givenSince: bigint | null }> {
  const { present, given_since: givenSince } = await transaction.one(sql[noun]['find-rename'], {
    batch,
  });
  return { present, givenSince };
}
