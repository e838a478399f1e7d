/**
 * Reads what the ledger says: ranges, stale periods, failures. Owns the comparison of digests; what readers may
 * take is domain/ledger.ts, what to build is domain/plan.ts, building is db/period-builder.ts.
 */
import type { LedgerState, StalePeriod } from '../domain/ledger.js';
import { GRANULARITIES, type Granularity, type Span } from '../domain/period.js';
import { databaseNowMs } from './books-store.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

const hour = { start_at_ms: 'instant', end_at_ms: 'instant', label: 'text' } as const;

const sql = statements('ledger', {
  ranges: {
    params: {},
    row: { granularity: 'text', start_at_ms: 'instant', end_at_ms: 'instant' },
  },
  'hours-with-marks': { params: {}, row: { ...hour, marks: 'count', newest: 'int8' } },
  'hours-with-other-carry': { params: {}, row: { ...hour, built_from: 'text', now_is: 'text' } },
  'hours-after-changed-holes': { params: {}, row: { ...hour, built_from: 'text', now_is: 'text' } },
  'coarse-with-other-parts': { params: {}, row: { granularity: 'text', ...hour, now_is: 'text' } },
  failures: {
    params: {},
    row: {
      granularity: 'text',
      start_at_ms: 'instant',
      label: 'text',
      at_ms: 'instant',
      code: 'text',
      sqlstate: 'text?',
      detail: 'text',
    },
  },
  'insert-failure': {
    params: {
      granularity: 'text',
      startAtMs: 'instant',
      label: 'text',
      code: 'text',
      sqlstate: 'text?',
      detail: 'text',
      workflowId: 'text?',
      runId: 'text?',
    },
    row: {},
  },
});

interface HourRow {
  readonly start_at_ms: number;
  readonly end_at_ms: number;
  readonly label: string;
}

function stale(
  row: HourRow,
  granularity: Granularity,
  reason: StalePeriod['reason'],
  fingerprint: string,
): StalePeriod {
  return {
    granularity,
    startAtMs: row.start_at_ms,
    endAtMs: row.end_at_ms,
    label: row.label,
    reason,
    fingerprint: `${reason}:${fingerprint}`,
  };
}

/** Every stale hour once, the first reason found for it, in time order. */
async function staleHours(session: Session): Promise<StalePeriod[]> {
  const marked = (await session.rows(sql['hours-with-marks'], {})).map((row) =>
    stale(row, 'hour', 'mark', `${row.marks}/${row.newest}`),
  );
  const chained = (await session.rows(sql['hours-with-other-carry'], {})).map((row) =>
    stale(row, 'hour', 'carry', `${row.built_from}/${row.now_is}`),
  );
  const afterHoles = (await session.rows(sql['hours-after-changed-holes'], {})).map((row) =>
    stale(row, 'hour', 'hole', `${row.built_from}/${row.now_is}`),
  );
  const byStart = new Map<number, StalePeriod>();
  for (const period of [...afterHoles, ...chained, ...marked])
    byStart.set(period.startAtMs, period);
  return [...byStart.values()].sort((a, b) => a.startAtMs - b.startAtMs);
}

/**
 * The whole ledger at one instant. Where it must agree with other reads, or with itself to the last bit, call it in a
 * REPEATABLE READ transaction.
 */
export async function readLedgerState(session: Session): Promise<LedgerState> {
  const nowMs = await databaseNowMs(session);
  const ranges: Record<Granularity, Span[]> = { hour: [], day: [], week: [], month: [] };
  for (const row of await session.rows(sql.ranges, {})) {
    ranges[granularityOf(row.granularity)].push({
      startAtMs: row.start_at_ms,
      endAtMs: row.end_at_ms,
    });
  }
  const coarse = (await session.rows(sql['coarse-with-other-parts'], {})).map((row) =>
    stale(row, granularityOf(row.granularity), 'parts', row.now_is),
  );
  return { nowMs, ranges, stale: [...(await staleHours(session)), ...coarse] };
}

function granularityOf(text: string): Granularity {
  const found = GRANULARITIES.find((granularity) => granularity === text);
  if (found === undefined) throw new RangeError(`granularity ${text}`);
  return found;
}

/** A failure to build a period. */
export interface PeriodFailure {
  readonly granularity: Granularity;
  readonly startAtMs: number;
  readonly label: string;
  readonly atMs: number;
  readonly code: string;
  readonly sqlstate: string | null;
  readonly detail: string;
}

/** The newest failure of each period that failed after it was last aggregated (S0 4.1: jobFailed). */
export async function currentFailures(session: Session): Promise<PeriodFailure[]> {
  return (await session.rows(sql.failures, {})).map((row) => ({
    granularity: granularityOf(row.granularity),
    startAtMs: row.start_at_ms,
    label: row.label,
    atMs: row.at_ms,
    code: row.code,
    sqlstate: row.sqlstate,
    detail: row.detail,
  }));
}

export interface NewFailure extends Omit<PeriodFailure, 'atMs'> {
  readonly workflowId: string | null;
  readonly runId: string | null;
}

/** Records that a period could not be built. */
export async function recordFailure(session: Session, failure: NewFailure): Promise<void> {
  await session.execute(sql['insert-failure'], { ...failure });
}
