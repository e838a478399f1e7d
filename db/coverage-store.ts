/**
 * What was declared of sources, and when they ended. Owns these rows; whether a figure is complete is
 * domain/coverage.ts.
 */
import { ALL_TIME, type Coverage } from '../domain/coverage.js';
import { JobhoursError } from '../domain/errors.js';
import type { Span } from '../domain/period.js';
import { quotedValue } from '../domain/quoted-value.js';
import type { Session, Transaction } from './database.js';
import { statements, type Values } from './statement.js';

const sql = statements('coverage', {
  'add-source': { params: { name: 'text' }, row: {} },
  declare: {
    params: { batch: 'int8', fromAtMs: 'instant', toAtMs: 'instant', name: 'text?' },
    row: {},
  },
  declared: {
    params: {},
    row: { name: 'text', ended_at_ms: 'instant?', froms: 'instant[]', tos: 'instant[]' },
  },
  reach: { params: { batch: 'int8', toAtMs: 'instant' }, row: {} },
  'open-rejects': {
    params: { beginningMs: 'instant', endMs: 'instant' },
    row: { batch: 'int8', records: 'count', froms: 'instant[]', tos: 'instant[]' },
  },
  unfinished: {
    params: {},
    row: {
      batch: 'int8',
      input_name: 'text',
      started_at_ms: 'instant',
      runs: 'count',
      applied_runs: 'count',
      first_at_ms: 'instant?',
      last_at_ms: 'instant?',
    },
  },
  list: {
    params: {},
    row: {
      name: 'text',
      ended_at_ms: 'instant?',
      batch: 'int8?',
      input_name: 'text?',
      started_at_ms: 'instant?',
      last_at_ms: 'instant?',
    },
  },
  end: { params: { name: 'text', endedAtMs: 'instant?' }, row: { former: 'instant?' } },
});

/** What somebody declares of an import: everything of its sources that touches the span is in it. */
export interface DeclaredCoverage extends Span {
  /** A source that need not have a record in the input; null: only those that have. */
  readonly source: string | null;
}

/** Declares it. Call it when the sources of the import's records are known (`finishBatch`). */
export async function declareCoverage(
  transaction: Transaction,
  batch: bigint,
  { source: name, startAtMs, endAtMs }: DeclaredCoverage,
): Promise<void> {
  if (name !== null) await transaction.execute(sql['add-source'], { name });
  await transaction.execute(sql.declare, { batch, fromAtMs: startAtMs, toAtMs: endAtMs, name });
  await transaction.execute(sql.reach, { batch, toAtMs: endAtMs });
}

/** What was declared, what was rejected and what was not finished, by imports that nobody undid. */
export async function readCoverage(session: Session): Promise<Coverage> {
  const { startAtMs: beginningMs, endAtMs: endMs } = ALL_TIME;
  const sources = (await session.rows(sql.declared, {})).map((row) => ({
    name: row.name,
    endedAtMs: row.ended_at_ms,
    declared: spansOf(row),
  }));
  const rejects = (await session.rows(sql['open-rejects'], { beginningMs, endMs })).map((row) => ({
    batch: String(row.batch),
    records: row.records,
    spans: spansOf(row),
  }));
  const unfinished = (await session.rows(sql.unfinished, {})).map((row) => ({
    batch: String(row.batch),
    input: row.input_name,
    startedAtMs: row.started_at_ms,
    runs: row.runs,
    appliedRuns: row.applied_runs,
    span: { startAtMs: row.first_at_ms ?? beginningMs, endAtMs: row.last_at_ms ?? endMs },
  }));
  return { sources, rejects, unfinished };
}

function spansOf({
  froms,
  tos,
}: Pick<Values<(typeof sql)['declared']['row']>, 'froms' | 'tos'>): Span[] {
  return froms.map((startAtMs, index) => ({ startAtMs, endAtMs: tos[index] ?? startAtMs }));
}

/** A source and the newest import that brought records of it. */
export type ListedSource = Values<(typeof sql)['list']['row']>;

/** By name. */
export function listSources(session: Session): Promise<readonly ListedSource[]> {
  return session.rows(sql.list, {});
}

/** Notes when a source ended; null: it goes on. Returns what was noted before. NOT_FOUND. */
export async function endSource(
  session: Session,
  name: string,
  endedAtMs: number | null,
): Promise<number | null> {
  const found = await session.maybeOne(sql.end, { name, endedAtMs });
  if (found !== null) return found.former;
  throw new JobhoursError(
    'NOT_FOUND',
    `there is no source ${quotedValue(name)}: jobhours source list`,
  );
}
