/** Waking the keeper: what an import or a correction does once, after its last commit. */
import type { Granularity } from '../domain/period.js';
import { keeperWake, USUAL_LIMITS, type WorkflowLimits } from '../domain/workflow-input.js';
import type { TemporalClient } from './temporal.js';

/** Tells the keeper of some books that periods up to `coarsest` may be missing or stale; starts it if need be. */
export async function wakeKeeper(
  { client }: TemporalClient,
  booksName: string,
  coarsest: Granularity,
  limits: WorkflowLimits = USUAL_LIMITS,
): Promise<void> {
  const wake = keeperWake({ booksName, coarsest, limits });
  await client.workflow.signalWithStart(wake.workflowType, wake.options);
}
