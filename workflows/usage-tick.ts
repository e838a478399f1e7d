/** What a Schedule starts. Owns nothing: the calendar decides what is due, the keeper mends. */
import { setCurrentDetails } from '@temporalio/workflow';
import type { WakeOutcome } from '../activities/index.js';
import type { TickInput } from '../domain/workflow-input.js';
import { shortActivities } from './activity-calls.js';

/** Wakes the keeper for periods up to `coarsest`; on the first run the books begin instead. */
export async function usageTick(input: TickInput): Promise<WakeOutcome> {
  const woken = await shortActivities(input.limits).wakeKeeper(input);
  setCurrentDetails(woken.outcome);
  return woken;
}
