/**
 * The end of a backfill: the days, weeks and months that touch its range and whose parts are all good. Owns the
 * order and what one failure stops; which ones is domain/backfill-plan.ts.
 */
import { coarsePeriodsOf, type CoarsePeriod, type Reprocess } from '../domain/backfill-plan.js';
import { isJobhoursError, JobhoursError } from '../domain/errors.js';
import { contains, PART_OF, type Span } from '../domain/period.js';
import type {
  AggregateHooks,
  AggregateStore,
  AggregateSummary,
  FailedPeriod,
} from './aggregate.js';
import { nothingBuilt } from './build-summary.js';
import type { UsageDoor } from './usage-door.js';

export interface CoarseRequest {
  readonly booksName: string;
  readonly range: Span;
  readonly reprocess: Reprocess;
}

const COUNTER = { day: 'daysBuilt', week: 'weeksBuilt', month: 'monthsBuilt' } as const;

/** Builds them, days first. A failure is recorded and stops only the periods made of the failed one. */
export async function aggregateCoarse(
  door: UsageDoor,
  request: CoarseRequest,
  store: AggregateStore,
  hooks: AggregateHooks,
): Promise<AggregateSummary> {
  const { build, blocked } = coarsePeriodsOf({
    calendar: door.calendar,
    originAtMs: await store.originAtMs(),
    graceMs: door.graceMs,
    ledger: await store.ledgerState(),
    range: request.range,
    reprocess: request.reprocess,
  });
  const summary = { ...nothingBuilt(), blocked };
  const failed: CoarsePeriod[] = [];
  for (const [done, period] of build.entries()) {
    if (hooks.isCancelled()) {
      throw new JobhoursError(
        'INTERRUPTED',
        `stopped before ${period.granularity} ${period.label}`,
      );
    }
    hooks.heartbeat({ done, of: build.length, now: period.label });
    if (failed.some((part) => isPart(part, period))) {
      summary.blocked += 1;
      failed.push(period);
    } else if (!(await attempt(store, period, summary))) {
      failed.push(period);
    }
  }
  return summary;
}

function isPart(part: CoarsePeriod, whole: CoarsePeriod): boolean {
  return PART_OF[whole.granularity] === part.granularity && contains(whole, part);
}

/** False when it failed. Errors that can pass are thrown: the next try looks at the ledger again. */
async function attempt(
  store: AggregateStore,
  period: CoarsePeriod,
  summary: AggregateSummary,
): Promise<boolean> {
  const { granularity, startAtMs, endAtMs, label } = period;
  try {
    const result = await store.build(
      { granularity, startAtMs, endAtMs, label },
      period.partStartsAtMs,
    );
    if (granularity !== 'hour') summary[COUNTER[granularity]] += 1;
    summary.rowsWritten += result.rowsWritten;
    summary.rowsRemoved += result.rowsRemoved;
    summary.dirtyRowsRemoved += result.dirtyRowsRemoved;
    return true;
  } catch (error) {
    if (isJobhoursError(error) && error.retryable && error.code !== 'REPLAN') throw error;
    const code = isJobhoursError(error) ? error.code : 'UNEXPECTED';
    const detail = error instanceof Error ? error.message : String(error);
    const failure: FailedPeriod = { granularity, startAtMs, label, code, detail };
    summary.failed.push(failure);
    await store.recordFailure(failure, error);
    return false;
  }
}
