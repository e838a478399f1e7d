/**
 * The periods of the ledger that a report takes its figures from, with their digests. Owns their list; what is taken
 * is decided by domain/report-pieces.ts.
 */
import type { Session } from '../db/database.js';
import { readLedgerDigests, type LedgerDigest } from '../db/report-basis.js';
import type { Calendar } from '../domain/calendar.js';
import type { Span } from '../domain/period.js';
import {
  reportRows,
  tileRow,
  type GoodSpans,
  type LedgerPiece,
  type Step,
} from '../domain/report-pieces.js';

export interface LedgerUse {
  readonly step: Step;
  readonly window: Span;
  readonly good: GoodSpans;
  readonly calendar: Calendar;
  readonly asOfMs: number;
}

/** In time order; empty when everything is computed from the runs. */
export function ledgerDigests(session: Session, use: LedgerUse): Promise<LedgerDigest[]> {
  return readLedgerDigests(session, [...ledgerPieces(use)]);
}

function* ledgerPieces({
  step,
  window,
  good,
  calendar,
  asOfMs,
}: LedgerUse): Generator<LedgerPiece> {
  for (const row of reportRows(step, window, calendar, asOfMs)) {
    for (const piece of tileRow(row, step, good, calendar)) {
      if (piece.kind === 'ledger') yield piece;
    }
  }
}
