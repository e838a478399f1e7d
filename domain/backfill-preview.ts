/**
 * What a backfill would do, without doing it: which periods it would build, which not, and why. Pure. It follows the
 * rules of domain/backfill-plan.ts on the ledger as it would be when the hours are built.
 */
import { coarsePeriodsOf, type CoarseInput } from './backfill-plan.js';
import { STALE_BECAUSE, type LedgerState, type StalePeriod } from './ledger.js';
import { GRANULARITIES, intersection, type Period } from './period.js';
import { covers, union } from './spans.js';

/** build: it would be built; leave: it would be left as it is; blocked: it is wanted, but a part of it is not good. */
export type PreviewAction = 'build' | 'leave' | 'blocked';

/** Consecutive periods of which the same is true. Its label is the first one's. */
export interface PreviewedStretch extends Period {
  readonly lastLabel: string;
  readonly periods: number;
  readonly action: PreviewAction;
  /** In words for people. */
  readonly because: string;
}

interface Previewed {
  readonly period: Period;
  readonly action: PreviewAction;
  readonly because: string;
}

/**
 * The hours that touch the range, then the days, weeks and months that do and are due, each stretch in time order. The
 * origin of the input is the one that would be in force. What follows from changed hours behind the range is the
 * keeper's, and not told.
 */
export function backfillPreview(input: CoarseInput): PreviewedStretch[] {
  const hours = previewedHours(input);
  const coarse = previewedCoarse(
    input,
    hours.filter(({ action }) => action === 'build').map(({ period }) => period),
  );
  return GRANULARITIES.flatMap((granularity) =>
    stretches([...hours, ...coarse].filter(({ period }) => period.granularity === granularity)),
  );
}

function previewedHours({ calendar, ledger, range, reprocess }: CoarseInput): Previewed[] {
  const stale = new Map(
    ledger.stale.flatMap((one) => (one.granularity === 'hour' ? [[one.startAtMs, one]] : [])),
  );
  return [...calendar.periodsTouching('hour', range)].map((period) => {
    const own = stale.get(period.startAtMs);
    const told = (action: PreviewAction, because: string): Previewed => ({
      ...{ period, action, because },
    });
    if (!covers(ledger.ranges.hour, period)) return told('build', 'it is not in the ledger');
    if (reprocess === 'all') return told('build', 'every period is built again');
    if (own === undefined) return told('leave', 'it is in the ledger and fits');
    return told(reprocess === 'stale' ? 'build' : 'leave', STALE_BECAUSE[own.reason]);
  });
}

function previewedCoarse(input: CoarseInput, builtHours: readonly Period[]): Previewed[] {
  const ledger = withBuilt(input, builtHours);
  const { build, blocked } = coarsePeriodsOf({ ...input, ledger });
  return [
    ...build.map(({ partStartsAtMs: _, ...period }): Previewed => {
      const isInLedger = covers(input.ledger.ranges[period.granularity], period);
      const because = isInLedger ? 'its parts are built, or changed' : 'it is not in the ledger';
      return { period, action: 'build', because };
    }),
    ...blocked.map(({ lacking, ...period }): Previewed => ({
      period,
      action: 'blocked',
      because: `${lacking.granularity} ${lacking.label} in it is missing or stale`,
    })),
  ].sort((a, b) => a.period.startAtMs - b.period.startAtMs);
}

/** The ledger with these hours built: they are in it and fit, and what is made of them no longer does. */
function withBuilt({ ledger, calendar }: CoarseInput, hours: readonly Period[]): LedgerState {
  const built = union(hours);
  const stillStale = ledger.stale.filter(
    (one) => one.granularity !== 'hour' || !covers(built, one),
  );
  const changed = (['day', 'week', 'month'] as const).flatMap((granularity) =>
    ledger.ranges[granularity].flatMap((range) =>
      built.flatMap((span) => {
        const common = intersection(range, span);
        return common === null ? [] : [...calendar.periodsTouching(granularity, common)];
      }),
    ),
  );
  const stale: StalePeriod[] = changed.map((period) => ({
    ...period,
    reason: 'parts',
    fingerprint: 'preview',
  }));
  return {
    ...ledger,
    ranges: { ...ledger.ranges, hour: union([...ledger.ranges.hour, ...built]) },
    stale: [...stillStale, ...stale].sort((a, b) => a.startAtMs - b.startAtMs),
  };
}

function stretches(previewed: readonly Previewed[]): PreviewedStretch[] {
  const result: PreviewedStretch[] = [];
  for (const { period, action, because } of previewed) {
    const last = result.at(-1);
    if (last?.action === action && last.because === because && last.endAtMs === period.startAtMs) {
      const { endAtMs, label: lastLabel } = period;
      result[result.length - 1] = { ...last, endAtMs, lastLabel, periods: last.periods + 1 };
    } else {
      result.push({ ...period, lastLabel: period.label, periods: 1, action, because });
    }
  }
  return result;
}
