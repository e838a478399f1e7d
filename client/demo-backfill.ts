/** Brings the demo's books up to date through Temporal. Owns which backfill that is; the work is the workflow's. */
import { countPeriods } from '../db/tally-store.js';
import { demoStartAtMs } from '../domain/demo-records.js';
import { JobhoursError } from '../domain/errors.js';
import { GRANULARITIES, type Granularity } from '../domain/period.js';
import { MS_PER_SECOND } from '../domain/units.js';
import { limitsOf } from '../domain/workflow-input.js';
import {
  createBackfill,
  listBackfills,
  waitForBackfill,
  type BackfillProgress,
  type BackfillRequest,
} from './backfill.js';
import type { OpenBooks } from './open-books.js';
import type { TemporalClient } from './temporal.js';

/** The previous month and the present one are built side by side. */
const LANES = 2;
const NEWEST = 20;
/** A demo that was killed goes on this soon; its statements take milliseconds. */
const HEARTBEAT_TIMEOUT_MS = 10 * MS_PER_SECOND;

/**
 * Backfills everything from the demo's first month up to now, first what an interrupted demo left open. Returns
 * how many periods the ledger holds then. BACKFILL_FAILED when a backfill ended with failures.
 */
export async function backfillDemo(
  open: OpenBooks,
  temporal: TemporalClient,
  onProgress: (progress: BackfillProgress) => void,
): Promise<Record<Granularity, number>> {
  const { database, books, calendar, settings } = open;
  const limits = { ...limitsOf(settings), heartbeatMs: HEARTBEAT_TIMEOUT_MS };
  const interrupted = (await listBackfills(database, NEWEST)).filter(
    ({ outcome }) => outcome === null,
  );
  const requests: BackfillRequest[] = interrupted.map(
    ({ name, startAtMs, endAtMs, lanes, reprocess }) => ({
      ...{ name, lanes, reprocess },
      ...{ start: startAtMs, end: endAtMs },
    }),
  );
  requests.push({
    start: demoStartAtMs(calendar, books.openedAtMs),
    end: 'now',
    lanes: LANES,
    reprocess: 'stale',
    name: null,
  });
  for (const request of requests) {
    const { name } = await createBackfill(temporal, { ...open, limits }, request);
    const { outcome, periodsFailed } = await waitForBackfill(temporal, open, name, onProgress);
    if (outcome !== 'completed') {
      throw new JobhoursError(
        'BACKFILL_FAILED',
        `backfill ${name}: ${String(outcome)}, ${periodsFailed} periods failed; see 'jobhours backfill show ${name}'`,
      );
    }
  }
  const counts = await countPeriods(database);
  return Object.fromEntries(
    GRANULARITIES.map((granularity) => [granularity, counts.get(granularity) ?? 0]),
  ) as Record<Granularity, number>;
}
