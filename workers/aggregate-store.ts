/** Joins activities/aggregate.ts to PostgreSQL. Owns nothing but the wiring. */
import type { AggregateStore, FailedPeriod } from '../activities/period-builds.js';
import { readBooks } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import { readLedgerState, recordFailure } from '../db/ledger-store.js';
import { buildPeriod } from '../db/period-builder.js';
import { sqlstateOf } from '../db/sqlstate.js';

export interface AggregateStoreOptions {
  readonly database: Database;
  /** Demo books: commits do not wait for the disk. */
  readonly isDemo: boolean;
  readonly workflowId: string | null;
  readonly runId: string | null;
  /** Receives each failure with the error, for the log. */
  readonly onFailure: (failure: FailedPeriod, error: unknown) => void;
}

/** The doors to PostgreSQL for one request to aggregate. */
export function aggregateStore(options: AggregateStoreOptions): AggregateStore {
  const { database, isDemo, workflowId, runId } = options;
  return {
    originAtMs: async () => (await readBooks(database))?.originAtMs ?? null,
    ledgerState: () =>
      database.transaction({ isolation: 'repeatable read', readOnly: true }, readLedgerState),
    build: (period, expectedPartStarts) =>
      buildPeriod(database, period, { expectedPartStarts, asynchronousCommit: isDemo }),
    recordFailure: async (failure, error) => {
      options.onFailure(failure, error);
      await recordFailure(database, { ...failure, sqlstate: sqlstateOf(error), workflowId, runId });
    },
  };
}
