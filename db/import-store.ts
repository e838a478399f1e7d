/**
 * Staging and applying of imports. Owns the SQL of both; which steps follow which, and what an input means, is
 * client/import-runs.ts. Every function here works on the connection on which `createStaging` was called.
 */
import { JobhoursError, type ErrorCode } from '../domain/errors.js';
import type { JudgedRecord } from '../domain/run-record.js';
import type { Session, Transaction } from './database.js';
import { copyLine, type CopyValue } from './copy-line.js';
import { statements, type Values } from './statement.js';

const range = { after: 'count', through: 'count' } as const;
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

const sql = statements('import', {
  'plan-afresh': nothing,
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
    params: { ids: 'int8[]', ...range, batch: 'int8', actor: 'text', nowMs: 'instant', reason: 'text' },
    row: corrections,
  },
  'insert-runs': {
    params: { ...range, nowMs: 'instant', batch: 'int8' },
    row: { missing: 'count', added: 'count' },
  },
  'refresh-details': { params: range, row: {} },
  'count-kept': { params: range, row: { kept: 'count' } },
  'insert-batch': {
    params: { format: 'text', inputName: 'text', actor: 'text', nowMs: 'instant' },
    row: { id: 'int8' },
  },
  'insert-rejects': { params: { batch: 'int8', nowMs: 'instant' }, row: {} },
  'finish-batch': { params: { batch: 'int8', nowMs: 'instant', counts: 'jsonb' }, row: {} },
});

const STAGED_COLUMNS =
  'line, outcome, code, detail, record, source, record_key, job_id, attempt, user_name, space_name, pool_name, ' +
  'milli_gpus, started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated, facts';
const NO_RUN: readonly CopyValue[] = Array.from({ length: 13 }, () => null);

/**
 * Makes the temporary tables that the other functions work on. Plans of this connection are made for each call:
 * one that fits an empty table of runs would read the whole table for every batch once it has grown.
 */
export async function createStaging(session: Session): Promise<void> {
  await session.execute(sql['plan-afresh'], {});
  await session.execute(sql['create-staged-records'], {});
  await session.execute(sql['create-staged-runs'], {});
}

function stagedLine({ line, text, outcome }: JudgedRecord): string {
  if (outcome.kind === 'set-aside') {
    return copyLine([line, 'set-aside', outcome.rule, null, text, ...NO_RUN]);
  }
  if (outcome.kind === 'rejected') {
    return copyLine([line, 'rejected', outcome.code, outcome.detail, text, ...NO_RUN]);
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
 * Judges what only the whole input shows: a key with different contents is KEY_DUPLICATE on all its lines, the
 * same content again is `repeated`, another user and another start than the stored run's is KEY_REUSED.
 */
export async function judgeKeys(session: Session): Promise<void> {
  for (const step of [
    'index-staged-keys',
    'index-staged-lines',
    'analyze-staged-records',
    'reject-duplicate-keys',
    'drop-repeated-records',
    'reject-reused-keys',
    'index-rejects',
  ] as const) {
    await session.execute(sql[step], {});
  }
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
}

/**
 * Records the import, gives ids to the names that its runs use (in sorted order, so that two imports cannot
 * deadlock) and puts the runs into the order of their keys.
 */
export async function beginBatch(
  transaction: Transaction,
  identity: BatchIdentity,
  nowMs: number,
): Promise<{ readonly batch: bigint; readonly runs: number }> {
  const { id: batch } = await transaction.one(sql['insert-batch'], { ...identity, nowMs });
  for (const name of ['sources', 'users', 'spaces', 'pools', 'usage-keys'] as const) {
    await transaction.execute(sql[`add-${name}`], {});
  }
  await transaction.execute(sql['prefer-hash-joins'], {});
  const runs = await transaction.execute(sql['resolve-staged-runs'], {});
  await transaction.execute(sql['index-staged-runs'], {});
  await transaction.execute(sql['analyze-staged-runs'], {});
  return { batch, runs };
}

/** Places of staged runs in the order of their keys: after the first (exclusive), through the second (inclusive). */
export type PlaceRange = Values<typeof range>;

/** Records that every record was applied, with the counts, and the rejected records. */
export async function finishBatch(
  transaction: Transaction,
  batch: bigint,
  nowMs: number,
  counts: Readonly<Record<string, unknown>>,
): Promise<void> {
  await transaction.execute(sql['insert-rejects'], { batch, nowMs });
  await transaction.execute(sql['finish-batch'], { batch, nowMs, counts });
}

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
