/** What a build did, flat, in words and numbers: what workflows return and people read. */
import type { Period, PeriodKey } from '../domain/period.js';
import type { AggregateSummary } from './period-builds.js';

/** Changed by others while it was built. */
export interface WaitingPeriod extends PeriodKey, Pick<Period, 'label'> {
  /** What PostgreSQL said. Absent in what an older version wrote. */
  readonly detail?: string;
}

export interface BuildSummary {
  /** In words for people. */
  readonly outcome: string;
  readonly hoursBuilt: number;
  readonly daysBuilt: number;
  readonly weeksBuilt: number;
  readonly monthsBuilt: number;
  readonly rowsWritten: number;
  readonly rowsRemoved: number;
  /** Rows without a ledger row that were removed first (S0 3.2: dirty data). */
  readonly dirtyRowsRemoved: number;
  /** Left alone because a part of them is missing, stale or failed. */
  readonly blocked: number;
  readonly failed: number;
  /** The first failures in words; empty when none failed. */
  readonly failures: string;
  readonly failedPeriods: readonly PeriodKey[];
  /** Changed by others while they were built, and not built since. Absent in what an older version wrote. */
  readonly waiting?: number;
  /** The first of them. */
  readonly waitingPeriods?: readonly WaitingPeriod[];
  readonly buildMs: number;
}

/** Failures that are told by name. */
const TOLD = 5;
const LONGEST_DETAIL = 500;

const counted = (count: number, noun: string): string[] =>
  count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`];

/** The flat summary of a build that took `buildMs`. */
export function buildSummary(summary: AggregateSummary, buildMs: number): BuildSummary {
  const { failed, waiting, ...counts } = summary;
  return {
    outcome: outcomeOf(summary),
    ...counts,
    failed: failed.length,
    failures: failed
      .slice(0, TOLD)
      .map(({ granularity, label, code, detail }) => `${granularity} ${label}: ${code} ${detail}`)
      .join('; ')
      .slice(0, 2_000),
    failedPeriods: failed.map(({ granularity, startAtMs }) => ({ granularity, startAtMs })),
    waiting: waiting.length,
    waitingPeriods: waiting.slice(0, TOLD).map(({ granularity, startAtMs, label, detail }) => ({
      ...{ granularity, startAtMs, label },
      detail: detail.slice(0, LONGEST_DETAIL),
    })),
    buildMs,
  };
}

function outcomeOf(summary: AggregateSummary): string {
  const built = [
    ...counted(summary.hoursBuilt, 'hour'),
    ...counted(summary.daysBuilt, 'day'),
    ...counted(summary.weeksBuilt, 'week'),
    ...counted(summary.monthsBuilt, 'month'),
  ];
  const parts = [built.length === 0 ? 'nothing was left to build' : `built ${built.join(', ')}`];
  if (summary.failed.length > 0) parts.push(`${summary.failed.length} failed`);
  if (summary.waiting.length > 0) {
    parts.push(`${summary.waiting.length} changed while they were built and are planned again`);
  }
  if (summary.blocked > 0) parts.push(`${summary.blocked} blocked by a part`);
  return parts.join('; ');
}
