/**
 * Creating backfills and waiting for them. Owns that creating one is a single transaction with its move
 * of the origin, and that creating it again after a crash heals it; the work is the workflow's,
 * looking at one is client/backfill-view.ts.
 */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/common';
import {
  findBackfill,
  insertBackfill,
  lockBackfillCreation,
  type Backfill,
} from '../db/backfill-store.js';
import { moveOrigin, readBooks, type Books } from '../db/books-store.js';
import type { Database, Transaction } from '../db/database.js';
import { lockPeriod } from '../db/period-lock.js';
import { backfillStart } from '../domain/backfill-start.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { ids } from '../domain/ids.js';
import { quotedValue } from '../domain/quoted-value.js';
import type { Settings } from '../domain/settings.js';
import { limitsOf, type WorkflowLimits } from '../domain/workflow-input.js';
import type { backfill as backfillWorkflow } from '../workflows/index.js';
import {
  rangeOf,
  requireNearRecords,
  requireValid,
  usualName,
  type BackfillRequest,
} from './backfill-request.js';
import { countHours, progressOf, requireBackfill, type BackfillProgress } from './backfill-view.js';
import { requireWorker, type TemporalClient } from './temporal.js';

export type { BackfillRequest } from './backfill-request.js';
export { listBackfills, type Backfill, type BackfillProgress } from './backfill-view.js';

/** Whose backfills they are. */
export interface BackfillContext {
  readonly database: Database;
  readonly books: Books;
  readonly calendar: Calendar;
  readonly settings: Pick<
    Settings,
    'graceMs' | 'planTimeoutMs' | 'heartbeatTimeoutMs' | 'buildTimeoutMs'
  >;
  /** Absent: what the settings say. */
  readonly limits?: WorkflowLimits;
}

/**
 * Stores the backfill, sets or moves the origin to its start (never to the future), and starts its workflow. With
 * the name of a stored one and the same range it joins that one, starting its workflow again if it is open and
 * does not run. BACKFILL_EXISTS when the range differs; NO_WORKER; else as `rangeOf`.
 */
export async function createBackfill(
  temporal: TemporalClient,
  context: BackfillContext,
  request: BackfillRequest,
): Promise<Backfill> {
  requireValid(request);
  await requireWorker(temporal, ids(context.books.name).usageQueue);
  const stored = await context.database.transaction({}, (transaction) =>
    store(transaction, context, request),
  );
  if (isWanted(stored)) await startWorkflow(temporal, context, stored);
  return stored;
}

async function store(
  transaction: Transaction,
  { calendar, settings }: BackfillContext,
  request: BackfillRequest,
): Promise<Backfill> {
  await lockBackfillCreation(transaction);
  const existing = request.name === null ? null : await findBackfill(transaction, request.name);
  if (existing !== null) {
    requireSame(existing, calendar, request);
    return existing;
  }
  const { graceMs } = settings;
  const { startAtMs, endAtMs, nowMs } = await rangeOf(transaction, { calendar, graceMs }, request);
  await widenBooks(transaction, request, startAtMs);
  const name = request.name ?? usualName(nowMs);
  const { lanes, reprocess } = request;
  await insertBackfill(transaction, {
    ...{ name, startAtMs, endAtMs, lanes, reprocess },
    createdAtMs: nowMs,
  });
  return requireBackfill(await findBackfill(transaction, name), name);
}

/**
 * The old first hour owned every earlier mark; its lock keeps a builder from judging by the old origin while that
 * changes (ledger.md A4).
 */
async function widenBooks(
  transaction: Transaction,
  request: BackfillRequest,
  startAtMs: number,
): Promise<void> {
  const { originAtMs } = (await readBooks(transaction)) ?? { originAtMs: null };
  await requireNearRecords(transaction, request, startAtMs, originAtMs);
  if (originAtMs !== null && originAtMs > startAtMs) {
    await lockPeriod(transaction, 'hour', originAtMs);
  }
  await moveOrigin(transaction, startAtMs);
}

/** Bounds that were not given fit whatever is stored: `now` has moved since. */
function requireSame(existing: Backfill, calendar: Calendar, request: BackfillRequest): void {
  const { start, end, reprocess } = request;
  const isSame =
    (start === 'oldest' || calendar.startOf('hour', start) === existing.startAtMs) &&
    (end === 'now' || calendar.periodAt('hour', end - 1).endAtMs === existing.endAtMs) &&
    reprocess === existing.reprocess;
  if (isSame) return;
  throw new JobhoursError(
    'BACKFILL_EXISTS',
    `backfill ${quotedValue(existing.name)} is for ${calendar.localText(existing.startAtMs)} to ${calendar.localText(existing.endAtMs)}, --reprocess ${existing.reprocess}: give another --name`,
  );
}

const isWanted = ({ endedAtMs, cancelledAtMs }: Backfill): boolean =>
  endedAtMs === null && cancelledAtMs === null;

/** Starts it unless it runs or has completed. One that was cancelled meanwhile, when there was nothing to cancel, is. */
async function startWorkflow(
  { client }: TemporalClient,
  { database, books, calendar, settings, limits }: BackfillContext,
  backfill: Backfill,
): Promise<void> {
  const start = backfillStart(books.name, limits ?? limitsOf(settings), calendar, backfill);
  try {
    await client.workflow.start<typeof backfillWorkflow>(start.workflowType, start.options);
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return;
    throw error;
  }
  const now = requireBackfill(await findBackfill(database, backfill.name), backfill.name);
  if (!isWanted(now)) await client.workflow.getHandle(start.options.workflowId).cancel();
}

const LOOK_EVERY_MS = 300;
/** PostgreSQL says how far it is; Temporal is asked now and then whether anybody works on it. */
const LOOKS_PER_STATUS = 10;

/**
 * Returns the backfill when it has ended, however it ended. UNEXPECTED when its workflow is gone while it is open
 * (terminated by hand). One that Temporal lost is started again; while Temporal does not answer, it is waited for.
 */
export async function waitForBackfill(
  temporal: TemporalClient,
  context: BackfillContext,
  name: string,
  onProgress: (progress: BackfillProgress, backfill: Backfill) => void,
): Promise<Backfill> {
  const { database, calendar } = context;
  const look = async (): Promise<Backfill> =>
    requireBackfill(await findBackfill(database, name), name);
  const hours = countHours(calendar, await look());
  for (let looks = 1; ; looks += 1) {
    const backfill = await look();
    onProgress(await progressOf(database, backfill, hours), backfill);
    if (backfill.endedAtMs !== null) return backfill;
    if (looks % LOOKS_PER_STATUS === 0) {
      const status = await statusOf(temporal, ids(context.books.name).backfill(name));
      const isOver = status === 'over' && (await look()).endedAtMs === null;
      if (isOver) throw interrupted(name);
      if (status === 'lost') await startWorkflow(temporal, context, backfill);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function statusOf(
  { client }: TemporalClient,
  workflowId: string,
): Promise<'running' | 'over' | 'lost' | 'unknown'> {
  try {
    const { status } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? 'running' : 'over';
  } catch (error) {
    return error instanceof WorkflowNotFoundError ? 'lost' : 'unknown';
  }
}

function interrupted(name: string): JobhoursError {
  return new JobhoursError(
    'UNEXPECTED',
    `the workflow of backfill ${name} ended without an outcome: somebody terminated it; go on with it: jobhours backfill create --name ${quotedValue(name)} --wait`,
  );
}
