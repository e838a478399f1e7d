/**
 * Reads usage for reports: sums over the ledger, and stretches computed from the runs. Owns the SQL and the shape
 * of amounts; which pieces are read, and how they add up, is client/usage-report.ts.
 */
import type { Granularity, Span } from '../domain/period.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const sums = {
  run_ms: 'numeric',
  milli_gpu_ms: 'numeric',
  runs_started: 'numeric',
  runs_ended: 'numeric',
  runs_carried_in: 'numeric',
} as const;
const pieces = { starts: 'instant[]', ends: 'instant[]' } as const;
const sumsOfPiece = {
  number: 'int4',
  group_number: 'int4',
  ...sums,
} as const;
const ledgerSpecs = {
  ledger: { params: { ...pieces, groupOfKey: 'int4[]' }, row: sumsOfPiece },
  'ledger-of-few-keys': {
    params: { ...pieces, usageKeys: 'int4[]', groupNumbers: 'int4[]' },
    row: sumsOfPiece,
  },
} as const;
const names = { user: 'text?', space: 'text?', pool: 'text?' } as const;

const sql = statements('usage', {
  keys: {
    params: names,
    row: { usage_key: 'int4', user_name: 'text', space_name: 'text', pool_name: 'text' },
  },
  'known-names': {
    params: names,
    row: { is_user_known: 'bool', is_space_known: 'bool', is_pool_known: 'bool' },
  },
  computed: {
    params: {
      startAtMs: 'instant',
      endAtMs: 'instant',
      fromLedger: 'bool',
      carryKeys: 'int4[]?',
      carryRuns: 'int8[]?',
      carryMilliGpus: 'int8[]?',
    },
    row: {
      usage_key: 'int4',
      run_ms: 'int8',
      milli_gpu_ms: 'int8',
      runs_started: 'int8',
      runs_ended: 'int8',
      runs_carried_in: 'int8',
      milli_gpus_carried_in: 'int8',
      runs_out: 'int8',
      milli_gpus_out: 'int8',
    },
  },
  lengthened: {
    params: {
      startAtMs: 'instant',
      endAtMs: 'instant',
      minimumRunMs: 'count',
      usageKeys: 'int4[]?',
    },
    row: { runs: 'count', lengthened_ms: 'int8' },
  },
});
const ledgerSql = {
  hour: statements('usage', ledgerSpecs, { granularity: 'hour' }),
  day: statements('usage', ledgerSpecs, { granularity: 'day' }),
  week: statements('usage', ledgerSpecs, { granularity: 'week' }),
  month: statements('usage', ledgerSpecs, { granularity: 'month' }),
};

/** Up to so many usage keys are looked up one by one; of more, whole periods are read. */
const FEW_KEYS = 32;

/** Amounts that add up over consecutive spans, except `runsCarriedIn`, which is the first span's. */
export interface Amounts {
  readonly runMs: bigint;
  readonly milliGpuMs: bigint;
  readonly runsStarted: bigint;
  readonly runsEnded: bigint;
  /** Runs that ran on since before the span's start. */
  readonly runsCarriedIn: bigint;
}

function amountsOf(row: Values<Record<keyof typeof sums, 'int8'>>): Amounts {
  return {
    runMs: row.run_ms,
    milliGpuMs: row.milli_gpu_ms,
    runsStarted: row.runs_started,
    runsEnded: row.runs_ended,
    runsCarriedIn: row.runs_carried_in,
  };
}

/** Exact names to which a report is narrowed; null = all. */
export interface NameFilter {
  readonly user: string | null;
  readonly space: string | null;
  readonly pool: string | null;
}

export interface NamedUsageKey {
  readonly usageKey: number;
  readonly user: string;
  readonly space: string;
  readonly pool: string;
}

/** The usage keys that the filter lets through. */
export async function readUsageKeys(
  session: Session,
  filter: NameFilter,
): Promise<NamedUsageKey[]> {
  return (await session.rows(sql.keys, { ...filter })).map((row) => ({
    usageKey: row.usage_key,
    user: row.user_name,
    space: row.space_name,
    pool: row.pool_name,
  }));
}

/** Which of the filter's names no record ever had. */
export async function unknownNames(
  session: Session,
  filter: NameFilter,
): Promise<(keyof NameFilter)[]> {
  const known = await session.one(sql['known-names'], { ...filter });
  return (['user', 'space', 'pool'] as const).filter((field) => !known[`is_${field}_known`]);
}

/** Usage keys gathered into the groups that a report prints; two arrays of one length. */
export interface KeyGroups {
  readonly usageKeys: readonly number[];
  readonly groupNumbers: readonly number[];
}

/** The group of usage key k at index k - 1, -1 for keys of no group. */
function groupOfKey({ usageKeys, groupNumbers }: KeyGroups): number[] {
  const highest = usageKeys.reduce((one, other) => Math.max(one, other), 0);
  const groups = new Array<number>(highest).fill(-1);
  for (const [at, key] of usageKeys.entries()) groups[key - 1] = groupNumbers[at] ?? -1;
  return groups;
}

/** Sums of ledger rows over spans of whole periods, which are given in time order; in no particular order. */
export async function sumLedger<T extends Span>(
  session: Session,
  granularity: Granularity,
  spans: readonly T[],
  groups: KeyGroups,
): Promise<{ span: T; groupNumber: number; amounts: Amounts }[]> {
  const sql = ledgerSql[granularity];
  const starts = spans.map((span) => span.startAtMs);
  const ends = spans.map((span) => span.endAtMs);
  const rows =
    groups.usageKeys.length <= FEW_KEYS
      ? await session.rows(sql['ledger-of-few-keys'], {
          starts,
          ends,
          usageKeys: groups.usageKeys,
          groupNumbers: groups.groupNumbers,
        })
      : await session.rows(sql.ledger, { starts, ends, groupOfKey: groupOfKey(groups) });
  return rows.map((row) => {
    const span = spans[row.number - 1];
    if (span === undefined) throw new RangeError(`there is no span ${row.number}`);
    return { span, groupNumber: row.group_number, amounts: amountsOf(row) };
  });
}

/** What runs at one instant, per usage key; three arrays of one length. */
export interface Carry {
  readonly keys: readonly number[];
  readonly runs: readonly bigint[];
  readonly milliGpus: readonly bigint[];
}

/** Usage of one key in a computed stretch, and what ran at its two ends. */
export interface ComputedUsage extends Amounts {
  readonly usageKey: number;
  readonly milliGpusCarriedIn: bigint;
  readonly runsOut: bigint;
  readonly milliGpusOut: bigint;
}

/**
 * Usage of `[startAtMs, endAtMs)` from the runs, per usage key. `startAtMs` is a whole minute. What ran at the start
 * is the given carry; without one (null) that of the ledger hour that ends there when `fromLedger`, else a scan.
 */
export async function computeUsage(
  session: Session,
  span: Span,
  fromLedger: boolean,
  carry: Carry | null,
): Promise<ComputedUsage[]> {
  const rows = await session.rows(sql.computed, {
    startAtMs: span.startAtMs,
    endAtMs: span.endAtMs,
    fromLedger,
    carryKeys: carry?.keys ?? null,
    carryRuns: carry?.runs ?? null,
    carryMilliGpus: carry?.milliGpus ?? null,
  });
  return rows.map((row) => ({
    usageKey: row.usage_key,
    ...amountsOf(row),
    milliGpusCarriedIn: row.milli_gpus_carried_in,
    runsOut: row.runs_out,
    milliGpusOut: row.milli_gpus_out,
  }));
}

/**
 * Runs that touch the span and that the minimum made longer than reported, and by how much altogether.
 * `usageKeys`: only theirs; null = all.
 */
export async function readLengthened(
  session: Session,
  span: Span,
  minimumRunMs: number,
  usageKeys: readonly number[] | null,
): Promise<{ runs: number; lengthenedMs: bigint }> {
  const row = await session.one(sql.lengthened, { ...span, minimumRunMs, usageKeys });
  return { runs: row.runs, lengthenedMs: row.lengthened_ms };
}
