/**
 * Applying of staged imports to the runs. Owns how stored runs change, and that unchanged ones are not written; what
 * is staged is db/import-store.ts. Works on the connection of the staging.
 */
import { JobhoursError } from '../domain/errors.js';
import { shareBooks } from './books-lock.js';
import type { Transaction } from './database.js';
import { renewEstimates } from './estimates.js';
import { readFormerNames } from './import-store.js';
import { statements, type Values } from './statement.js';

const range = { after: 'count', through: 'count' } as const;
const corrections = {
  ended: 'count',
  corrected: 'count',
  jobs_changed: 'count',
  users_changed: 'count',
  spaces_changed: 'count',
  pools_changed: 'count',
  gpus_changed: 'count',
  starts_changed: 'count',
  ends_changed: 'count',
} as const;
const nothing = { params: {}, row: {} } as const;

const sql = statements('import-apply', {
  'add-sources': nothing,
  'add-users': nothing,
  'add-spaces': nothing,
  'add-pools': nothing,
  'add-usage-keys': nothing,
  'prefer-hash-joins': nothing,
  'resolve-staged-runs': nothing,
  'index-staged-runs': nothing,
  'analyze-staged-runs': nothing,
  'count-staged': { params: {}, row: { staged: 'count' } },
  'insert-sources': { params: { batch: 'int8' }, row: {} },
  'withhold-voided': { params: { ...range, batch: 'int8' }, row: {} },
  'lock-changed-runs': { params: { ...range, reopen: 'bool' }, row: { ids: 'int8[]?' } },
  'withdraw-reused-keys': { params: { ids: 'int8[]', ...range }, row: {} },
  'correct-runs': {
    params: {
      ids: 'int8[]',
      ...range,
      batch: 'int8',
      actor: 'text',
      nowMs: 'instant',
      reason: 'text',
    },
    row: corrections,
  },
  'insert-runs': {
    params: { ...range, nowMs: 'instant', batch: 'int8' },
    row: { added: 'count' },
  },
  'refresh-details': { params: range, row: {} },
  'settle-records': {
    params: { ...range, batch: 'int8', reopen: 'bool' },
    row: { unsettled: 'count', kept: 'count', pinned: 'count' },
  },
  'count-applied': { params: { batch: 'int8', applied: 'count' }, row: {} },
});

/**
 * Gives ids to the names that the staged runs use (in sorted order, so that two programs cannot deadlock), puts the runs
 * into the order of their keys, and notes how far the import reaches in each source. Returns their number. Nobody
 * renames meanwhile.
 */
export async function resolveStagedRuns(transaction: Transaction, batch: bigint): Promise<number> {
  await shareBooks(transaction);
  await readFormerNames(transaction);
  for (const name of ['sources', 'users', 'spaces', 'pools', 'usage-keys'] as const) {
    await transaction.execute(sql[`add-${name}`], {});
  }
  await transaction.execute(sql['prefer-hash-joins'], {});
  const runs = await transaction.execute(sql['resolve-staged-runs'], {});
  await transaction.execute(sql['index-staged-runs'], {});
  await transaction.execute(sql['analyze-staged-runs'], {});
  const { staged } = await transaction.one(sql['count-staged'], {});
  if (runs !== staged) {
    throw new JobhoursError('UNEXPECTED', `${staged} runs were staged, and ${runs} have names`);
  }
  await transaction.execute(sql['insert-sources'], { batch });
  return runs;
}

/** Places of staged runs in the order of their keys: after the first (exclusive), through the second (inclusive). */
export type PlaceRange = Values<typeof range>;

/** How stored runs changed. `ended`: running ones that got their end and nothing else. */
export type Corrections = Values<typeof corrections>;

/** What applying one range of places did to the books. */
export interface Applied {
  readonly added: number;
  /** Records without a reported end whose run has one: the stored run stays. */
  readonly kept: number;
  /** Records that differ from a run that was corrected by hand: the run stays. */
  readonly pinned: number;
  readonly corrections: Corrections | null;
}

export interface ApplyOptions {
  readonly batch: bigint;
  readonly actor: string;
  /** For the history of corrected runs. */
  readonly reason: string;
  readonly nowMs: number;
  /** Let a record without an end replace one with an end. */
  readonly reopen: boolean;
}

const MAX_ROUNDS = 20;

/**
 * Brings the runs of a range to what the staged records say; those that say the same are not written, only confirmed.
 * Records of voided runs, of runs pinned by hand, and those that know less of the end are withheld: an undo of what
 * stands in their way applies them (db/undo-store.ts).
 * Locks changed runs in the order of keys. Repeats until nothing differs, because others may write the same runs at the
 * same time; REPLAN when that does not end.
 */
export async function applyRange(
  transaction: Transaction,
  places: PlaceRange,
  options: ApplyOptions,
): Promise<Applied> {
  const { batch, actor, nowMs, reopen, reason } = options;
  let added = 0;
  let corrected: Corrections | null = null;
  await shareBooks(transaction);
  await renewEstimates(transaction);
  await transaction.execute(sql['withhold-voided'], { ...places, batch });
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    const { ids } = await transaction.one(sql['lock-changed-runs'], { ...places, reopen });
    if (ids !== null) {
      await transaction.execute(sql['withdraw-reused-keys'], { ids, ...places });
      const change = { ids, ...places, batch, actor, nowMs, reason };
      corrected = sumOf(corrected, await transaction.one(sql['correct-runs'], change));
    }
    added += (await transaction.one(sql['insert-runs'], { ...places, nowMs, batch })).added;
    if (added === places.through - places.after) {
      return { added, kept: 0, pinned: 0, corrections: corrected };
    }
    const { unsettled, ...withheld } = await transaction.one(sql['settle-records'], {
      ...places,
      batch,
      reopen,
    });
    if (unsettled === 0) {
      await transaction.execute(sql['refresh-details'], places);
      return { added, ...withheld, corrections: corrected };
    }
  }
  throw new JobhoursError('REPLAN', `other transactions changed the same runs ${MAX_ROUNDS} times`);
}

/** Notes how many staged runs of an import are applied: the transaction that applied the last of them calls it. */
export async function countApplied(
  transaction: Transaction,
  batch: bigint,
  applied: number,
): Promise<void> {
  await transaction.execute(sql['count-applied'], { batch, applied });
}

/** Two counts of corrections as one. */
export function sumOf(a: Corrections | null, b: Corrections | null): Corrections | null {
  if (a === null || b === null) return a ?? b;
  const names = Object.keys(corrections) as (keyof Corrections)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as Corrections;
}
