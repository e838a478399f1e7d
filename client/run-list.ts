/**
 * Runs for people who look at them: lists, overdue ones, and one with its history. Owns what makes an open run overdue;
 * rows are db/run-store.ts and db/open-run-store.ts.
 */
import { databaseNowMs } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import { openRuns, type OpenRun } from '../db/open-run-store.js';
import {
  findRun,
  listRuns,
  runConfirmations,
  runFacts,
  runHistory,
  type Confirmation,
  type RunChange,
  type RunFilter,
  type StoredRun,
} from '../db/run-store.js';
import { JobhoursError } from '../domain/errors.js';
import { slurmDurationMs } from '../domain/elapsed.js';
import { runIdOf } from './run-change.js';

export type { Confirmation, RunChange, RunFilter, StoredRun } from '../db/run-store.js';
export type { OpenRun } from '../db/open-run-store.js';

/** The newest runs first, by start. `rangeAt`: which they touch, given the database's clock. */
export async function listStoredRuns(
  database: Database,
  filter: Omit<RunFilter, 'startAtMs' | 'endAtMs'>,
  rangeAt: (nowMs: number) => { readonly startAtMs?: number; readonly endAtMs?: number },
  limit: number,
): Promise<StoredRun[]> {
  const { startAtMs = null, endAtMs = null } = rangeAt(await databaseNowMs(database));
  return listRuns(database, { ...filter, startAtMs, endAtMs }, limit);
}

/** An open run that should have ended. */
export interface OverdueRun extends OpenRun {
  readonly because: 'time limit' | 'unseen';
  /** Since when: the end of its time limit, or where it was seen last. */
  readonly sinceMs: number;
}

/** Why an open run is overdue at an instant; null when it is not. A later import that did not show it says more. */
export function overdueOf(run: OpenRun, nowMs: number): OverdueRun | null {
  if (run.unseenBatch !== null) {
    return { ...run, because: 'unseen', sinceMs: run.seenUntilMs ?? run.startedAtMs };
  }
  const limitMs = slurmDurationMs(run.timeLimit ?? '');
  if (limitMs === null || run.startedAtMs + limitMs >= nowMs) return null;
  return { ...run, because: 'time limit', sinceMs: run.startedAtMs + limitMs };
}

/** Open runs of imports that are past their time limit, or that a later import did not show; the oldest first. */
export async function overdueRuns(
  database: Database,
  filter: { readonly user: string | null; readonly source: string | null },
  limit: number,
): Promise<OverdueRun[]> {
  const nowMs = await databaseNowMs(database);
  const found: OverdueRun[] = [];
  for await (const run of openRuns(database, filter.source)) {
    const overdue = overdueOf(run, nowMs);
    if (overdue === null || (filter.user !== null && run.user !== filter.user)) continue;
    found.push(overdue);
    if (found.length >= limit) break;
  }
  return found;
}

export interface ShownRun {
  readonly id: bigint;
  /** Null: it was removed; its last values are the newest former ones. */
  readonly run: StoredRun | null;
  readonly facts: Readonly<Record<string, string>>;
  readonly history: readonly RunChange[];
  readonly confirmations: readonly Confirmation[];
}

/** A run with its history, also one that is gone. NOT_FOUND; USAGE when a key stands in several sources. */
export function showRun(
  database: Database,
  text: string,
  source: string | null,
): Promise<ShownRun> {
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const id = await runIdOf(session, text, source);
    const shown = {
      id,
      run: await findRun(session, id),
      facts: await runFacts(session, id),
      history: await runHistory(session, id),
      confirmations: await runConfirmations(session, id),
    };
    if (shown.run !== null || shown.history.length > 0) return shown;
    throw new JobhoursError(
      'NOT_FOUND',
      `no run has the number, the key or the job id ${text}: see jobhours run list`,
    );
  });
}
