/**
 * What a backfill would do, how long that would take, and what it would do to the beginning of the books, without doing
 * it. Owns reading these in one snapshot; the rules are domain/backfill-preview.ts.
 */
import { buildSpeed } from '../db/backfill-store.js';
import { readBooks } from '../db/books-store.js';
import { readLedgerState } from '../db/ledger-store.js';
import { backfillPreview, type PreviewedStretch } from '../domain/backfill-preview.js';
import type { Span } from '../domain/period.js';
import type { BackfillContext } from './backfill.js';
import {
  rangeOf,
  requireNearRecords,
  requireValid,
  type BackfillRequest,
} from './backfill-request.js';

export interface BackfillPreview extends Span {
  readonly stretches: readonly PreviewedStretch[];
  /** The beginning of the books now; null: they have not begun. */
  readonly originAtMs: number | null;
  readonly hoursToBuild: number;
  /** How fast the newest hours were built; null: none was built yet. */
  readonly hoursPerSecond: number | null;
}

/** Errors as `createBackfill`, except NO_WORKER and BACKFILL_EXISTS. */
export async function previewBackfill(
  { calendar, settings, database }: BackfillContext,
  request: BackfillRequest,
): Promise<BackfillPreview> {
  requireValid(request);
  const { graceMs } = settings;
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const { startAtMs, endAtMs } = await rangeOf(session, { calendar, graceMs }, request);
    const originAtMs = (await readBooks(session))?.originAtMs ?? null;
    await requireNearRecords(session, request, startAtMs, originAtMs);
    const stretches = backfillPreview({
      ...{ calendar, graceMs, reprocess: request.reprocess },
      ledger: await readLedgerState(session),
      originAtMs: Math.min(originAtMs ?? startAtMs, startAtMs),
      range: { startAtMs, endAtMs },
    });
    const { hours, ms } = await buildSpeed(session);
    return {
      ...{ startAtMs, endAtMs, stretches, originAtMs },
      hoursToBuild: stretches
        .filter(({ granularity, action }) => granularity === 'hour' && action === 'build')
        .reduce((sum, { periods }) => sum + periods, 0),
      hoursPerSecond: hours === 0 ? null : (hours * 1_000) / Math.max(1, ms),
    };
  });
}
