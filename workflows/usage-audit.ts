/** The daily audit. Owns nothing: what is compared, and writing it down, is the activity's. */
import { setCurrentDetails } from '@temporalio/workflow';
import type { AuditOutcome } from '../activities/index.js';
import type { AuditInput } from '../domain/audit.js';
import { buildActivities } from './activity-calls.js';

/** Recomputes a sample of the books from the runs. Findings are a result, no failure: the log and `audit` have them. */
export async function usageAudit(input: AuditInput): Promise<AuditOutcome> {
  const audited = await buildActivities(input.limits).audit(input);
  setCurrentDetails(audited.outcome);
  return audited;
}
