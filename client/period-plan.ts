/**
 * What the keeper would do next, without doing it. Owns reading books, ledger, open backfills and failures in one
 * snapshot; the rules are domain/plan.ts, printing is client/commands/periods-plan.ts.
 */
import { openBackfills as readOpenBackfills, type Backfill } from '../db/backfill-store.js';
import { readBooks } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import { currentFailures, readLedgerState } from '../db/ledger-store.js';
import type { Calendar } from '../domain/calendar.js';
import { GRANULARITIES, type Granularity } from '../domain/period.js';
import { beyondReachText } from '../domain/plan-text.js';
import { periodKey, plan, type Plan } from '../domain/plan.js';
import { nextTickAtMs, tickOf } from '../domain/tick.js';
import type { PeriodSettings } from './period-list.js';

export interface PlanView extends Plan {
  /** The instant of the view: database clock, ms. */
  readonly asOfMs: number;
  /** Null: the books have not begun, and nothing is planned. */
  readonly originAtMs: number | null;
  /** When the schedules look next at what is to be built; at hours when nothing is. */
  readonly nextTicks: readonly { readonly granularity: Granularity; readonly atMs: number }[];
  /** Their ranges are left to them. */
  readonly openBackfills: readonly Backfill[];
  /** Codes of the failures that nothing has mended, by `periodKey`. */
  readonly failures: ReadonlyMap<string, string>;
  /** What is missing for good and the command that mends it; empty when nothing is. */
  readonly beyondReachText: string;
}

/**
 * The plan of a keeper that were woken now for everything up to months. Periods that failed are in it: each wake tries
 * them again. Ranges of open backfills are left to them.
 */
export async function viewPlan(
  database: Database,
  calendar: Calendar,
  { graceMs, catchUpMs }: PeriodSettings,
): Promise<PlanView> {
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const ledger = await readLedgerState(session);
    const originAtMs = (await readBooks(session))?.originAtMs ?? null;
    const openBackfills = await readOpenBackfills(session);
    const planned = plan({
      ...{ nowMs: ledger.nowMs, graceMs, catchUpMs, calendar, originAtMs },
      ledger: ledger.ranges,
      stale: ledger.stale,
      coarsest: 'month',
      leftOut: openBackfills,
      failed: new Set(),
    });
    const failures = (await currentFailures(session)).map(
      (failure) => [periodKey(failure), failure.code] as const,
    );
    return {
      ...planned,
      ...{ asOfMs: ledger.nowMs, originAtMs, openBackfills },
      nextTicks: granularitiesOf(planned).map((granularity) => ({
        granularity,
        atMs: nextTickAtMs(tickOf(calendar, granularity, graceMs, ledger.nowMs), ledger.nowMs),
      })),
      failures: new Map(failures),
      beyondReachText: beyondReachText(planned.beyondReach, originAtMs),
    };
  });
}

function granularitiesOf({ build }: Plan): readonly Granularity[] {
  const found = GRANULARITIES.filter((one) => build.some(({ granularity }) => granularity === one));
  return found.length === 0 ? ['hour'] : found;
}
