/**
 * Open backfills and their workflows: a backfill keeps its range to itself only while its workflow runs. Owns what
 * happens when it does not: one that Temporal does not know (its database was lost, or the client died before the
 * start) is started again; one that was terminated by hand has ended.
 */
import { getClient, log } from '@temporalio/activity';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Backfill } from '../db/backfill-store.js';
import { backfillStart } from '../domain/backfill-start.js';
import { ids } from '../domain/ids.js';
import { USUAL_LIMITS, type WorkflowLimits } from '../domain/workflow-input.js';
import type { UsageDoor } from './usage-door.js';

type WorkflowHandle = ReturnType<ReturnType<typeof getClient>['workflow']['getHandle']>;

interface Telling {
  /** For those that are started again. */
  readonly limits?: WorkflowLimits;
  /** The first plan after a wake. */
  readonly isFirst: boolean;
}

/** How long a workflow may take to say whether it is paused: no plan waits for a worker that is busy. */
const ANSWER_MS = 5_000;

/**
 * Those of the open backfills that run now, in time order. `isFirst`: what operators want is told to those that have
 * not heard of it.
 */
export async function runningBackfills(
  door: UsageDoor,
  open: readonly Backfill[],
  { limits = USUAL_LIMITS, isFirst }: Telling,
): Promise<readonly Backfill[]> {
  const running: Backfill[] = [];
  for (const backfill of open) {
    const handle = getClient().workflow.getHandle(ids(door.booksName).backfill(backfill.name));
    if (!(await isKeptRunning(door, backfill, limits, handle))) continue;
    if (isFirst) await tellWish(handle, await door.findBackfill(backfill.name));
    running.push(backfill);
  }
  return running.sort((a, b) => a.startAtMs - b.startAtMs);
}

async function isKeptRunning(
  door: UsageDoor,
  backfill: Backfill,
  limits: WorkflowLimits,
  handle: WorkflowHandle,
): Promise<boolean> {
  const status = await statusOf(handle);
  if (status === 'RUNNING') return true;
  if (status === null && backfill.cancelledAtMs === null) {
    return restart(door, backfill, limits, handle);
  }
  // It may have ended since the plan was read.
  if ((await door.findBackfill(backfill.name))?.endedAtMs !== null) return false;
  const ending = status === 'FAILED' || status === 'TIMED_OUT' ? 'failed' : 'cancelled';
  await door.endBackfill(backfill.name, ending);
  log.warn(
    `backfill ${backfill.name} was open, but its workflow is ${status ?? 'gone'}: it has ended as ${ending}`,
    { code: 'BACKFILL_ENDED', name: backfill.name },
  );
  return false;
}

/** Starts it again. False when it has ended or was cancelled before it was started. */
async function restart(
  door: UsageDoor,
  backfill: Backfill,
  limits: WorkflowLimits,
  handle: WorkflowHandle,
): Promise<boolean> {
  const start = backfillStart(door.booksName, limits, door.calendar, backfill);
  await getClient().workflow.start(start.workflowType, start.options);
  const now = await door.findBackfill(backfill.name);
  if (now === null || now.endedAtMs !== null || now.cancelledAtMs !== null) {
    await handle.cancel();
    return false;
  }
  log.warn(`backfill ${backfill.name} was open without a workflow and has one again`, {
    code: 'BACKFILL_RESUMED',
    name: backfill.name,
  });
  return true;
}

/** For a command that ended between its note in PostgreSQL and its word to the workflow. */
async function tellWish(handle: WorkflowHandle, backfill: Backfill | null): Promise<void> {
  if (backfill === null || backfill.endedAtMs !== null) return;
  const isPaused = backfill.pausedAtMs !== null;
  try {
    await getClient().withDeadline(Date.now() + ANSWER_MS, async () => {
      if (backfill.cancelledAtMs !== null) await handle.cancel();
      else if ((await handle.query('isPaused')) !== isPaused)
        await handle.signal('pause', isPaused);
    });
  } catch (error) {
    // Said again at the next wake.
    log.warn(`backfill ${backfill.name} could not be told what is wanted of it`, {
      ...{ code: 'BACKFILL_NOT_TOLD', name: backfill.name },
      reason: error instanceof Error ? error.message : String(error),
    });
  }
}

/** Null: Temporal does not know the workflow. */
async function statusOf(handle: WorkflowHandle): Promise<string | null> {
  try {
    return (await handle.describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
