/**
 * Reads what an audit compares, and removes what cannot be right. Owns the SQL; in what order and in which snapshot is
 * db/period-audit.ts, what is good enough to be judged domain/audit-plan.ts, what audits found db/audit-records.ts.
 */
import type { AuditCode, AuditDifference } from '../domain/audit.js';
import type { AuditChunk, AuditedPeriod, LedgerRow } from '../domain/audit-plan.js';
import { GRANULARITIES, type Granularity, type Period, type Span } from '../domain/period.js';
import { periodKey } from '../domain/plan.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const COLUMNS = [
  'run_ms',
  'milli_gpu_ms',
  'runs_started',
  'runs_ended',
  'runs_carried_in',
  'runs_out',
  'milli_gpus_out',
] as const;
const stored = {
  run_ms: 'int8?',
  milli_gpu_ms: 'int8?',
  runs_started: 'int8?',
  runs_ended: 'int8?',
  runs_carried_in: 'int8?',
  runs_out: 'int8?',
  milli_gpus_out: 'int8?',
} as const;
const recomputed = {
  fresh_run_ms: 'int8?',
  fresh_milli_gpu_ms: 'int8?',
  fresh_runs_started: 'int8?',
  fresh_runs_ended: 'int8?',
  fresh_runs_carried_in: 'int8?',
  fresh_runs_out: 'int8?',
  fresh_milli_gpus_out: 'int8?',
} as const;

const sql = statements('audit', {
  'ledger-rows': {
    params: { startAtMs: 'instant', endAtMs: 'instant' },
    row: { granularity: 'text', start_at_ms: 'instant', end_at_ms: 'instant' },
  },
  'row-differences': {
    params: {
      granularities: 'text[]',
      starts: 'instant[]',
      froms: 'instant[]',
      ends: 'instant[]',
      spanStarts: 'instant[]',
      spanEnds: 'instant[]',
      endAtMs: 'instant',
      rowsTold: 'int4',
    },
    row: {
      granularity: 'text',
      start_at_ms: 'instant',
      usage_key: 'int4',
      user_name: 'text?',
      space_name: 'text?',
      pool_name: 'text?',
      rows: 'count',
      ...stored,
      ...recomputed,
    },
  },
});
const tableSpec = {
  'dirty-rows': {
    params: { startAtMs: 'instant', endAtMs: 'instant' },
    row: { start_at_ms: 'instant', rows: 'count' },
  },
  'digest-differences': {
    params: { starts: 'instant[]' },
    row: {
      start_at_ms: 'instant',
      row_count: 'count',
      held_row_count: 'count',
      digest: 'text',
      held_digest: 'text',
      carry_digest: 'text?',
      held_carry_digest: 'text?',
    },
  },
  'delete-ledger-row': {
    params: { startAtMs: 'instant', endAtMs: 'instant', ifInTheFuture: 'bool' },
    row: {},
  },
  'delete-dirty-rows': { params: { startAtMs: 'instant' }, row: {} },
} as const;
const tableSql = {
  hour: statements('audit', tableSpec, { granularity: 'hour' }),
  day: statements('audit', tableSpec, { granularity: 'day' }),
  week: statements('audit', tableSpec, { granularity: 'week' }),
  month: statements('audit', tableSpec, { granularity: 'month' }),
};

/** Rows of one period that are told; all are counted. */
const ROWS_TOLD = 5;

/** A difference of a whole period: nobody's row, no value. */
const OF_THE_PERIOD = {
  ...{ user: null, space: null, pool: null, column: null, stored: null, recomputed: null },
  rows: 0,
} as const;

/** The rows of the ledger that share an instant with the span. */
export async function readLedgerRows(session: Session, span: Span): Promise<LedgerRow[]> {
  return (await session.rows(sql['ledger-rows'], { ...span })).flatMap((row) => {
    const granularity = GRANULARITIES.find((one) => one === row.granularity);
    if (granularity === undefined) return [];
    return [{ granularity, startAtMs: row.start_at_ms, endAtMs: row.end_at_ms }];
  });
}

/** Rows of usage that no row of the ledger vouches for. */
export interface DirtyRows {
  readonly granularity: Granularity;
  readonly startAtMs: number;
  readonly rows: number;
}

/** Those of periods that begin in the span. One index probe for each period of which there are rows. */
export async function readDirtyRows(session: Session, span: Span): Promise<DirtyRows[]> {
  const found: DirtyRows[] = [];
  for (const granularity of GRANULARITIES) {
    for (const row of await session.rows(tableSql[granularity]['dirty-rows'], { ...span })) {
      found.push({ granularity, startAtMs: row.start_at_ms, rows: row.rows });
    }
  }
  return found;
}

/**
 * How the rows of a chunk's periods differ from the runs, every column of the first five rows of each period. One
 * reading of the runs that began before the chunk ends, and one slice for each period that a run touches.
 */
export async function rowDifferences(
  session: Session,
  { periods, spans }: AuditChunk,
): Promise<AuditDifference[]> {
  const rows = await session.rows(sql['row-differences'], {
    granularities: periods.map((period) => period.granularity),
    starts: periods.map((period) => period.startAtMs),
    froms: periods.map((period) => period.fromAtMs),
    ends: periods.map((period) => period.endAtMs),
    spanStarts: spans.map((span) => span.startAtMs),
    spanEnds: spans.map((span) => span.endAtMs),
    endAtMs: spans.at(-1)?.endAtMs ?? 0,
    rowsTold: ROWS_TOLD,
  });
  const byKey = new Map(periods.map((period) => [periodKey(period), period]));
  return rows.flatMap((row) => {
    const period = byKey.get(`${row.granularity}/${row.start_at_ms}`);
    return period === undefined ? [] : columnDifferences(plainPeriod(period), row);
  });
}

type DifferingRow = Values<(typeof sql)['row-differences']['row']>;

function columnDifferences(period: Period, row: DifferingRow): AuditDifference[] {
  const { user_name: user, space_name: space, pool_name: pool, rows } = row;
  const whose = { ...period, user: user ?? `usage key ${row.usage_key}`, space, pool, rows };
  const differing = COLUMNS.filter((column) => row[column] !== row[`fresh_${column}`]);
  const isMissing = row.run_ms === null;
  const isSurplus = row.fresh_run_ms === null;
  // Of a row that is not there one value says enough.
  const told = isMissing || isSurplus ? COLUMNS.slice(0, 1) : differing;
  const code: AuditCode = isMissing ? 'ROW_MISSING' : isSurplus ? 'ROW_SURPLUS' : 'ROW_DIFFERS';
  return told.map((column) => ({
    ...whose,
    code,
    column,
    stored: row[column]?.toString() ?? null,
    recomputed: row[`fresh_${column}`]?.toString() ?? null,
  }));
}

function plainPeriod({ granularity, startAtMs, endAtMs, label }: AuditedPeriod): Period {
  return { granularity, startAtMs, endAtMs, label };
}

/** Periods whose row of the ledger does not fit their rows of usage: count, digest, digest of the carry. */
export async function digestDifferences(
  session: Session,
  periods: readonly AuditedPeriod[],
): Promise<AuditDifference[]> {
  const found: AuditDifference[] = [];
  for (const granularity of GRANULARITIES) {
    const asked = periods.filter((period) => period.granularity === granularity);
    const starts = asked.map((period) => period.startAtMs);
    const rows = await session.rows(tableSql[granularity]['digest-differences'], { starts });
    for (const row of rows) {
      const period = asked.find(({ startAtMs }) => startAtMs === row.start_at_ms);
      if (period === undefined) continue;
      const values = [
        ['ROW_COUNT_DIFFERS', 'row_count', `${row.row_count}`, `${row.held_row_count}`],
        ['DIGEST_DIFFERS', 'digest', row.digest, row.held_digest],
        ['CARRY_DIGEST_DIFFERS', 'carry_out_digest', row.carry_digest, row.held_carry_digest],
      ] as const;
      for (const [code, column, was, is] of values) {
        if (was === is) continue;
        const what = { code, column, stored: was, recomputed: is };
        found.push({ ...plainPeriod(period), ...OF_THE_PERIOD, ...what });
      }
    }
  }
  return found;
}

/** A period, or what stands in its place, with that code and nothing else. */
export function wholeDifference(period: Period, code: AuditCode, rows: number): AuditDifference {
  return { ...period, ...OF_THE_PERIOD, code, rows };
}

/**
 * Takes exactly this row out of the ledger, if it is still there and, when asked, still ends in the future; their number.
 * Call it under the period's lock.
 */
export async function deleteLedgerRow(
  session: Session,
  { granularity, startAtMs, endAtMs }: LedgerRow,
  ifInTheFuture: boolean,
): Promise<number> {
  const params = { startAtMs, endAtMs, ifInTheFuture };
  return session.execute(tableSql[granularity]['delete-ledger-row'], params);
}

/** Removes the rows of a period that no row of the ledger vouches for; their number. Under the period's lock. */
export async function deleteDirtyRows(
  session: Session,
  { granularity, startAtMs }: Pick<LedgerRow, 'granularity' | 'startAtMs'>,
): Promise<number> {
  return session.execute(tableSql[granularity]['delete-dirty-rows'], { startAtMs });
}
