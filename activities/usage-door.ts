/**
 * What the activities of the queue `usage` know and may do: the books, the calendar, the settings and the doors to
 * PostgreSQL, handed in by the worker (workers/usage-door.ts).
 */
import type { MetricMeter } from '@temporalio/common';
import type { Backfill, BackfillEnding } from '../db/backfill-store.js';
import type { Books } from '../db/books-store.js';
import type { NewFailure } from '../db/ledger-store.js';
import type { AuditHooks } from '../db/period-audit.js';
import type { AuditReport } from '../domain/audit.js';
import type { Calendar } from '../domain/calendar.js';
import type { LedgerState } from '../domain/ledger.js';
import type { AggregateStore, FailedPeriod } from './period-builds.js';

/** Books, ledger and open backfills of one snapshot. */
export interface PlanningState {
  readonly books: Books;
  readonly ledger: LedgerState;
  readonly openBackfills: readonly Backfill[];
}

export interface AggregateStoreRequest {
  readonly workflowId: string | null;
  readonly runId: string | null;
  /** Receives each failure with the error, for the log. */
  readonly onFailure: (failure: FailedPeriod, error: unknown) => void;
}

export interface UsageDoor {
  readonly booksName: string;
  readonly calendar: Calendar;
  /** A period is due this long after its end. */
  readonly graceMs: number;
  /** How far back missing periods are mended by themselves. */
  readonly catchUpMs: number;
  /** Measures builds and plans. The activity's own meter would add labels whose names Prometheus does not like. */
  readonly meter: MetricMeter;
  readBooks(): Promise<Books>;
  /** The database's clock. CLOCK_SKEW when this machine's is more than 5 minutes away from it. */
  requireClock(): Promise<number>;
  /** Sets the origin when there is none; returns the origin in force. */
  beginBooks(originAtMs: number): Promise<number>;
  countRunsStartedBefore(atMs: number): Promise<number>;
  /** The start of the oldest run; null without runs. */
  firstRunAtMs(): Promise<number | null>;
  planningState(): Promise<PlanningState>;
  aggregateStore(request: AggregateStoreRequest): AggregateStore;
  recordFailure(failure: NewFailure): Promise<void>;
  /** Recomputes `sample` periods of each granularity from the runs, and writes what was found to `audit`. */
  audit(sample: number, hooks: AuditHooks): Promise<AuditReport>;
  findBackfill(name: string): Promise<Backfill | null>;
  /** Returns it as it ended, now or before; null when there is none. */
  endBackfill(name: string, ending: BackfillEnding): Promise<Backfill | null>;
}
