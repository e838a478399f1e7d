/**
 * The daily audit as an activity. Owns heartbeats, cancellation and the one line of the log; what is compared is
 * db/period-audit.ts.
 */
import { Context, log } from '@temporalio/activity';
import { findingText, type AuditInput, type AuditReport } from '../domain/audit.js';
import { GRANULARITIES } from '../domain/period.js';
import type { UsageDoor } from './usage-door.js';

/** One chunk of many runs takes longer than a heartbeat time-out; cancellation comes with heartbeats. */
const HEARTBEAT_EVERY_MS = 2_000;
/** Findings that are told by name. */
const TOLD = 3;

export interface AuditOutcome {
  /** In words for people. */
  readonly outcome: string;
  readonly periodsChecked: number;
  readonly periodsWrong: number;
}

/** Audits a sample and writes it to `audit`. A cancellation stops it between two chunks; then nothing is written. */
export async function audit(door: UsageDoor, { sample }: AuditInput): Promise<AuditOutcome> {
  const context = Context.current();
  let reached = { done: 0, of: 0 };
  const timer = setInterval(() => context.heartbeat(reached), HEARTBEAT_EVERY_MS);
  try {
    const report = await door.audit(sample, {
      onProgress: (progress) => {
        reached = progress;
        context.heartbeat(reached);
      },
      isCancelled: () => context.cancellationSignal.aborted,
    });
    return told(report);
  } catch (error) {
    // Rejects with Temporal's own failure, which tells a cancellation from a worker that shuts down.
    if (context.cancellationSignal.aborted) await context.cancelled;
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function told(report: AuditReport): AuditOutcome {
  const { checked, periodsWrong, findings, seed, sample } = report;
  const wrong = periodsWrong === 1 ? '1 period is wrong' : `${periodsWrong} periods are wrong`;
  const counts = GRANULARITIES.map((granularity) => `${checked[granularity]} ${granularity}s`);
  const drawn = `${counts.join(', ')} (sample ${sample ?? 'all'}, seed ${seed})`;
  const periodsChecked = GRANULARITIES.reduce((sum, one) => sum + checked[one], 0);
  if (periodsWrong === 0) {
    const outcome = `audit: ok, ${drawn}`;
    log.info(outcome, { periodsChecked });
    return { outcome, periodsChecked, periodsWrong };
  }
  const first = findings.slice(0, TOLD).map((one) => `${findingText(one)}; ${one.mend}`);
  const outcome = `audit: ${wrong}, of ${drawn}`;
  log.warn(`${outcome}: ${first.join('; ')}; all of them: jobhours periods check --deep`, {
    ...{ code: 'AUDIT_FAILED', periodsChecked, periodsWrong },
    findings: findings.length,
  });
  return { outcome, periodsChecked, periodsWrong };
}
