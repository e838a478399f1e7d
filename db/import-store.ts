/**
 * Imports and their staging: everything that an input says, judged before anything of it is applied. Owns the
 * temporary tables and the rows about imports; writing runs is db/import-apply.ts, the order of the steps is
 * client/import-runs.ts. Every function works on the connection on which `createStaging` was called.
 */
import type { ErrorCode } from '../domain/errors.js';
import type { JudgedRecord } from '../domain/run-record.js';
import { holdImport } from './books-lock.js';
import type { Session, Transaction } from './database.js';
import { copyLine, type CopyValue } from './copy-line.js';
import { statements, type Values } from './statement.js';

const totals = {
  running: 'count',
  with_gpus: 'count',
  estimated: 'count',
  users: 'count',
  spaces: 'count',
  pools: 'count',
  first_at_ms: 'instant?',
  last_at_ms: 'instant?',
  run_ms: 'numeric',
  milli_gpu_ms: 'numeric',
  lengthened: 'count',
  lengthened_ms: 'numeric',
  before_origin: 'count',
} as const;
const nothing = { params: {}, row: {} } as const;

const sql = statements('import', {
  'configure-session': {
    params: {},
    row: { pages: 'text', buffers: 'text', sorts: 'text' },
  },
  'create-staged-records': nothing,
  'create-staged-runs': nothing,
  'index-staged-keys': nothing,
  'index-staged-lines': nothing,
  'analyze-staged-records': nothing,
  'index-rejects': nothing,
  'reject-duplicate-keys': nothing,
  'drop-repeated-records': nothing,
  'reject-reused-keys': nothing,
  'count-outcomes': { params: {}, row: { outcome: 'text', code: 'text?', records: 'count' } },
  'total-runs': { params: { originAtMs: 'instant' }, row: totals },
  'rejects-after': {
    params: { afterLine: 'count', limit: 'count' },
    row: { line: 'count', code: 'text', detail: 'text', record: 'text' },
  },
  'insert-batch': {
    params: {
      format: 'text',
      inputName: 'text',
      actor: 'text',
      reopen: 'bool',
      nowMs: 'instant',
      content: 'text',
      readAs: 'text?',
    },
    row: { id: 'int8' },
  },
  'has-former-names': { params: {}, row: { has_some: 'bool' } },
  'read-former-users': nothing,
  'read-former-spaces': nothing,
  'other-zones': { params: { readAs: 'text' }, row: { has_some: 'bool' } },
  'reject-moved-jobs': { params: { readAs: 'text' }, row: {} },
  'insert-rejects': { params: { batch: 'int8', nowMs: 'instant' }, row: {} },
  'finish-batch': { params: { batch: 'int8', nowMs: 'instant', counts: 'jsonb' }, row: {} },
});

const STAGED_COLUMNS =
  'line, outcome, code, detail, record, source, record_key, job_id, attempt, user_name, space_name, pool_name, ' +
  'milli_gpus, started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated, facts';
const NO_RUN: readonly CopyValue[] = Array.from({ length: 13 }, () => null);

/** Makes the temporary tables that the other functions work on. */
export async function createStaging(session: Session): Promise<void> {
  await session.one(sql['configure-session'], {});
  await session.execute(sql['create-staged-records'], {});
  await session.execute(sql['create-staged-runs'], {});
}

function stagedLine({ line, text, outcome }: JudgedRecord): string {
  if (outcome.kind === 'set-aside') {
    return copyLine([line, 'set-aside', outcome.rule, null, text, ...NO_RUN]);
  }
  if (outcome.kind === 'rejected') {
    const { code, detail, startedAtMs = null, endedAtMs = null } = outcome;
    const place = [startedAtMs, endedAtMs, null, null, null];
    return copyLine([
      line,
      'rejected',
      code,
      detail,
      text,
      ...NO_RUN.slice(place.length),
      ...place,
    ]);
  }
  const { run } = outcome;
  return copyLine([
    ...[line, 'run', null, null, text, run.source, run.key, run.jobId, run.attempt],
    ...[run.user, run.space, run.pool, run.milliGpus, run.startedAtMs, run.endedAtMs],
    ...[run.reportedEndedAtMs, run.endIsEstimated, factsText(run.facts)],
  ]);
}

/** PostgreSQL has no U+0000 in text; sources have it in job names. */
function factsText(facts: Readonly<Record<string, string>>): string | null {
  const text = JSON.stringify(facts);
  if (text === '{}') return null;
  return text.includes('\\u0000') ? text.replace(/(?<!\\)((?:\\\\)*)\\u0000/g, '$1\\ufffd') : text;
}

/** Streams judged records into the staging table, in bounded memory. */
export async function stageRecords(
  transaction: Transaction,
  batches: AsyncIterable<readonly JudgedRecord[]>,
): Promise<void> {
  async function* lines(): AsyncIterable<string> {
    for await (const batch of batches) {
      if (batch.length > 0) yield batch.map(stagedLine).join('');
    }
  }
  await transaction.copyInto(`staged_record (${STAGED_COLUMNS})`, lines());
}

/**
 * Judges what only the whole input and the books show: a key with different contents is KEY_DUPLICATE on all its lines,
 * the same content again is `repeated`, another user and another start than the stored run's is KEY_REUSED. Former names
 * of users and spaces are read as the present ones. `readAs`: the zone of the times in the
 * keys, null where keys have none; a job that stands there hours away, from an import of another zone, is TIME_ZONE_SUSPECT.
 */
export async function judgeKeys(session: Session, readAs: string | null): Promise<void> {
  await readFormerNames(session);
  for (const step of [
    'index-staged-keys',
    'index-staged-lines',
    'analyze-staged-records',
    'reject-duplicate-keys',
    'drop-repeated-records',
    'reject-reused-keys',
  ] as const) {
    await session.execute(sql[step], {});
  }
  // All runs are read for it, so only when somebody has read times of the same source in another zone.
  if (readAs !== null && (await session.one(sql['other-zones'], { readAs })).has_some) {
    await session.execute(sql['reject-moved-jobs'], { readAs });
  }
  await session.execute(sql['index-rejects'], {});
}

/** Reads former names of users and spaces as the present ones: those that are nobody's name now. */
export async function readFormerNames(session: Session): Promise<void> {
  if (!(await session.one(sql['has-former-names'], {})).has_some) return;
  await session.execute(sql['read-former-users'], {});
  await session.execute(sql['read-former-spaces'], {});
}

/** Number of staged records by outcome and by rule or code. */
export function countOutcomes(
  session: Session,
): Promise<{ readonly outcome: string; readonly code: string | null; readonly records: number }[]> {
  return session.rows(sql['count-outcomes'], {});
}

/** Sums over the staged runs; a running one has no length yet. `before_origin`: runs that start before that instant. */
export function totalRuns(session: Session, originAtMs: number): Promise<Values<typeof totals>> {
  return session.one(sql['total-runs'], { originAtMs });
}

/** A record that was refused: where, why, and what it says (cut when long). */
export interface Reject {
  readonly line: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly record: string;
}

/** Rejected records after a line (exclusive), in the order of lines. */
export async function rejectsAfter(
  session: Session,
  afterLine: number,
  limit: number,
): Promise<Reject[]> {
  const rows = await session.rows(sql['rejects-after'], { afterLine, limit });
  return rows.map((row) => ({ ...row, code: row.code as ErrorCode }));
}

/** What an import calls itself in the books. */
export interface BatchIdentity {
  readonly format: string;
  readonly inputName: string;
  readonly actor: string;
  /** Records without an end may replace ones with an end. */
  readonly reopen: boolean;
  /** sha256 (hex) of the input and of how it was read: an import of the same content finishes this one. */
  readonly content: string;
  /** The zone in which the times of its keys were read; null: they have none. */
  readonly readAs: string | null;
}

/** Records that an import begins to be applied, with its rejected records, and holds its lock; returns its id. */
export async function insertBatch(
  transaction: Transaction,
  identity: BatchIdentity,
  nowMs: number,
): Promise<bigint> {
  const { id } = await transaction.one(sql['insert-batch'], { ...identity, nowMs });
  await holdImport(transaction, id);
  await insertRejects(transaction, id, nowMs);
  return id;
}

/** Records that every record was applied at an instant, with the counts, and what was rejected while it was applied. */
export async function finishBatch(
  transaction: Transaction,
  batch: bigint,
  nowMs: number,
  counts: Readonly<Record<string, unknown>>,
): Promise<void> {
  await insertRejects(transaction, batch, nowMs);
  await transaction.execute(sql['finish-batch'], { batch, nowMs, counts });
}

/** Keeps the rejected records of the staging that are not kept yet; returns their number. */
export async function insertRejects(
  transaction: Transaction,
  batch: bigint,
  nowMs: number,
): Promise<number> {
  return transaction.execute(sql['insert-rejects'], { batch, nowMs });
}
