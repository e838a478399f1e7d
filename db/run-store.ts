/**
 * Stored runs one by one: for people who look at them, void them or correct them. Owns their reading with names and
 * their history; imports are db/import-apply.ts, open ones that nobody saw any more db/open-run-store.ts.
 */
import type { CorrectedValues } from '../domain/run-correction.js';
import type { RunRecord } from '../domain/run-record.js';
import type { Session, Transaction } from './database.js';
import { statements, type Values } from './statement.js';

/** Columns of every statement that reads runs with names. */
export const runColumns = {
  id: 'int8',
  source: 'text',
  record_key: 'text',
  job_id: 'text',
  attempt: 'int4',
  user_name: 'text',
  space_name: 'text',
  pool_name: 'text',
  milli_gpus: 'int4',
  started_at_ms: 'instant',
  ended_at_ms: 'instant?',
  reported_ended_at_ms: 'instant?',
  end_is_estimated: 'bool',
  batch: 'int8?',
  pinned_by: 'int8?',
} as const;

const { id: _id, batch: _batch, ...valueColumns } = runColumns;
const one = { id: 'int8' } as const;
const names = { user: 'text', space: 'text', pool: 'text' } as const;
const named = { params: { name: 'text' }, row: {} } as const;
const act = { batch: 'int8', actor: 'text', nowMs: 'instant', reason: 'text' } as const;

const sql = statements('run', {
  list: {
    params: {
      user: 'text?',
      source: 'text?',
      startAtMs: 'instant?',
      endAtMs: 'instant?',
      onlyOpen: 'bool',
      limit: 'count',
    },
    row: runColumns,
  },
  find: { params: one, row: runColumns },
  lock: { params: one, row: one },
  'ids-of-key': { params: { key: 'text', source: 'text?' }, row: { id: 'int8', source: 'text' } },
  'ids-of-job': { params: { job: 'text', source: 'text?' }, row: { id: 'int8', source: 'text' } },
  'source-known': { params: { name: 'text' }, row: { is_known: 'bool' } },
  facts: { params: one, row: { facts: 'jsonb' } },
  history: {
    params: one,
    row: {
      id: 'int8',
      change: 'text',
      batch: 'int8?',
      actor: 'text',
      at_ms: 'instant',
      reason: 'text',
      undone_by: 'int8?',
      former_batch: 'int8?',
      ...valueColumns,
    },
  },
  confirmations: {
    params: one,
    row: { batch: 'int8', at_ms: 'instant', input_name: 'text', actor: 'text' },
  },
  'source-reaches-beyond': {
    params: { source: 'text', atMs: 'instant' },
    row: { runs: 'count', last_at_ms: 'instant?' },
  },
  'keep-former': { params: { ...one, change: 'text', ...act }, row: {} },
  'void-key': { params: { ...one, batch: 'int8' }, row: {} },
  delete: { params: one, row: {} },
  'add-user': named,
  'add-space': named,
  'add-pool': named,
  'add-usage-key': { params: names, row: {} },
  correct: {
    params: {
      ...one,
      ...names,
      milliGpus: 'int4',
      startedAtMs: 'instant',
      endedAtMs: 'instant?',
      reportedEndedAtMs: 'instant?',
      endIsEstimated: 'bool',
      batch: 'int8',
    },
    row: {},
  },
});

/** A run as the books hold it. */
export interface StoredRun extends Omit<RunRecord, 'facts'> {
  readonly id: bigint;
  /** The import or act that gave its content; null: a job of our own. */
  readonly batch: bigint | null;
  /** The correction by hand that imports leave alone. */
  readonly pinnedBy: bigint | null;
}

export function storedRunOf(raw: Values<typeof runColumns>): StoredRun {
  return { id: raw.id, batch: raw.batch, ...valuesOf(raw) };
}

function valuesOf(raw: Values<typeof valueColumns>): Omit<StoredRun, 'id' | 'batch'> {
  return {
    source: raw.source,
    key: raw.record_key,
    jobId: raw.job_id,
    attempt: raw.attempt,
    user: raw.user_name,
    space: raw.space_name,
    pool: raw.pool_name,
    milliGpus: raw.milli_gpus,
    startedAtMs: raw.started_at_ms,
    endedAtMs: raw.ended_at_ms,
    reportedEndedAtMs: raw.reported_ended_at_ms,
    endIsEstimated: raw.end_is_estimated,
    pinnedBy: raw.pinned_by,
  };
}

export interface RunFilter {
  readonly user: string | null;
  readonly source: string | null;
  /** Runs that touch `[startAtMs, endAtMs)`; null: open to that side. */
  readonly startAtMs: number | null;
  readonly endAtMs: number | null;
  readonly onlyOpen: boolean;
}

/** The newest ones first, by start. */
export async function listRuns(
  session: Session,
  filter: RunFilter,
  limit: number,
): Promise<StoredRun[]> {
  return (await session.rows(sql.list, { ...filter, limit })).map(storedRunOf);
}

/** Null when it does not exist, or no more. */
export async function findRun(session: Session, id: bigint): Promise<StoredRun | null> {
  const found = await session.maybeOne(sql.find, { id });
  return found === null ? null : storedRunOf(found);
}

/** Ids of the runs of a record key, at most 10; voided ones too. `source`: null = of any. */
export function runIdsOfKey(
  session: Session,
  key: string,
  source: string | null,
): Promise<{ readonly id: bigint; readonly source: string }[]> {
  return session.rows(sql['ids-of-key'], { key, source });
}

/** Ids of the runs of a job, at most 10; voided ones too. `source`: null = of any. */
export function runIdsOfJob(
  session: Session,
  job: string,
  source: string | null,
): Promise<{ readonly id: bigint; readonly source: string }[]> {
  return session.rows(sql['ids-of-job'], { job, source });
}

/** Whether records of that source were imported, or it was declared. */
export async function isSourceKnown(session: Session, name: string): Promise<boolean> {
  return (await session.one(sql['source-known'], { name })).is_known;
}

/** What else the source said of a run, word for word. */
export async function runFacts(session: Session, id: bigint): Promise<Record<string, string>> {
  const found = await session.maybeOne(sql.facts, { id });
  return (found?.facts ?? {}) as Record<string, string>;
}

/** A change of a run: who, when, why, and what stood there before. */
export interface RunChange {
  readonly change: 'corrected' | 'ended' | 'removed';
  readonly batch: bigint | null;
  readonly actor: string;
  readonly atMs: number;
  readonly reason: string;
  /** The undo that took it back; of a row of that undo itself, its own batch. */
  readonly undoneBy: bigint | null;
  /** The import or act that had given the former content. */
  readonly formerBatch: bigint | null;
  readonly former: Omit<StoredRun, 'id' | 'batch'>;
}

/** In the order in which they happened. */
export async function runHistory(session: Session, id: bigint): Promise<RunChange[]> {
  return (await session.rows(sql.history, { id })).map((row) => ({
    change: row.change as RunChange['change'],
    batch: row.batch,
    actor: row.actor,
    atMs: row.at_ms,
    reason: row.reason,
    undoneBy: row.undone_by,
    formerBatch: row.former_batch,
    former: valuesOf(row),
  }));
}

/** An import that delivered the same as the books had. */
export interface Confirmation {
  readonly batch: bigint;
  readonly atMs: number;
  readonly inputName: string;
  readonly actor: string;
}

export async function runConfirmations(session: Session, id: bigint): Promise<Confirmation[]> {
  const rows = await session.rows(sql.confirmations, { id });
  return rows.map(({ batch, at_ms: atMs, input_name: inputName, actor }) => {
    return { batch, atMs, inputName, actor };
  });
}

/** How many runs of a source end after an instant or are open, and the latest end or start of them; null without any. */
export async function runsBeyond(
  session: Session,
  source: string,
  atMs: number,
): Promise<{ readonly runs: number; readonly lastAtMs: number | null }> {
  const found = await session.one(sql['source-reaches-beyond'], { source, atMs });
  return { runs: found.runs, lastAtMs: found.last_at_ms };
}

/** The act that changes a run. */
export interface RunAct {
  readonly batch: bigint;
  readonly actor: string;
  readonly nowMs: number;
  readonly reason: string;
}

/** The run, locked until the transaction ends; null when there is none. */
export async function lockRun(transaction: Transaction, id: bigint): Promise<StoredRun | null> {
  const locked = await transaction.maybeOne(sql.lock, { id });
  return locked === null ? null : findRun(transaction, id);
}

/** Removes a run, keeps its values, and sets aside from now on what imports deliver under its key. */
export async function voidRun(transaction: Transaction, id: bigint, by: RunAct): Promise<void> {
  await transaction.execute(sql['keep-former'], { id, change: 'removed', ...by });
  await transaction.execute(sql['void-key'], { id, batch: by.batch });
  await transaction.execute(sql.delete, { id });
}

/** Writes the values of a run, keeps the former ones, and pins it: imports leave it alone from now on. */
export async function correctRun(
  transaction: Transaction,
  id: bigint,
  values: CorrectedValues,
  by: RunAct,
): Promise<void> {
  const { user, space, pool } = values;
  await transaction.execute(sql['add-user'], { name: user });
  await transaction.execute(sql['add-space'], { name: space });
  await transaction.execute(sql['add-pool'], { name: pool });
  await transaction.execute(sql['add-usage-key'], { user, space, pool });
  await transaction.execute(sql['keep-former'], { id, change: 'corrected', ...by });
  await transaction.execute(sql.correct, { ...values, id, batch: by.batch });
}
