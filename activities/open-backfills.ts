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
import type { WorkflowLimits } from '../domain/workflow-input.js';
import type { UsageDoor } from './usage-door.js';

/** Those of the open backfills that run now, in time order. */
export async function runningBackfills(
  door: UsageDoor,
  open: readonly Backfill[],
  limits: WorkflowLimits,
): Promise<readonly Backfill[]> {
  const running: Backfill[] = [];
  for (const backfill of open) {
    if (await isKeptRunning(door, backfill, limits)) running.push(backfill);
  }
  return running.sort((a, b) => a.startAtMs - b.startAtMs);
}

async function isKeptRunning(
  door: UsageDoor,
  backfill: Backfill,
  limits: WorkflowLimits,
): Promise<boolean> {
  const status = await statusOf(ids(door.booksName).backfill(backfill.name));
  if (status === 'RUNNING') return true;
  if (status === null && backfill.cancelledAtMs === null) {
    const start = backfillStart(door.booksName, limits, door.calendar, backfill);
    await getClient().workflow.start(start.workflowType, start.options);
    log.warn(`backfill ${backfill.name} was open without a workflow and goes on`, {
      code: 'BACKFILL_RESUMED',
      name: backfill.name,
    });
    return true;
  }
  const outcome = status === 'FAILED' || status === 'TIMED_OUT' ? 'failed' : 'cancelled';
  await door.endBackfill(backfill.name, backfill.periodsFailed, outcome);
  log.warn(
    `backfill ${backfill.name} was open, but its workflow is ${status ?? 'gone'}: it has ended as ${outcome}`,
    { code: 'BACKFILL_ENDED', name: backfill.name },
  );
  return false;
}

/** Null: Temporal does not know the workflow. */
async function statusOf(workflowId: string): Promise<string | null> {
  try {
    return (await getClient().workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return null;
    throw error;
  }
}
