/**
 * Builds one period in one transaction (DESIGN section 6, ledger.md A1 to A6): lock, delete its marks, one
 * statement that reads and writes everything, checks, commit, read back. Owns the order of these steps;
 * which periods to build, and in what order, is decided above.
 */
import { JobhoursError } from '../domain/errors.js';
import { PART_OF, type Granularity, type Period } from '../domain/period.js';
import { instantText } from '../domain/units.js';
import type { Database, Session, Transaction } from './database.js';
import { lockPeriod } from './period-lock.js';
import { statements } from './statement.js';

const built = {
  digest: 'bytea',
  row_count: 'count',
  rows_written: 'count',
  rows_removed: 'count',
} as const;
const periodParams = { startAtMs: 'instant', endAtMs: 'instant', label: 'text' } as const;
const dirty = { params: { startAtMs: 'instant' }, row: {} } as const;

const hourSql = statements('period-hour', {
  'read-frame': {
    params: { granularity: 'text', startAtMs: 'instant' },
    row: { origin_at_ms: 'instant?', now_ms: 'instant', is_built: 'bool' },
  },
  'delete-marks': { params: { fromMs: 'instant', toMs: 'instant' }, row: {} },
  'delete-dirty-rows': dirty,
  build: {
    params: { ...periodParams, markFromMs: 'instant', isNew: 'bool' },
    row: { ...built, successor_is_stale: 'bool' },
  },
  'read-back': {
    params: { granularity: 'text', startAtMs: 'instant' },
    row: { digest: 'bytea', aggregated_at_ms: 'instant' },
  },
});

const coarseSpecs = {
  'delete-dirty-rows': dirty,
  build: {
    params: { ...periodParams, isNew: 'bool' },
    row: { ...built, part_starts: 'instant[]' },
  },
  verify: {
    params: { startAtMs: 'instant', partStarts: 'instant[]' },
    row: {
      run_ms: 'numeric',
      milli_gpu_ms: 'numeric',
      parts_run_ms: 'numeric',
      parts_milli_gpu_ms: 'numeric',
    },
  },
} as const;
const coarseSql = {
  day: statements('period-coarse', coarseSpecs, { coarse: 'day', part: 'hour' }),
  week: statements('period-coarse', coarseSpecs, { coarse: 'week', part: 'day' }),
  month: statements('period-coarse', coarseSpecs, { coarse: 'month', part: 'day' }),
};

/** What one build did. */
export interface BuildResult {
  /** sha256 over the rows that the period now holds. */
  readonly digest: Buffer;
  readonly rowCount: number;
  readonly rowsWritten: number;
  readonly rowsRemoved: number;
  /** Rows that lay there without a ledger row (S0 3.2: dirty data); removed before anything else. */
  readonly dirtyRowsRemoved: number;
  /** Hours: the next ledger hour was built from another carry and is stale now. False for coarser periods. */
  readonly successorIsStale: boolean;
}

export interface BuildOptions {
  /** Coarser periods: starts of the parts that must be in the ledger, in time order (ledger.md A5). */
  readonly expectedPartStarts?: readonly number[];
  /** Do not wait for the disk at commit: demo books only. */
  readonly asynchronousCommit?: boolean;
  /** Called after each step inside the transaction, for tests that kill or interleave there. */
  readonly afterStep?: (step: string) => Promise<void> | void;
}

/**
 * Builds one period. PERIOD_OPEN when it is not over yet by the database clock; REPLAN when a part is missing or
 * another transaction was there first (23514, 40001, 23505, 40P01); COMMIT_UNVERIFIED when the ledger row is
 * not there after the commit. On any error nothing has changed.
 */
export async function buildPeriod(
  database: Database,
  period: Period,
  options: BuildOptions = {},
): Promise<BuildResult> {
  const result = await database.transaction(
    { asynchronousCommit: options.asynchronousCommit ?? false, plansOnce: true },
    async (transaction) => {
      await lockPeriod(transaction, period.granularity, period.startAtMs);
      await options.afterStep?.('lock');
      return period.granularity === 'hour'
        ? buildHour(transaction, period, options)
        : buildCoarse(transaction, period, period.granularity, options);
    },
  );
  await readBack(database, period);
  return result;
}

/** What a build must know before it writes. */
interface Frame {
  readonly originAtMs: number | null;
  /** Not in the ledger. */
  readonly isNew: boolean;
}

async function readFrame(session: Session, period: Period): Promise<Frame> {
  const { granularity, startAtMs } = period;
  const frame = await session.one(hourSql['read-frame'], { granularity, startAtMs });
  if (period.endAtMs > frame.now_ms) {
    throw new JobhoursError(
      'PERIOD_OPEN',
      `${period.granularity} ${period.label} ends at ${instantText(period.endAtMs)}; the database clock says ${instantText(frame.now_ms)}`,
    );
  }
  return { originAtMs: frame.origin_at_ms, isNew: !frame.is_built };
}

async function buildHour(
  transaction: Transaction,
  period: Period,
  options: BuildOptions,
): Promise<BuildResult> {
  const { startAtMs, endAtMs, label } = period;
  const { originAtMs, isNew } = await readFrame(transaction, period);
  // The first hour of the books owns every earlier mark: nobody else would ever delete them (ledger.md A4).
  const isFirst = originAtMs !== null && startAtMs <= originAtMs;
  const markFromMs = isFirst ? 0 : startAtMs;
  await transaction.execute(hourSql['delete-marks'], { fromMs: markFromMs, toMs: endAtMs });
  await options.afterStep?.('delete-marks');
  const dirtyRowsRemoved = await transaction.execute(hourSql['delete-dirty-rows'], { startAtMs });
  await options.afterStep?.('delete-dirty-rows');
  const values = { startAtMs, endAtMs, label, markFromMs, isNew };
  const row = await transaction.one(hourSql.build, values);
  await options.afterStep?.('build');
  return {
    digest: row.digest,
    rowCount: row.row_count,
    rowsWritten: row.rows_written,
    rowsRemoved: row.rows_removed,
    dirtyRowsRemoved,
    successorIsStale: row.successor_is_stale,
  };
}

async function buildCoarse(
  transaction: Transaction,
  period: Period,
  granularity: Exclude<Granularity, 'hour'>,
  options: BuildOptions,
): Promise<BuildResult> {
  const sql = coarseSql[granularity];
  const { startAtMs, endAtMs, label } = period;
  const { isNew } = await readFrame(transaction, period);
  const dirtyRowsRemoved = await transaction.execute(sql['delete-dirty-rows'], { startAtMs });
  await options.afterStep?.('delete-dirty-rows');
  const row = await transaction.one(sql.build, { startAtMs, endAtMs, label, isNew });
  await options.afterStep?.('build');
  requireParts(period, row.part_starts, options.expectedPartStarts ?? []);
  const sums = await transaction.one(sql.verify, { startAtMs, partStarts: row.part_starts });
  if (sums.run_ms !== sums.parts_run_ms || sums.milli_gpu_ms !== sums.parts_milli_gpu_ms) {
    throw new JobhoursError(
      'REPLAN',
      `${granularity} ${label} holds ${sums.run_ms} ms and ${sums.milli_gpu_ms} milli-GPU-ms, its parts ${sums.parts_run_ms} and ${sums.parts_milli_gpu_ms}`,
    );
  }
  return {
    digest: row.digest,
    rowCount: row.row_count,
    rowsWritten: row.rows_written,
    rowsRemoved: row.rows_removed,
    dirtyRowsRemoved,
    successorIsStale: false,
  };
}

function requireParts(period: Period, found: readonly number[], expected: readonly number[]): void {
  if (found.length === expected.length && found.every((start, at) => start === expected[at]))
    return;
  const missing = expected.find((start) => !found.includes(start));
  throw new JobhoursError(
    'REPLAN',
    `${period.granularity} ${period.label} is made of ${expected.length} ${PART_OF[period.granularity]}s, the ledger has ${found.length}` +
      (missing === undefined ? '' : `; the first missing one starts at ${instantText(missing)}`),
  );
}

async function readBack(database: Database, period: Period): Promise<void> {
  const { granularity, startAtMs, label } = period;
  const row = await database.maybeOne(hourSql['read-back'], { granularity, startAtMs });
  if (row === null) {
    throw new JobhoursError(
      'COMMIT_UNVERIFIED',
      `${granularity} ${label} was committed but is not in the ledger`,
    );
  }
}
