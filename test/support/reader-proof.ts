/**
 * What readers see while others write and build: in any snapshot, a period that is good for readers is equal to the
 * overlap formula over the runs of the same snapshot (DESIGN section 6). Owns that comparison; a quiet ledger is
 * ledger-proof.ts.
 */
import type pg from 'pg';
import { readLedgerState } from '../../db/ledger-store.js';
import { Calendar } from '../../domain/calendar.js';
import { goodForReaders, type LedgerState, type StalePeriod } from '../../domain/ledger.js';
import { contains, type Period } from '../../domain/period.js';
import { periodKey } from '../../domain/plan.js';
import type { TestDatabase } from './database.js';
import type { OddCalendar } from './odd-calendar.js';
import { differences } from './runs.js';

const EXPORT_SNAPSHOT = {
  name: 'test/export-snapshot',
  text: 'select pg_export_snapshot() as snapshot',
  params: {},
  row: { snapshot: 'text' },
} as const;

/** Keys of the periods that readers take from the ledger. Which hours those are does not depend on a calendar. */
function goodPeriods(calendar: OddCalendar, state: LedgerState): ReadonlySet<string> {
  const hours = goodForReaders(state, Calendar.of('UTC')).hour;
  const stale = new Set(state.stale.map(periodKey));
  const isGood = (period: Period): boolean =>
    period.granularity === 'hour'
      ? hours.some((span) => contains(span, period))
      : state.ranges[period.granularity].some((span) => contains(span, period)) &&
        !stale.has(periodKey(period)) &&
        calendar.partsOf(period).every(isGood);
  return new Set(calendar.all.filter(isGood).map(periodKey));
}

export interface ReadResult {
  /** Periods that readers would have taken. */
  readonly good: number;
  /** Rows of such periods that are not what the runs say. */
  readonly faults: readonly unknown[];
}

/** Reads everything in one snapshot. `client` is a connection of its own; `sees` is a planted error's blindness. */
export function readOnce(
  test: TestDatabase,
  client: pg.Client,
  calendar: OddCalendar,
  sees: (stale: StalePeriod) => boolean,
): Promise<ReadResult> {
  return test.database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    async (transaction) => {
      const { snapshot } = await transaction.one(EXPORT_SNAPSHOT, {});
      const state = await readLedgerState(transaction);
      const good = goodPeriods(calendar, { ...state, stale: state.stale.filter(sees) });
      await client.query('begin isolation level repeatable read read only');
      try {
        await client.query(`set transaction snapshot '${snapshot}'`);
        const rows = await differences(
          { query: async (text, values) => (await client.query(text, values)).rows as never },
          10_000,
        );
        const faults = rows.filter((row) =>
          good.has(`${String(row['granularity'])}/${String(row['start_at_ms'])}`),
        );
        return { good: good.size, faults };
      } finally {
        await client.query('rollback');
      }
    },
  );
}
