/**
 * What is to be built in books of odd hours, and building it: a planner and a keeper in a few lines, because the real
 * ones need the calendar of a zone. The ledger's own words about itself and the builder are the product's.
 */
import { readLedgerState } from '../../db/ledger-store.js';
import { buildPeriod } from '../../db/period-builder.js';
import { isJobhoursError } from '../../domain/errors.js';
import type { LedgerState, StalePeriod } from '../../domain/ledger.js';
import { contains, type Period } from '../../domain/period.js';
import type { TestDatabase } from './database.js';
import type { OddCalendar } from './odd-calendar.js';

/** Builds one period, calling `pause` between its statements; false when it lost against another transaction. */
export type ModelBuilder = (
  period: Period,
  partStarts: readonly number[],
  pause: () => Promise<void>,
) => Promise<boolean>;

/** The real builder. */
export function realBuilder(test: TestDatabase): ModelBuilder {
  return async (period, expectedPartStarts, pause) => {
    try {
      await buildPeriod(test.database, period, { expectedPartStarts, afterStep: pause });
      return true;
    } catch (error) {
      // The model loses ledger rows, now and then one that was committed a moment ago.
      if (isJobhoursError(error, 'REPLAN') || isJobhoursError(error, 'COMMIT_UNVERIFIED'))
        return false;
      throw error;
    }
  };
}

/** What is to be built and has all its parts, finer first, in time order (ledger.md P2, A5). */
export async function modelWork(
  test: TestDatabase,
  calendar: OddCalendar,
  sees: (stale: StalePeriod) => boolean,
): Promise<Period[]> {
  const state = await test.database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    readLedgerState,
  );
  const seen = { ...state, stale: state.stale.filter(sees) };
  return calendar.all.filter(
    (period) =>
      isToBuild(period, seen) && !calendar.partsOf(period).some((part) => isToBuild(part, seen)),
  );
}

/** Missing or stale. */
function isToBuild(period: Period, { ranges, stale }: LedgerState): boolean {
  const { granularity, startAtMs } = period;
  return (
    !ranges[granularity].some((range) => contains(range, period)) ||
    stale.some((one) => one.granularity === granularity && one.startAtMs === startAtMs)
  );
}
