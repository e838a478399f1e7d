/**
 * Undoing an import or an act by hand: the books become what the others alone would have made of them. Owns what may be
 * undone, and the order of the steps; what happens to the runs is db/undo-store.ts. All in one transaction: a refused
 * undo changes nothing.
 */
import {
  closingAct,
  insertAct,
  laterEnd,
  lockBatch,
  markUndone,
  setCounts,
  type Act,
  type Batch,
  type Doer,
} from '../db/batch-store.js';
import { databaseNowMs } from '../db/books-store.js';
import { awaitImport } from '../db/books-lock.js';
import { endSource } from '../db/coverage-store.js';
import type { Database, Transaction } from '../db/database.js';
import { findRename, forgetFormerName, renameNoun, type NamedNoun } from '../db/name-store.js';
import {
  beginUndo,
  dismissUndone,
  laterChanges,
  reopenRejects,
  undoRuns,
  type LaterChange,
  type UndoAct,
  type UndoCounts,
} from '../db/undo-store.js';
import { isJobhoursError, JobhoursError } from '../domain/errors.js';
import { requiredReason } from './reason.js';
import { retried } from './retried.js';

export interface UndoResult extends UndoCounts {
  /** The undo's own batch. */
  readonly batch: bigint;
  readonly undone: Batch;
  /** Rejected records that are open again. */
  readonly reopenedRejects: number;
}

/** How an act renamed: what is renamed back. */
const RENAMES: Partial<Readonly<Record<Act, NamedNoun>>> = {
  'rename-user': 'user',
  'rename-space': 'space',
};
const NO_RUNS: UndoCounts = { removed: 0, restored: 0, kept: 0, applied: 0, rejected: 0 };

/**
 * Undoes a batch. Waits while it is being applied (`onWait` is told). NOT_FOUND; UNDO_CONFLICT when it is undone, when
 * it is an undo, or when a later batch changed what it gave (which ones, and for which runs).
 */
export async function undoBatch(
  database: Database,
  batch: bigint,
  doer: Doer,
  onWait: () => void = () => undefined,
): Promise<UndoResult> {
  const reason = requiredReason(doer.reason);
  const undo = { actor: doer.actor, reason };
  return retried(() =>
    // A connection of its own: an undo makes temporary tables.
    database.connection((connection) =>
      connection.transaction({}, (transaction) => undoIn(transaction, batch, undo, onWait)),
    ),
  );
}

async function undoIn(
  transaction: Transaction,
  batch: bigint,
  doer: Doer,
  onWait: () => void,
): Promise<UndoResult> {
  await awaitImport(transaction, batch, onWait);
  await beginUndo(transaction);
  const undone = await lockBatch(transaction, batch);
  refuseUndone(undone);
  await refuseRelied(transaction, batch);
  await refuseChanged(transaction, batch);
  const nowMs = await databaseNowMs(transaction);
  const subject = `import ${batch}`;
  const undo = await insertAct(transaction, {
    ...doer,
    act: 'undo',
    subject,
    nowMs,
    undoes: batch,
  });
  const act: UndoAct = { ...doer, batch: undo, nowMs };
  const { reopenedRejects, ...counts } = await takeBack(transaction, undone, act);
  await setCounts(transaction, undo, { ...counts });
  await markUndone(transaction, batch, undo);
  return { ...counts, batch: undo, undone, reopenedRejects };
}

function refuseUndone({ id, act, undoneBy }: Batch): void {
  if (undoneBy !== null) {
    throw new JobhoursError(
      'UNDO_CONFLICT',
      `import ${id} is undone already, by import ${undoneBy}`,
    );
  }
  if (act !== 'undo') return;
  throw new JobhoursError(
    'UNDO_CONFLICT',
    `import ${id} is an undo: import the file again, or do again what it took back`,
  );
}

/** Runs that were ended because this import did not show them, or where it showed them last, must not stay ended without it. */
async function refuseRelied(transaction: Transaction, batch: bigint): Promise<void> {
  const act = await closingAct(transaction, batch);
  if (act === null) return;
  throw new JobhoursError(
    'UNDO_CONFLICT',
    `import ${batch} cannot be undone: import ${act} (close-unseen) ended runs by what this import shows; undo that first: jobhours import undo ${act} --reason TEXT`,
    { batch: String(batch), by: [String(act)] },
  );
}

async function refuseChanged(transaction: Transaction, batch: bigint): Promise<void> {
  const { first, changes } = await laterChanges(transaction, batch);
  if (changes === 0) return;
  const batches = [...new Set(first.map((one) => one.batch))].flatMap((id) => id ?? []);
  const newest = batches.at(-1);
  const advice =
    newest === undefined ? '' : `; undo that first: jobhours import undo ${newest} --reason TEXT`;
  throw new JobhoursError(
    'UNDO_CONFLICT',
    `import ${batch} cannot be undone: ${changes} of its runs were changed later: ${first.map(changeText).join('; ')}${changes > first.length ? '; ...' : ''}${advice}`,
    {
      batch: String(batch),
      changes,
      by: batches.map(String),
      runs: first.map(({ run }) => String(run)),
    },
  );
}

function changeText({ run, source, recordKey, change, batch, what, actor }: LaterChange): string {
  const by = batch === null ? 'by a job' : `by import ${batch} (${what ?? ''}, ${actor})`;
  return `run ${run} (${recordKey} of ${source}) was ${change} ${by}`;
}

async function takeBack(
  transaction: Transaction,
  undone: Batch,
  act: UndoAct,
): Promise<UndoCounts & { readonly reopenedRejects: number }> {
  if (undone.act === 'dismiss') {
    return { ...NO_RUNS, reopenedRejects: await reopenRejects(transaction, undone.id) };
  }
  if (undone.act === 'end-source') {
    await continueSource(transaction, undone);
    return { ...NO_RUNS, reopenedRejects: 0 };
  }
  const noun = undone.act === null ? undefined : RENAMES[undone.act];
  if (noun !== undefined) {
    await renameBack(transaction, noun, undone);
    return { ...NO_RUNS, reopenedRejects: 0 };
  }
  const counts = await undoRuns(transaction, undone.id, act);
  if (undone.act === null) await dismissUndone(transaction, undone.id, act);
  return { ...counts, reopenedRejects: 0 };
}

async function renameBack(
  transaction: Transaction,
  noun: NamedNoun,
  { id, counts }: Batch,
): Promise<void> {
  const [former, name] = [String(counts['from']), String(counts['to'])];
  const conflict = (why: string): JobhoursError =>
    new JobhoursError(
      'UNDO_CONFLICT',
      `the rename ${id} cannot be undone, because ${why}; this renames all the same: jobhours ${noun} rename ${name} ${former} --reason TEXT`,
    );
  const { present, givenSince } = await findRename(transaction, noun, id);
  if (present !== name) throw conflict(`the ${noun} ${name} has another name now, ${present}`);
  if (givenSince !== null) {
    throw conflict(
      `import ${givenSince} brought runs of ${name}, which need not be those of ${former}`,
    );
  }
  try {
    await renameNoun(transaction, noun, name, former);
  } catch (error) {
    if (!isJobhoursError(error, 'NAME_TAKEN')) throw error;
    throw conflict(`${former} is another ${noun}'s name now`);
  }
  await forgetFormerName(transaction, noun, id);
}

/** What was noted of a source's end before. */
async function continueSource(
  transaction: Transaction,
  { id, inputName, counts }: Batch,
): Promise<void> {
  const later = await laterEnd(transaction, id);
  if (later !== null) {
    throw new JobhoursError(
      'UNDO_CONFLICT',
      `act ${id} cannot be undone: act ${later} noted an end of the source ${inputName} later; undo that first: jobhours import undo ${later} --reason TEXT`,
    );
  }
  const { formerEndedAtMs = null } = counts as Readonly<Record<string, number | null | undefined>>;
  await endSource(transaction, inputName, formerEndedAtMs);
}
