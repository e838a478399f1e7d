/**
 * What an answer rests on: digests of the ledger's periods. Owns the SQL; which periods a report takes is
 * domain/report-pieces.ts.
 */
import type { Granularity, Span } from '../domain/period.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

const sql = statements('report-basis', {
  'ledger-periods': {
    params: { granularities: 'text[]', starts: 'instant[]', ends: 'instant[]' },
    row: {
      granularity: 'text',
      label: 'text',
      start_at_ms: 'instant',
      end_at_ms: 'instant',
      digest: 'text',
    },
  },
});

/** A period of the ledger and the sha256 (hex) of the rows that it holds, whoever used what. */
export interface LedgerDigest extends Span {
  readonly granularity: string;
  readonly label: string;
  readonly digest: string;
}

/** The ledger's periods in these spans of whole periods, in time order. */
export async function readLedgerDigests(
  session: Session,
  spans: readonly (Span & { readonly granularity: Granularity })[],
): Promise<LedgerDigest[]> {
  const rows = await session.rows(sql['ledger-periods'], {
    granularities: spans.map((span) => span.granularity),
    starts: spans.map((span) => span.startAtMs),
    ends: spans.map((span) => span.endAtMs),
  });
  return rows.map((row) => ({
    granularity: row.granularity,
    label: row.label,
    startAtMs: row.start_at_ms,
    endAtMs: row.end_at_ms,
    digest: row.digest,
  }));
}
