/**
 * A tick's work: wakes the keeper, or begins the books. Owns the first run (S0 3.4): books without an origin get the
 * start of the current hour, nothing is built, and a warning says how to include what is older.
 */
import { getClient, log } from '@temporalio/activity';
import { keeperWake, type TickInput } from '../domain/workflow-input.js';
import { instantText } from '../domain/units.js';
import type { UsageDoor } from './usage-door.js';

export interface WakeOutcome {
  /** In words for people. */
  readonly outcome: string;
}

/** Signals the keeper, starting it when it does not run; on the first run sets the origin instead. */
export async function wakeKeeper(door: UsageDoor, request: TickInput): Promise<WakeOutcome> {
  const { originAtMs } = await door.readBooks();
  if (originAtMs === null) return beginBooks(door);
  const wake = keeperWake(request);
  await getClient().workflow.signalWithStart(wake.workflowType, wake.options);
  return { outcome: `the keeper is awake for periods up to the ${request.coarsest}` };
}

async function beginBooks(door: UsageDoor): Promise<WakeOutcome> {
  const hourAtMs = door.calendar.startOf('hour', await door.requireClock());
  const originAtMs = await door.beginBooks(hourAtMs);
  const olderRuns = await door.countRunsStartedBefore(originAtMs);
  const olderHours = await hoursOfOlderRuns(door, originAtMs);
  const outcome =
    `first run: the books are kept from ${instantText(originAtMs)}, nothing is built yet` +
    (olderRuns === 0
      ? ''
      : `; ${olderRuns} older runs in ${olderHours} hours are not included: jobhours backfill create --start oldest`);
  log.warn(outcome, { code: 'FIRST_RUN', originAtMs, olderRuns, olderHours });
  return { outcome };
}

/** How many hours a backfill from the oldest run to the origin builds; 0 without older runs. */
async function hoursOfOlderRuns(door: UsageDoor, originAtMs: number): Promise<number> {
  const firstAtMs = await door.firstRunAtMs();
  if (firstAtMs === null || firstAtMs >= originAtMs) return 0;
  const startAtMs = door.calendar.startOf('hour', firstAtMs);
  return door.calendar.countWithin('hour', { startAtMs, endAtMs: originAtMs });
}
