/** Rejected records that wait for somebody: listing and dismissing them. Owns the steps; rows are db/reject-store.ts. */
import { findBatch, insertAct, setCounts, type Doer } from '../db/batch-store.js';
import { databaseNowMs } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import { dismissRejects, listRejects, type StoredReject } from '../db/reject-store.js';
import { JobhoursError } from '../domain/errors.js';
import { requiredReason } from './reason.js';

export type { StoredReject } from '../db/reject-store.js';

const PAGE = 1_000;

/** Rejected records by batch and line. `batch`: null = of all; NOT_FOUND when there is no such import. */
export async function* storedRejects(
  database: Database,
  batch: bigint | null,
  withDismissed: boolean,
): AsyncGenerator<StoredReject> {
  if (batch !== null) await findBatch(database, batch);
  let after = { batch: 0n, line: 0 };
  for (;;) {
    const page = await listRejects(database, { batch, withDismissed, after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = { batch: last.batch, line: last.line };
  }
}

/**
 * Dismisses the open rejects of an import, or the one of a line: nothing waits for them any more. Returns the act's
 * batch and how many. NOT_FOUND when none is open there.
 */
export function dismissStoredRejects(
  database: Database,
  which: { readonly batch: bigint; readonly line: number | null },
  doer: Doer,
): Promise<{ readonly batch: bigint; readonly dismissed: number }> {
  const reason = requiredReason(doer.reason);
  return database.transaction({}, async (transaction) => {
    await findBatch(transaction, which.batch);
    const nowMs = await databaseNowMs(transaction);
    const place = which.line === null ? '' : `, line ${which.line}`;
    const subject = `rejects of import ${which.batch}${place}`;
    const act = { act: 'dismiss', subject, actor: doer.actor, reason, nowMs } as const;
    const batch = await insertAct(transaction, act);
    const dismissed = await dismissRejects(transaction, which, { batch, nowMs, reason });
    if (dismissed === 0) {
      throw new JobhoursError('NOT_FOUND', `there are no open ${subject}`);
    }
    await setCounts(transaction, batch, { rejects: dismissed });
    return { batch, dismissed };
  });
}
