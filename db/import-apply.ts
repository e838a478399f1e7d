/**
 * Applying of staged imports to the runs. Owns how stored runs change, and that unchanged ones are not written; what
 * is staged is db/import-store.ts. Works on the connection of the staging.
 */
import { JobhoursError } from '../domain/errors.js';
import type { Transaction } from './database.js';
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
  'lock-changed-runs': { params: { ...range, reopen: 'bool' }, row: { ids: 'int8[]?' } },
  'withdraw-reused-keys': { params: { ids: 'int8[]' }, row: {} },
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
    row: { missing: 'count', added: 'count' },
  },
  'refresh-details': { params: range, row: {} },
  'count-kept': { params: range, row: { kept: 'count' } },
});

/**
 * Gives ids to the names that the staged runs use (in sorted order, so that two imports cannot deadlock) and puts
 * the runs into the order of their keys. Returns their number.
 */
export async function resolveStagedRuns(transaction: Transaction): Promise<number> {
  for (const name of ['sources', 'users', 'spaces', 'pools', 'usage-keys'] as const) {
    await transaction.execute(sql[`add-${name}`], {});
  }
  await transaction.execute(sql['prefer-hash-joins'], {});
  const runs = await transaction.execute(sql['resolve-staged-runs'], {});
  await transaction.execute(sql['index-staged-runs'], {});
  await transaction.execute(sql['analyze-staged-runs'], {});
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
  readonly corrections: Corrections | null;
}

export interface ApplyOptions {
  readonly batch: bigint;
  readonly actor: string;
  readonly inputName: string;
  readonly nowMs: number;
  /** Let a record without an end replace one with an end. */
  readonly reopen: boolean;
}

const MAX_ROUNDS = 20;

/**
 * Brings the runs of a range to what the staged records say; those that say the same are not written.
 * Locks changed runs in the order of keys. Repeats until nothing differs, because another import may write the
 * same keys at the same time; REPLAN when that does not end.
 */
export async function applyRange(
  transaction: Transaction,
  places: PlaceRange,
  options: ApplyOptions,
): Promise<Applied> {
  const { batch, actor, nowMs, reopen } = options;
  let added = 0;
  let corrected: Corrections | null = null;
  for (let round = 1; ; round += 1) {
    if (round > MAX_ROUNDS) {
      throw new JobhoursError(
        'REPLAN',
        `other transactions changed the same runs ${MAX_ROUNDS} times`,
      );
    }
    const { ids } = await transaction.one(sql['lock-changed-runs'], { ...places, reopen });
    if (ids !== null) {
      await transaction.execute(sql['withdraw-reused-keys'], { ids });
      const reason = `import of ${options.inputName}`;
      const change = { ids, ...places, batch, actor, nowMs, reason };
      corrected = sumOf(corrected, await transaction.one(sql['correct-runs'], change));
    }
    const inserted = await transaction.one(sql['insert-runs'], { ...places, nowMs, batch });
    added += inserted.added;
    if (ids === null && inserted.missing === inserted.added) break;
  }
  if (added === places.through - places.after) return { added, kept: 0, corrections: corrected };
  const kept = reopen ? 0 : (await transaction.one(sql['count-kept'], places)).kept;
  await transaction.execute(sql['refresh-details'], places);
  return { added, kept, corrections: corrected };
}

/** Two counts of corrections as one. */
export function sumOf(a: Corrections | null, b: Corrections | null): Corrections | null {
  if (a === null || b === null) return a ?? b;
  const names = Object.keys(corrections) as (keyof Corrections)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as Corrections;
}
