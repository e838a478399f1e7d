/**
 * How a backfill is cut: pieces of months, lanes of consecutive pieces, and the days, weeks and months that are
 * built when all pieces are done. Pure; what the keeper builds by itself is domain/plan.ts.
 */
import type { Calendar } from './calendar.js';
import { withoutStale, type LedgerState } from './ledger.js';
import { intersection, PART_OF, type Period, type Span } from './period.js';
import { covers, union } from './spans.js';

/** Which periods of a range are built: those not in the ledger, also those that no longer fit, or every one. */
export const REPROCESS = ['missing', 'stale', 'all'] as const;
export type Reprocess = (typeof REPROCESS)[number];

/** The part of a month that a backfill covers. Its key is the month's. */
export interface BackfillPiece extends Period {
  readonly only: Span;
}

/** The pieces of a range, cut at month boundaries, in time order. */
export function piecesOf(calendar: Calendar, range: Span): BackfillPiece[] {
  return [...calendar.periodsTouching('month', range)].flatMap((month) => {
    const only = intersection(month, range);
    return only === null ? [] : [{ ...month, only }];
  });
}

/** At most `lanes` runs of consecutive pieces, as equal in number as can be; the longer ones first. */
export function lanesOf<T>(pieces: readonly T[], lanes: number): T[][] {
  const count = Math.min(lanes, pieces.length);
  const start = (lane: number): number => Math.ceil((lane * pieces.length) / count);
  return Array.from({ length: count }, (_, lane) => pieces.slice(start(lane), start(lane + 1)));
}

export interface CoarseInput {
  readonly calendar: Calendar;
  readonly originAtMs: number | null;
  readonly graceMs: number;
  readonly ledger: LedgerState;
  readonly range: Span;
  readonly reprocess: Reprocess;
}

export interface CoarsePlan {
  /** Days before weeks and months, in time order. */
  readonly build: readonly CoarsePeriod[];
  readonly blocked: readonly BlockedCoarse[];
}

/** A period that cannot be built, and the first part of it that is missing or stale. */
export interface BlockedCoarse extends Period {
  readonly lacking: Period;
}

/** A day, week or month to build, and the starts of the parts it is made of. */
export interface CoarsePeriod extends Period {
  readonly partStartsAtMs: readonly number[];
}

/**
 * The days, weeks and months that touch the range, are due, are wanted by `reprocess`, and whose expected parts are
 * all good or stand earlier in the list (ledger.md A5). `blocked` are those that lack a part, each with the first one.
 */
export function coarsePeriodsOf(input: CoarseInput): CoarsePlan {
  const originAtMs = input.originAtMs ?? Number.NEGATIVE_INFINITY;
  const build: CoarsePeriod[] = [];
  const blocked: BlockedCoarse[] = [];
  let parts = withoutStale(input.ledger, 'hour');
  for (const granularity of ['day', 'week', 'month'] as const) {
    const good = withoutStale(input.ledger, granularity);
    const built: Span[] = [];
    for (const period of input.calendar.periodsTouching(granularity, input.range)) {
      const isDue = period.endAtMs + input.graceMs <= input.ledger.nowMs;
      if (!isDue || period.endAtMs <= originAtMs || !isWanted(input, period, good)) continue;
      const expected = [
        ...input.calendar.periodsWithin(PART_OF[granularity] ?? 'hour', period),
      ].filter(
        (part) => part.endAtMs > originAtMs || covers(input.ledger.ranges[part.granularity], part),
      );
      const lacking = expected.find((part) => !covers(parts, part));
      if (lacking === undefined) {
        build.push({ ...period, partStartsAtMs: expected.map((part) => part.startAtMs) });
        built.push(period);
      } else {
        blocked.push({ ...period, lacking });
      }
    }
    // Weeks and months are both made of days.
    if (granularity === 'day') parts = union([...good, ...built]);
  }
  return { build, blocked };
}

function isWanted(input: CoarseInput, period: Period, good: readonly Span[]): boolean {
  // The pieces of the backfill have built every day already.
  if (input.reprocess === 'all' && period.granularity !== 'day') return true;
  return !covers(
    input.reprocess === 'missing' ? input.ledger.ranges[period.granularity] : good,
    period,
  );
}
