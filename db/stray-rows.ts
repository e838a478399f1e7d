/**
 * Rows that cannot be right, whatever the runs say: in the ledger what is no period of the calendar or ends after now,
 * and rows of usage that no row of the ledger vouches for. Owns finding and removing them; rows that differ from the
 * runs are db/period-audit.ts.
 */
import type { AuditDifference } from '../domain/audit.js';
import { isPeriod, type LedgerRow } from '../domain/audit-plan.js';
import type { Calendar } from '../domain/calendar.js';
import type { Period, Span } from '../domain/period.js';
import { EARLIEST_AT_MS, instantText, LATEST_AT_MS, MS_PER_MINUTE } from '../domain/units.js';
import {
  deleteDirtyRows,
  deleteLedgerRow,
  readDirtyRows,
  readLedgerRows,
  wholeDifference,
} from './audit-store.js';
import { databaseNowMs } from './books-store.js';
import type { Database, Session } from './database.js';
import { lockPeriod } from './period-lock.js';

/** The range with its open edges at the ends of what a row can say. */
export function closed(range: Partial<Span>): Span {
  return {
    startAtMs: range.startAtMs ?? Number.MIN_SAFE_INTEGER,
    endAtMs: range.endAtMs ?? Number.MAX_SAFE_INTEGER,
  };
}

/** The strays among the rows of the ledger, then the rows of usage that begin in the span without one. */
export async function readStrays(
  session: Session,
  calendar: Calendar,
  ledger: readonly LedgerRow[],
  span: Span,
  nowMs: number,
): Promise<AuditDifference[]> {
  const rows = ledger.flatMap((row) => {
    const isReal = isPeriod(calendar, row);
    if (isReal && row.endAtMs <= nowMs) return [];
    return [wholeDifference(named(calendar, row), isReal ? 'IN_THE_FUTURE' : 'NOT_A_PERIOD', 0)];
  });
  const dirty = (await readDirtyRows(session, span)).map(({ granularity, startAtMs, rows }) => {
    const endAtMs = isOnTimeLine(startAtMs)
      ? calendar.periodAt(granularity, startAtMs).endAtMs
      : startAtMs + 1;
    return wholeDifference(
      named(calendar, { granularity, startAtMs, endAtMs }),
      'DIRTY_ROWS',
      rows,
    );
  });
  return [...rows, ...dirty];
}

/** With the calendar's label; what is no period is named by its start. */
function named(calendar: Calendar, { granularity, startAtMs, endAtMs }: LedgerRow): Period {
  const row = { granularity, startAtMs, endAtMs };
  if (isPeriod(calendar, row)) return calendar.periodAt(granularity, startAtMs);
  const label = isOnTimeLine(startAtMs) ? calendar.localText(startAtMs) : instantText(startAtMs);
  return { ...row, label };
}

function isOnTimeLine(atMs: number): boolean {
  return atMs >= EARLIEST_AT_MS && atMs < LATEST_AT_MS;
}

/** What was removed. */
export interface CleanResult {
  /** Rows of the ledger that were no period of the calendar or ended in the future. */
  readonly ledgerRows: number;
  /** Rows of usage that no row of the ledger vouched for. */
  readonly dirtyRows: number;
}

/**
 * Removes the strays of a range, each under its period's lock: first rows of the ledger, then rows of usage that have
 * none any more. Readers compute what is gone from the runs, and what is missing then is built like any missing period.
 */
export async function cleanBooks(
  database: Database,
  calendar: Calendar,
  rangeAt: (nowMs: number) => Partial<Span>,
): Promise<CleanResult> {
  const strays = await database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    async (session) => {
      const nowMs = await databaseNowMs(session);
      const span = closed(rangeAt(nowMs));
      return readStrays(session, calendar, await readLedgerRows(session, span), span, nowMs);
    },
  );
  let [ledgerRows, dirtyRows] = [0, 0];
  for (const stray of strays) {
    await database.transaction({}, async (transaction) => {
      const { granularity, startAtMs } = stray;
      // Nothing is built outside of the time line, and its minutes do not fit the lock.
      if (isOnTimeLine(startAtMs)) {
        await lockPeriod(transaction, granularity, startAtMs - (startAtMs % MS_PER_MINUTE));
      }
      const isInTheFuture = stray.code === 'IN_THE_FUTURE';
      if (stray.code !== 'DIRTY_ROWS') {
        ledgerRows += await deleteLedgerRow(transaction, stray, isInTheFuture);
      }
      dirtyRows += await deleteDirtyRows(transaction, stray);
    });
  }
  return { ledgerRows, dirtyRows };
}
