/**
 * What the ledger says, and what readers may take from it. Pure; reading it from PostgreSQL is
 * db/ledger-store.ts, deciding what to build is domain/plan.ts.
 */
import type { Calendar } from './calendar.js';
import { intersection, type Granularity, type Period, type Span } from './period.js';
import { subtract } from './spans.js';

/**
 * Why a period in the ledger no longer fits: a mark lies in the hour; the carry it was built from is not the
 * previous hour's any more; its parts are not the ones it was built from; what runs on through the hole before it changed (A7).
 */
export type StaleReason = 'mark' | 'carry' | 'parts' | 'hole';

/** The same in words for people. */
export const STALE_BECAUSE: Readonly<Record<StaleReason, string>> = {
  mark: 'usage in it changed since it was aggregated',
  carry: 'the hour before it now ends with other running runs',
  parts: 'its parts changed since it was aggregated',
  hole: 'what runs on through the missing hours before it changed',
};

/** A period of the ledger that must be built again. */
export interface StalePeriod extends Period {
  readonly reason: StaleReason;
  /** Equal as long as what makes it stale is the same: planning it thrice with one fingerprint is no progress. */
  readonly fingerprint: string;
}

/** The ledger at one instant. */
export interface LedgerState {
  /** Database clock. */
  readonly nowMs: number;
  /** Periods in the ledger, stale ones too, consecutive ones merged, in time order. */
  readonly ranges: Readonly<Record<Granularity, readonly Span[]>>;
  /** In time order within a granularity. */
  readonly stale: readonly StalePeriod[];
}

/** Spans of the ledger without its stale periods. */
export function withoutStale({ ranges, stale }: LedgerState, granularity: Granularity): Span[] {
  return subtract(
    ranges[granularity],
    stale.filter((period) => period.granularity === granularity),
  );
}

/**
 * Spans whose periods readers may take from the ledger (DESIGN section 6): an hour when no stale hour lies at
 * or before it in its unbroken chain of ledger hours, because a comparison shows where an error begins and not how far
 * it reaches; a coarser period when its digests fit and all its parts are good. Spans begin and end on period
 * boundaries.
 */
export function goodForReaders(
  state: LedgerState,
  calendar: Calendar,
): Record<Granularity, Span[]> {
  const staleHours = state.stale.filter((period) => period.granularity === 'hour');
  const hour = beforeFirstStale(state.ranges.hour, staleHours);
  const made = (granularity: Granularity, parts: readonly Span[]): Span[] =>
    wholePeriods(withoutStale(state, granularity), parts, granularity, calendar);
  const day = made('day', hour);
  return { hour, day, week: made('week', day), month: made('month', day) };
}

function beforeFirstStale(ranges: readonly Span[], stale: readonly StalePeriod[]): Span[] {
  return ranges.flatMap((range) => {
    const first = stale.find(
      (period) => period.startAtMs >= range.startAtMs && period.startAtMs < range.endAtMs,
    );
    const endAtMs = first?.startAtMs ?? range.endAtMs;
    return endAtMs > range.startAtMs ? [{ startAtMs: range.startAtMs, endAtMs }] : [];
  });
}

/** The parts of `ranges` that `parts` cover, cut to whole periods. */
function wholePeriods(
  ranges: readonly Span[],
  parts: readonly Span[],
  granularity: Granularity,
  calendar: Calendar,
): Span[] {
  const whole: Span[] = [];
  for (const range of ranges) {
    for (const part of parts) {
      const common = intersection(range, part);
      if (common === null) continue;
      const first = calendar.periodAt(granularity, common.startAtMs);
      const last = calendar.periodAt(granularity, common.endAtMs - 1);
      const startAtMs = first.startAtMs < common.startAtMs ? first.endAtMs : first.startAtMs;
      const endAtMs = last.endAtMs > common.endAtMs ? last.startAtMs : last.endAtMs;
      if (startAtMs < endAtMs) whole.push({ startAtMs, endAtMs });
    }
  }
  return whole;
}
