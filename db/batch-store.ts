/**
 * Rows of `import_batch`: everything that changed the books, imports and acts by hand (undo, void, correct, rename,
 * dismiss, close-unseen, end-source). Owns these rows; what an import is made of is db/import-store.ts, what an undo does
 * to the runs db/undo-store.ts, rejected records are db/reject-store.ts, ends of sources db/coverage-store.ts.
 */
import { JobhoursError } from '../domain/errors.js';
import type { Span } from '../domain/period.js';
import { requireOwnBooks } from './books-store.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

/** What somebody did by hand. */
export type Act =
  | 'undo'
  | 'void'
  | 'correct'
  | 'close-unseen'
  | 'rename-user'
  | 'rename-space'
  | 'dismiss'
  | 'end-source';

const row = {
  id: 'int8',
  format: 'text',
  input_name: 'text',
  actor: 'text',
  started_at_ms: 'instant',
  applied_at_ms: 'instant?',
  act: 'text?',
  reason: 'text?',
  reopen: 'bool',
  undoes: 'int8?',
  undone_by: 'int8?',
  counts: 'jsonb',
} as const;

const sql = statements('batch', {
  'insert-act': {
    params: {
      inputName: 'text',
      actor: 'text',
      nowMs: 'instant',
      act: 'text',
      reason: 'text',
      undoes: 'int8?',
      counts: 'jsonb',
    },
    row: { id: 'int8' },
  },
  'set-counts': { params: { batch: 'int8', counts: 'jsonb' }, row: {} },
  'lock-batch': { params: { batch: 'int8' }, row },
  'find-batch': { params: { batch: 'int8' }, row },
  'list-batches': { params: { limit: 'count' }, row },
  'closing-act': { params: { imported: 'int8' }, row: { id: 'int8' } },
  'later-end': { params: { batch: 'int8' }, row: { id: 'int8?' } },
  'mark-undone': { params: { batch: 'int8', undo: 'int8' }, row: {} },
  'count-effects': {
    params: { batch: 'int8' },
    row: {
      runs_given: 'count',
      changed_later: 'count',
      rejects: 'count',
      open_rejects: 'count',
      withheld: 'count',
    },
  },
  'batch-coverage': {
    params: { batch: 'int8' },
    row: { source: 'text', from_at_ms: 'instant', to_at_ms: 'instant' },
  },
  'batch-sources': {
    params: { batch: 'int8' },
    row: {
      source: 'text',
      runs: 'count',
      first_started_at_ms: 'instant',
      last_at_ms: 'instant',
    },
  },
});

/** One import, or one act by hand. */
export interface Batch {
  readonly id: bigint;
  /** `sacct`, `csv`, ...; `manual` exactly when there is an act. */
  readonly format: string;
  /** The file of an import; what an act was done to. */
  readonly inputName: string;
  readonly actor: string;
  readonly startedAtMs: number;
  /** Null: an import that was interrupted, or that is being applied. */
  readonly appliedAtMs: number | null;
  readonly act: Act | null;
  /** Null for imports. */
  readonly reason: string | null;
  readonly reopen: boolean;
  /** The batch that this one has undone. */
  readonly undoes: bigint | null;
  readonly undoneBy: bigint | null;
  readonly counts: Readonly<Record<string, unknown>>;
}

function batchOf(raw: Values<typeof row>): Batch {
  return {
    id: raw.id,
    format: raw.format,
    inputName: raw.input_name,
    actor: raw.actor,
    startedAtMs: raw.started_at_ms,
    appliedAtMs: raw.applied_at_ms,
    act: raw.act as Act | null,
    reason: raw.reason,
    reopen: raw.reopen,
    undoes: raw.undoes,
    undoneBy: raw.undone_by,
    counts: raw.counts as Readonly<Record<string, unknown>>,
  };
}

/** Who does something by hand, and why. */
export interface Doer {
  readonly actor: string;
  readonly reason: string;
}

export interface NewAct extends Doer {
  readonly act: Act;
  /** What it is done to, in words. */
  readonly subject: string;
  readonly nowMs: number;
  readonly undoes?: bigint;
  readonly counts?: Readonly<Record<string, unknown>>;
}

/** Records an act; returns the id of its batch. DEMO_BOOKS. */
export async function insertAct(session: Session, act: NewAct): Promise<bigint> {
  const { subject: inputName, undoes = null, counts = {}, actor, reason, nowMs } = act;
  const params = { inputName, actor, nowMs, act: act.act, reason, undoes, counts };
  await requireOwnBooks(session);
  return (await session.one(sql['insert-act'], params)).id;
}

/** Says what an act has changed. */
export async function setCounts(
  session: Session,
  batch: bigint,
  counts: Readonly<Record<string, unknown>>,
): Promise<void> {
  await session.execute(sql['set-counts'], { batch, counts });
}

function noBatch(batch: bigint): JobhoursError {
  return new JobhoursError('NOT_FOUND', `there is no import ${batch}: see jobhours import list`);
}

/** The batch, locked until the transaction ends. NOT_FOUND. */
export async function lockBatch(session: Session, batch: bigint): Promise<Batch> {
  const found = await session.maybeOne(sql['lock-batch'], { batch });
  if (found === null) throw noBatch(batch);
  return batchOf(found);
}

/** NOT_FOUND. */
export async function findBatch(session: Session, batch: bigint): Promise<Batch> {
  const found = await session.maybeOne(sql['find-batch'], { batch });
  if (found === null) throw noBatch(batch);
  return batchOf(found);
}

/** The newest ones first. */
export async function listBatches(session: Session, limit: number): Promise<Batch[]> {
  return (await session.rows(sql['list-batches'], { limit })).map(batchOf);
}

/** The act that ended open runs because this import did not show them, unless it was undone; null: none. */
export async function closingAct(session: Session, imported: bigint): Promise<bigint | null> {
  return (await session.maybeOne(sql['closing-act'], { imported }))?.id ?? null;
}

export async function markUndone(session: Session, batch: bigint, undo: bigint): Promise<void> {
  await session.execute(sql['mark-undone'], { batch, undo });
}

/** The newest standing act that noted an end of the same source after this one did; null: none. */
export async function laterEnd(session: Session, act: bigint): Promise<bigint | null> {
  return (await session.one(sql['later-end'], { batch: act })).id;
}

/** What stands in the books because of a batch. */
export interface BatchEffects {
  /** Runs whose present content it has given. */
  readonly runsGiven: number;
  /** Changes of what it gave, which are in the way of an undo. */
  readonly changedLater: number;
  readonly rejects: number;
  readonly openRejects: number;
  /** Records that changed nothing because something stands in their way. */
  readonly withheld: number;
}

export async function countEffects(session: Session, batch: bigint): Promise<BatchEffects> {
  const found = await session.one(sql['count-effects'], { batch });
  return {
    runsGiven: found.runs_given,
    changedLater: found.changed_later,
    rejects: found.rejects,
    openRejects: found.open_rejects,
    withheld: found.withheld,
  };
}

/** How far an import reached in one of its sources. */
export interface BatchSource {
  readonly source: string;
  readonly runs: number;
  readonly firstStartedAtMs: number;
  /** Its latest start or end. */
  readonly lastAtMs: number;
}

export async function batchSources(session: Session, batch: bigint): Promise<BatchSource[]> {
  return (await session.rows(sql['batch-sources'], { batch })).map((one) => ({
    source: one.source,
    runs: one.runs,
    firstStartedAtMs: one.first_started_at_ms,
    lastAtMs: one.last_at_ms,
  }));
}

/** A span that an import was declared to have wholly, of one source. */
export interface BatchCoverage extends Span {
  readonly source: string;
}

/** By source. */
export async function batchCoverage(session: Session, batch: bigint): Promise<BatchCoverage[]> {
  return (await session.rows(sql['batch-coverage'], { batch })).map((one) => ({
    source: one.source,
    startAtMs: one.from_at_ms,
    endAtMs: one.to_at_ms,
  }));
}
