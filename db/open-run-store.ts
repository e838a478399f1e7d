/**
 * Open runs of imports: which import saw each last, and ending those that an import should have shown and did not. Owns
 * sightings; what makes a run overdue is client/run-list.ts.
 */
import type { Session, Transaction } from './database.js';
import { runColumns, storedRunOf, type RunAct, type StoredRun } from './run-store.js';
import { statements } from './statement.js';

const sql = statements('open-run', {
  page: {
    params: { source: 'text?', afterAtMs: 'instant', afterId: 'int8', limit: 'count' },
    row: {
      ...runColumns,
      time_limit: 'text?',
      seen_batch: 'int8?',
      seen_until_ms: 'instant?',
      unseen_batch: 'int8?',
    },
  },
  unseen: {
    params: { batch: 'int8', minimumRunMs: 'count' },
    row: { id: 'int8', seen_batch: 'int8?', ended_at_ms: 'instant' },
  },
  close: {
    params: {
      ids: 'int8[]',
      ends: 'instant[]',
      act: 'int8',
      actor: 'text',
      nowMs: 'instant',
      reason: 'text',
    },
    row: runColumns,
  },
});

/** An open run and what imports said of it. */
export interface OpenRun extends StoredRun {
  /** As the source wrote it. */
  readonly timeLimit: string | null;
  /** The newest import that showed it. */
  readonly seenBatch: bigint | null;
  /** The last instant that this import knows of in its source. */
  readonly seenUntilMs: number | null;
  /** The first later import that reached beyond and did not show it. */
  readonly unseenBatch: bigint | null;
}

const PAGE = 1_000;

/** Open runs of imports by start, page by page. `source`: null = of any. */
export async function* openRuns(session: Session, source: string | null): AsyncGenerator<OpenRun> {
  let after = { afterAtMs: 0, afterId: 0n };
  for (;;) {
    const rows = await session.rows(sql.page, { source, ...after, limit: PAGE });
    for (const row of rows) {
      yield {
        ...storedRunOf(row),
        timeLimit: row.time_limit,
        seenBatch: row.seen_batch,
        seenUntilMs: row.seen_until_ms,
        unseenBatch: row.unseen_batch,
      };
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = { afterAtMs: last.started_at_ms, afterId: last.id };
  }
}

/** An open run that an import should have shown and did not. */
export interface UnseenRun {
  readonly id: bigint;
  /** The newest import that showed it; null: none is known. */
  readonly seenBatch: bigint | null;
  /** The last instant at which it is known to have run. */
  readonly endedAtMs: number;
}

/**
 * The open runs that started before the latest start of an import, of its sources, that it did not show, by start.
 * Runs pinned by hand are none, and an undone import shows nothing.
 */
export async function unseenRuns(
  transaction: Transaction,
  imported: bigint,
  minimumRunMs: number,
): Promise<UnseenRun[]> {
  const rows = await transaction.rows(sql.unseen, { batch: imported, minimumRunMs });
  return rows.map(({ id, seen_batch: seenBatch, ended_at_ms: endedAtMs }) => ({
    id,
    seenBatch,
    endedAtMs,
  }));
}

/** Ends runs, with estimated ends. Returns them, by start. */
export async function closeRuns(
  transaction: Transaction,
  unseen: readonly UnseenRun[],
  by: RunAct,
): Promise<StoredRun[]> {
  const { batch: act, actor, nowMs, reason } = by;
  const [ids, ends] = [unseen.map((one) => one.id), unseen.map((one) => one.endedAtMs)];
  return (await transaction.rows(sql.close, { ids, ends, act, actor, nowMs, reason })).map(
    storedRunOf,
  );
}
