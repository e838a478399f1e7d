/**
 * Changes of runs by hand: void, correct, close what nobody saw any more, rename users and spaces. Each is an act with
 * actor and reason, a row of the list of imports, and can be undone like an import. Owns the order of their steps; rows
 * are written by db/run-store.ts.
 */
import { insertAct, type Act, type Doer } from '../db/batch-store.js';
import { databaseNowMs } from '../db/books-store.js';
import { excludeWriters } from '../db/books-lock.js';
import type { Database, Session, Transaction } from '../db/database.js';
import { keepFormerName, renameNoun, type NamedNoun } from '../db/name-store.js';
import { closeRuns, unseenRuns } from '../db/open-run-store.js';
import {
  correctRun,
  findRun,
  lockRun,
  runHistory,
  runIdsOfJob,
  runIdsOfKey,
  voidRun,
  type RunAct,
  type RunChange,
  type StoredRun,
} from '../db/run-store.js';
import { JobhoursError } from '../domain/errors.js';
import { spaceName } from '../domain/membership.js';
import { correctedRun, type RunCorrection } from '../domain/run-correction.js';
import { nameOf } from '../domain/record-text.js';
import { instantText } from '../domain/units.js';
import { requiredReason } from './reason.js';
import { retried } from './retried.js';

/** What an act by hand has done. */
export interface ChangedRun {
  /** The act: `jobhours import undo BATCH` takes it back. */
  readonly batch: bigint;
  readonly run: StoredRun;
}

/**
 * The id of a run by what people type: its number, or its record key. `#12` is a number and nothing else; with a source
 * a key comes first. What is neither is taken for a job id. Voided runs have theirs still. NOT_FOUND; USAGE when several
 * runs are meant: it names them.
 */
export async function runIdOf(
  session: Session,
  text: string,
  source: string | null = null,
): Promise<bigint> {
  const [, mark, digits] = /^(#?)(\d{1,18})$/.exec(text) ?? [];
  const numbered = digits === undefined ? null : await heldRun(session, BigInt(digits));
  const byNumber = source === null || numbered?.source === source ? numbered : null;
  const byKey = mark === '#' ? [] : await runIdsOfKey(session, text, source);
  const found = new Set(byKey.map(({ id }) => id));
  if (byNumber !== null && (source === null || found.size === 0)) found.add(byNumber.id);
  if (found.size === 0 && mark !== '#') {
    for (const { id } of await runIdsOfJob(session, text, source)) found.add(id);
  }
  const [first, ...others] = found;
  if (first === undefined) {
    throw new JobhoursError(
      'NOT_FOUND',
      `no run has the number, the key or the job id ${text}: see jobhours run list`,
    );
  }
  if (others.length === 0) return first;
  const named: string[] = [];
  for (const id of found) named.push(namedText(id, await heldRun(session, id)));
  throw new JobhoursError(
    'USAGE',
    `${text} is the number, the key or the job id of several runs: ${named.join('; ')}: give '#NUMBER', or the key with --source`,
  );
}

/** The values of a run; of one that was removed the last ones. Null: there never was such a run. */
async function heldRun(
  session: Session,
  id: bigint,
): Promise<(RunChange['former'] & { readonly id: bigint }) | null> {
  const run = await findRun(session, id);
  if (run !== null) return run;
  const former = (await runHistory(session, id)).at(-1)?.former;
  return former === undefined ? null : { ...former, id };
}

function namedText(id: bigint, run: RunChange['former'] | null): string {
  if (run === null) return `number ${id}`;
  const { key, source, user, startedAtMs } = run;
  return `number ${id} (key ${key} of ${source}, ${user}, started ${instantText(startedAtMs)})`;
}

/** Removes a run: what imports deliver under its key is set aside from now on (VOIDED). NOT_FOUND, RUN_VOIDED. */
export function voidOneRun(database: Database, id: bigint, doer: Doer): Promise<ChangedRun> {
  return changed(database, id, doer, 'void', (transaction, run, by) =>
    voidRun(transaction, run.id, by),
  );
}

/** Writes given fields of a run and pins it: imports leave it alone. NOT_FOUND, RUN_VOIDED; errors of correctedRun. */
export function correctOneRun(
  database: Database,
  id: bigint,
  correction: RunCorrection,
  minimumRunMs: number,
  doer: Doer,
): Promise<ChangedRun> {
  return changed(database, id, doer, 'correct', (transaction, run, by) => {
    const rules = { nowMs: by.nowMs, minimumRunMs, zone: null };
    const values = correctedRun({ ...run, facts: {} }, correction, rules);
    return correctRun(transaction, run.id, values, by);
  });
}

/** The error of a run that is not there: RUN_VOIDED when somebody voided it, else NOT_FOUND. */
async function goneRun(session: Session, id: bigint): Promise<JobhoursError> {
  const by = voidedBy(await runHistory(session, id));
  if (by === null) return new JobhoursError('NOT_FOUND', `there is no run ${id}`);
  return new JobhoursError(
    'RUN_VOIDED',
    `run ${id} is voided already, by import ${by}: jobhours import undo ${by} --reason TEXT`,
  );
}

/** The act that voided a run and holds; null: there is none. */
export function voidedBy(history: readonly RunChange[]): bigint | null {
  const last = history.findLast(
    ({ change, undoneBy }) => change === 'removed' && undoneBy === null,
  );
  return last?.batch ?? null;
}

async function changed(
  database: Database,
  id: bigint,
  doer: Doer,
  act: Act,
  change: (transaction: Transaction, run: StoredRun, by: RunAct) => Promise<void>,
): Promise<ChangedRun> {
  const reason = requiredReason(doer.reason);
  return retried(() =>
    database.transaction({}, async (transaction) => {
      await excludeWriters(transaction);
      const run = await lockRun(transaction, id);
      if (run === null) throw await goneRun(transaction, id);
      const nowMs = await databaseNowMs(transaction);
      const subject = `run ${id}: ${run.key} of ${run.source}`;
      const made = { act, subject, actor: doer.actor, reason, nowMs, counts: { runs: 1 } };
      const batch = await insertAct(transaction, made);
      await change(transaction, run, { batch, actor: doer.actor, nowMs, reason });
      return { batch, run: (await findRun(transaction, id)) ?? run };
    }),
  );
}

/**
 * Ends the open runs that an import should have shown and did not, where they were seen last. Null when there are none:
 * then there is no act.
 */
export async function closeUnseen(
  database: Database,
  imported: bigint,
  minimumRunMs: number,
  actor: string,
): Promise<{ readonly batch: bigint; readonly runs: readonly StoredRun[] } | null> {
  return retried(() =>
    database.transaction({}, async (transaction) => {
      await excludeWriters(transaction);
      const unseen = await unseenRuns(transaction, imported, minimumRunMs);
      if (unseen.length === 0) return null;
      const nowMs = await databaseNowMs(transaction);
      const reason = `not in import ${imported}, which reaches beyond`;
      const subject = `import ${imported}`;
      const seen = [...new Set(unseen.flatMap(({ seenBatch }) => seenBatch ?? []))].map(String);
      const counts = { runs: unseen.length, import: String(imported), seen };
      const act = { act: 'close-unseen', subject, actor, reason, nowMs, counts } as const;
      const batch = await insertAct(transaction, act);
      const runs = await closeRuns(transaction, unseen, { batch, actor, nowMs, reason });
      return { batch, runs };
    }),
  );
}

/** Renames a user or a space everywhere, in records to come too; returns the act's batch. NOT_FOUND, NAME_TAKEN, USER_INVALID, SPACE_INVALID. */
export async function renameInBooks(
  database: Database,
  noun: NamedNoun,
  former: string,
  name: string,
  doer: Doer,
): Promise<bigint> {
  const checkedName = (text: string, field: string): string =>
    noun === 'space' ? spaceName(text, field) : nameOf(text, { field, code: 'USER_INVALID' });
  const to = checkedName(name, `new name of ${noun}`);
  const from = checkedName(former, noun);
  const reason = requiredReason(doer.reason);
  return retried(() =>
    database.transaction({}, async (transaction) => {
      await excludeWriters(transaction);
      await renameNoun(transaction, noun, from, to);
      const batch = await insertAct(transaction, {
        act: `rename-${noun}`,
        subject: `${from} to ${to}`,
        actor: doer.actor,
        reason,
        nowMs: await databaseNowMs(transaction),
        counts: { from, to },
      });
      await keepFormerName(transaction, noun, { former: from, name: to }, batch);
      return batch;
    }),
  );
}
