/**
 * A refusal of the clock where people look: in `period_failure`, at the newest hour that is due and missing. Owns that it
 * is written once for each request and that nothing good is called failed; the check itself is db/clock.ts.
 */
import { activityInfo, log } from '@temporalio/activity';
import { isJobhoursError } from '../domain/errors.js';
import { dueEndAtMs } from '../domain/reach.js';
import { covers } from '../domain/spans.js';
import type { UsageDoor } from './usage-door.js';

/** CLOCK_SKEW when this machine's clock is more than 5 minutes away from the database's. */
export async function requireClock(door: UsageDoor): Promise<void> {
  try {
    await door.requireClock();
  } catch (error) {
    const isFirst = activityInfo().attempt === 1;
    if (isFirst && isJobhoursError(error, 'CLOCK_SKEW')) await note(door, error.message);
    throw error;
  }
}

async function note(door: UsageDoor, detail: string): Promise<void> {
  const { workflowExecution } = activityInfo();
  log.error(`nothing is planned or built: ${detail}`, { code: 'CLOCK_SKEW' });
  const { books, ledger } = await door.planningState();
  const moment = { calendar: door.calendar, nowMs: ledger.nowMs, graceMs: door.graceMs };
  const hour = door.calendar.periodAt('hour', dueEndAtMs(moment, 'hour') - 1);
  const isExpected = books.originAtMs !== null && hour.endAtMs > books.originAtMs;
  if (!isExpected || covers(ledger.ranges.hour, hour)) return;
  await door.recordFailure({
    ...{ granularity: 'hour', startAtMs: hour.startAtMs, label: hour.label },
    ...{ code: 'CLOCK_SKEW', detail, sqlstate: null },
    workflowId: workflowExecution?.workflowId ?? null,
    runId: workflowExecution?.runId ?? null,
  });
}
