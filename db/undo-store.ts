/**
 * Taking back what a batch did to the runs. Owns which runs are restored, removed, or kept because a later import
 * confirmed them, and that records which the batch had kept from counting count now; whether a batch may be undone,
 * and acts that changed no run, are client/import-undo.ts.
 *
 * What an import delivered and did not change is in run_confirmation (it said the same) or withheld_record (it was not
 * allowed to change the run). So after an undo the runs are what the other batches alone would have made of them.
 */
import { excludeWriters } from './books-lock.js';
import type { Transaction } from './database.js';
import { renewEstimates } from './estimates.js';
import { applyRange } from './import-apply.js';
import { createStaging, insertRejects } from './import-store.js';
import { statements } from './statement.js';

const nothing = { params: {}, row: {} } as const;
const ofBatch = { params: { batch: 'int8' }, row: {} } as const;
const ofUndo = { params: { batch: 'int8', undo: 'int8' }, row: {} } as const;

const sql = statements('undo', {
  'create-undone-runs': nothing,
  'later-changes': {
    params: { batch: 'int8' },
    row: {
      run: 'int8',
      source: 'text',
      record_key: 'text',
      change: 'text',
      batch: 'int8?',
      what: 'text?',
      actor: 'text',
      changes: 'count',
    },
  },
  'collect-undone-runs': ofBatch,
  'index-undone-runs': nothing,
  'analyze-undone-runs': nothing,
  'withhold-confirmations': ofBatch,
  'inherit-history': ofBatch,
  'inherit-runs': nothing,
  'inherit-confirmations': ofBatch,
  'keep-undone-values': {
    params: { undo: 'int8', actor: 'text', nowMs: 'instant', reason: 'text' },
    row: {},
  },
  'remove-runs': nothing,
  'restore-runs': nothing,
  'bring-back-runs': nothing,
  'remove-details': nothing,
  'restore-details': nothing,
  'mark-history': ofUndo,
  'lift-voids': ofBatch,
  'dismiss-rejects': {
    params: { batch: 'int8', undo: 'int8', nowMs: 'instant', reason: 'text' },
    row: {},
  },
  'reopen-rejects': ofBatch,
  'count-undone': { params: {}, row: { kept: 'count', removed: 'count', restored: 'count' } },
  'waiting-batches': {
    params: {},
    row: { batch: 'int8', actor: 'text', input_name: 'text', reopen: 'bool' },
  },
  'clear-staged-runs': nothing,
  'clear-staged-records': nothing,
  'stage-withheld': ofBatch,
});

/** A live change of what a batch gave. */
export interface LaterChange {
  readonly run: bigint;
  readonly source: string;
  readonly recordKey: string;
  readonly change: string;
  /** Null: no import and no act, but a job of our own. */
  readonly batch: bigint | null;
  readonly what: string | null;
  readonly actor: string;
}

/** The first changes of what the batch gave, and how many there are: they are in the way of its undo. */
export async function laterChanges(
  transaction: Transaction,
  batch: bigint,
): Promise<{ readonly first: readonly LaterChange[]; readonly changes: number }> {
  const rows = await transaction.rows(sql['later-changes'], { batch });
  const first = rows.map(({ record_key: recordKey, ...row }) => ({
    run: row.run,
    source: row.source,
    recordKey,
    change: row.change,
    batch: row.batch,
    what: row.what,
    actor: row.actor,
  }));
  return { first, changes: rows[0]?.changes ?? 0 };
}

/** The undo that is at work. */
export interface UndoAct {
  /** Its own batch. */
  readonly batch: bigint;
  readonly actor: string;
  readonly reason: string;
  readonly nowMs: number;
}

/** What an undo did to the runs. */
export interface UndoCounts {
  /** Runs that came with the batch and are gone. */
  readonly removed: number;
  /** Runs that have their former content again, voided ones too. */
  readonly restored: number;
  /** Runs that stay as they are, because a later import delivered the same. */
  readonly kept: number;
  /** Records of later imports that count now, because nothing stands in their way any more. */
  readonly applied: number;
  /** Records of later imports that would count now and were rejected. */
  readonly rejected: number;
}

/** Keeps writers of runs away until the transaction ends; then nothing that an undo looks at changes. */
export const beginUndo = excludeWriters;

/**
 * Takes back what the batch did to the runs. The caller holds `beginUndo` and has seen that there are no later
 * changes. Makes temporary tables: the connection is not used for anything else.
 */
export async function undoRuns(
  transaction: Transaction,
  batch: bigint,
  undo: UndoAct,
): Promise<UndoCounts> {
  await renewEstimates(transaction);
  await createStaging(transaction);
  await transaction.execute(sql['create-undone-runs'], {});
  await transaction.execute(sql['collect-undone-runs'], { batch });
  await transaction.execute(sql['index-undone-runs'], {});
  await transaction.execute(sql['analyze-undone-runs'], {});
  await giveToHeirs(transaction, batch);
  await restore(transaction, batch, undo);
  const counts = await transaction.one(sql['count-undone'], {});
  return { ...counts, ...(await applyWithheld(transaction, batch, undo.nowMs)) };
}

/** Runs that a later import confirmed are that import's from now on, as if it had come first. */
async function giveToHeirs(transaction: Transaction, batch: bigint): Promise<void> {
  await transaction.execute(sql['withhold-confirmations'], { batch });
  await transaction.execute(sql['inherit-history'], { batch });
  await transaction.execute(sql['inherit-runs'], {});
  await transaction.execute(sql['inherit-confirmations'], { batch });
}

async function restore(transaction: Transaction, batch: bigint, undo: UndoAct): Promise<void> {
  const { actor, nowMs, reason } = undo;
  await transaction.execute(sql['keep-undone-values'], { undo: undo.batch, actor, nowMs, reason });
  await transaction.execute(sql['remove-runs'], {});
  await transaction.execute(sql['restore-runs'], {});
  await transaction.execute(sql['bring-back-runs'], {});
  await transaction.execute(sql['remove-details'], {});
  await transaction.execute(sql['restore-details'], {});
  await transaction.execute(sql['mark-history'], { batch, undo: undo.batch });
  await transaction.execute(sql['lift-voids'], { batch });
}

/** Applies what the undone batch had kept from counting, import by import, as each would have done it. */
async function applyWithheld(
  transaction: Transaction,
  undone: bigint,
  nowMs: number,
): Promise<Pick<UndoCounts, 'applied' | 'rejected'>> {
  const waiting = await transaction.rows(sql['waiting-batches'], {});
  let [applied, rejected] = [0, 0];
  for (const { batch, actor, input_name: inputName, reopen } of waiting) {
    await transaction.execute(sql['clear-staged-runs'], {});
    await transaction.execute(sql['clear-staged-records'], {});
    const through = await transaction.execute(sql['stage-withheld'], { batch });
    const reason = `import of ${inputName}, after the undo of ${undone}`;
    const options = { batch, actor, reason, nowMs, reopen };
    const { added, corrections } = await applyRange(transaction, { after: 0, through }, options);
    applied += added + (corrections?.corrected ?? 0) + (corrections?.ended ?? 0);
    rejected += await insertRejects(transaction, batch, nowMs);
  }
  return { applied, rejected };
}

/** Dismisses what an undone import had rejected; nothing waits for these records any more. */
export async function dismissUndone(
  transaction: Transaction,
  batch: bigint,
  undo: UndoAct,
): Promise<void> {
  await transaction.execute(sql['dismiss-rejects'], {
    batch,
    undo: undo.batch,
    nowMs: undo.nowMs,
    reason: undo.reason,
  });
}

/** Opens again what an act had dismissed; returns how many. */
export function reopenRejects(transaction: Transaction, act: bigint): Promise<number> {
  return transaction.execute(sql['reopen-rejects'], { batch: act });
}
