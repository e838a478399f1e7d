/**
 * Reads what the ledger says: ranges, stale periods, failures. Owns the comparison of digests; what readers may
 * take is domain/ledger.ts, what to build is domain/plan.ts, building is db/period-builder.ts.
 */
import type { LedgerState, StalePeriod } from '../domain/ledger.js';
import { GRANULARITIES, type Granularity, type Span } from '../domain/period.js';
import { databaseNowMs } from './books-store.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const seamRow = {
  granularity: 'text',
  previous_end_at_ms: 'instant?',
  start_at_ms: 'instant?',
  end_at_ms: 'instant?',
  label: 'text?',
  mark_from_ms: 'instant?',
  built_from: 'text?',
  now_is: 'text?',
} as const;
const hour = { start_at_ms: 'instant', end_at_ms: 'instant', label: 'text' } as const;

const sql = statements('ledger', {
  seams: { params: {}, row: seamRow },
  'hours-with-marks': { params: {}, row: { ...hour, marks: 'count', newest: 'int8' } },
  'changed-after-holes': {
    params: { starts: 'instant[]', builtFrom: 'text[]' },
    row: { start_at_ms: 'instant', now_is: 'text' },
  },
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

/** A place where two periods of a granularity do not fit together, or where there is only one. */
interface Seam {
  readonly granularity: Granularity;
  /** Where a period ends; null when none ends here. */
  readonly endsAtMs: number | null;
  /** The period that starts here; null when none does. */
  readonly next:
    (HourRow & { readonly markFromMs: number | null; readonly builtFrom: string }) | null;
  readonly nowIs: string;
}

function seamOf(row: Values<typeof seamRow>): Seam {
  const { start_at_ms, end_at_ms, label } = row;
  return {
    granularity: granularityOf(row.granularity),
    endsAtMs: row.previous_end_at_ms,
    next:
      start_at_ms === null || end_at_ms === null || label === null
        ? null
        : {
            ...{ start_at_ms, end_at_ms, label },
            markFromMs: row.mark_from_ms,
            builtFrom: row.built_from ?? '',
          },
    nowIs: row.now_is ?? '',
  };
}

/**
 * Where periods are, consecutive ones merged: a range begins at a seam with nothing before it and ends at one with nothing
 * after. A row that overlaps others (planted by hand; `periods check --deep` names it) takes none of them away.
 */
function rangesOf(seams: readonly Seam[]): Record<Granularity, Span[]> {
  const ranges: Record<Granularity, Span[]> = { hour: [], day: [], week: [], month: [] };
  const open: Record<Granularity, number[]> = { hour: [], day: [], week: [], month: [] };
  for (const { granularity, endsAtMs, next } of seams) {
    const starts = open[granularity];
    if (endsAtMs === null && next !== null) starts.push(next.start_at_ms);
    if (endsAtMs === null || next !== null) continue;
    const startAtMs = starts.pop();
    if (startAtMs !== undefined && starts.length === 0) {
      ranges[granularity].push({ startAtMs, endAtMs: endsAtMs });
    }
  }
  return ranges;
}

/** Every stale hour once, the first reason found for it, in time order. */
async function staleHours(session: Session, seams: readonly Seam[]): Promise<StalePeriod[]> {
  const marked = (await session.rows(sql['hours-with-marks'], {})).map((row) =>
    stale(row, 'hour', 'mark', `${row.marks}/${row.newest}`),
  );
  const hours = seams.filter(({ granularity }) => granularity === 'hour');
  const chained = hours.flatMap(({ endsAtMs, next, nowIs }) =>
    endsAtMs === null || next === null
      ? []
      : [stale(next, 'hour', 'carry', `${next.builtFrom}/${nowIs}`)],
  );
  const byStart = new Map<number, StalePeriod>();
  for (const period of [...(await changedAfterHoles(session, hours)), ...chained, ...marked]) {
    byStart.set(period.startAtMs, period);
  }
  return [...byStart.values()].sort((a, b) => a.startAtMs - b.startAtMs);
}

/** Hours that follow a hole and whose carry changed. The first hour of the books follows none: all earlier marks are its own. */
async function changedAfterHoles(session: Session, hours: readonly Seam[]): Promise<StalePeriod[]> {
  const seeds = hours.flatMap(({ endsAtMs, next }) =>
    endsAtMs === null && next !== null && next.markFromMs === next.start_at_ms ? [next] : [],
  );
  if (seeds.length === 0) return [];
  const changed = await session.rows(sql['changed-after-holes'], {
    starts: seeds.map((seed) => seed.start_at_ms),
    builtFrom: seeds.map((seed) => seed.builtFrom),
  });
  const nowIs = new Map(changed.map((row) => [row.start_at_ms, row.now_is]));
  return seeds.flatMap((seed) => {
    const now = nowIs.get(seed.start_at_ms);
    return now === undefined ? [] : [stale(seed, 'hour', 'hole', `${seed.builtFrom}/${now}`)];
  });
}

/**
 * The whole ledger at one instant. Where it must agree with other reads, or with itself to the last bit, call it in a
 * REPEATABLE READ transaction.
 */
export async function readLedgerState(session: Session): Promise<LedgerState> {
  const nowMs = await databaseNowMs(session);
  const seams = (await session.rows(sql.seams, {})).map(seamOf);
  const coarse = (await session.rows(sql['coarse-with-other-parts'], {})).map((row) =>
    stale(row, granularityOf(row.granularity), 'parts', row.now_is),
  );
  return {
    nowMs,
    ranges: rangesOf(seams),
    stale: [...(await staleHours(session, seams)), ...coarse],
  };
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
