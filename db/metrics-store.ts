/**
 * What a worker's gauges are made of: ledger, failures, marks and audits of one snapshot, and how far the two clocks are
 * apart. Owns reading them; counting is domain/period-counts.ts, publishing workers/metrics.ts.
 */
import type { LedgerState } from '../domain/ledger.js';
import type { PeriodKey } from '../domain/period.js';
import { auditStanding } from './audit-records.js';
import { readBooks } from './books-store.js';
import { readClocks } from './clock.js';
import type { Database } from './database.js';
import { currentFailures, readLedgerState } from './ledger-store.js';
import { statements } from './statement.js';

const sql = statements('metrics', {
  'marks-waiting': { params: {}, row: { marks: 'count' } },
});

/** The books at one instant. */
export interface BooksReading {
  readonly ledger: LedgerState;
  /** Null: the books have not begun, or are gone. */
  readonly originAtMs: number | null;
  /** Periods that failed after they were last aggregated, each once. */
  readonly failed: readonly PeriodKey[];
  /** Rows of `usage_change`. */
  readonly marks: number;
  /** As `auditStanding` says. */
  readonly auditPeriodsWrong: number;
  /** End of the newest audit; when there was none, the opening of the books. Database clock. */
  readonly auditedAtMs: number;
  /** This process's clock minus the database's, in ms; uncertain by half a round trip. */
  readonly clockSkewMs: number;
}

/** Reads it in one snapshot. */
export function readForMetrics(database: Database): Promise<BooksReading> {
  return database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    async (transaction) => {
      const clocks = await readClocks(transaction, Date.now);
      const ledger = await readLedgerState(transaction);
      const books = await readBooks(transaction);
      const audit = await auditStanding(transaction);
      return {
        ledger,
        originAtMs: books?.originAtMs ?? null,
        failed: await currentFailures(transaction),
        marks: (await transaction.one(sql['marks-waiting'], {})).marks,
        auditPeriodsWrong: audit.periodsWrong,
        auditedAtMs: audit.newest?.endedAtMs ?? books?.openedAtMs ?? ledger.nowMs,
        clockSkewMs: clocks.skewMs,
      };
    },
  );
}
