/**
 * The end of a backfill: the days, weeks and months that touch its range and whose parts are all good. Owns the
 * order and what one failure stops; which ones is domain/backfill-plan.ts.
 */
import { coarsePeriodsOf, type CoarsePeriod, type Reprocess } from '../domain/backfill-plan.js';
import { contains, PART_OF, type Span } from '../domain/period.js';
import {
  PeriodBuilds,
  type AggregateHooks,
  type AggregateStore,
  type AggregateSummary,
} from './period-builds.js';
import type { UsageDoor } from './usage-door.js';

export interface CoarseRequest {
  readonly booksName: string;
  readonly range: Span;
  readonly reprocess: Reprocess;
}

/** Builds them, days first. A failure is recorded and stops only the periods made of the failed one. */
export async function aggregateCoarse(
  door: Pick<UsageDoor, 'calendar' | 'graceMs'>,
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
  const builds = new PeriodBuilds(store, hooks);
  builds.summary.blocked = blocked.length;
  builds.announce(build.length);
  const notBuilt: CoarsePeriod[] = [];
  for (const coarse of build) {
    const { partStartsAtMs, ...period } = coarse;
    if (notBuilt.some((part) => isPart(part, coarse))) {
      builds.summary.blocked += 1;
      notBuilt.push(coarse);
    } else if ((await builds.attempt(period, partStartsAtMs)) === null) {
      notBuilt.push(coarse);
    }
  }
  return builds.summary;
}

function isPart(part: CoarsePeriod, whole: CoarsePeriod): boolean {
  return PART_OF[whole.granularity] === part.granularity && contains(whole, part);
}
