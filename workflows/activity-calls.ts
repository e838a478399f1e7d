/** How workflows call activities: time-outs and retries (DESIGN section 8). Owns nothing of what they do. */
import { proxyActivities, type ActivityInterfaceFor } from '@temporalio/workflow';
import type { UsageActivities } from '../activities/index.js';
import type { WorkflowLimits } from '../domain/workflow-input.js';

/** Short ones, tried until they succeed: without its database a keeper can only wait. */
export function shortActivities(limits: WorkflowLimits): ActivityInterfaceFor<UsageActivities> {
  return proxyActivities<UsageActivities>({
    startToCloseTimeout: limits.planMs,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s' },
  });
}

/**
 * Builds, which heartbeat and resume by looking at the ledger again. One that is cancelled has ended only when its worker
 * says so: whoever cancels may rely on it that nothing is built any more.
 */
export function buildActivities(limits: WorkflowLimits): ActivityInterfaceFor<UsageActivities> {
  return proxyActivities<UsageActivities>({
    startToCloseTimeout: limits.buildMs,
    heartbeatTimeout: limits.heartbeatMs,
    cancellationType: 'WAIT_CANCELLATION_COMPLETED',
    retry: {
      initialInterval: '1s',
      backoffCoefficient: 2,
      maximumInterval: '60s',
      maximumAttempts: 10,
    },
  });
}
