/** Records that imports with `--partial` left out, until somebody dismisses them. Owns these rows. */
import type { ErrorCode } from '../domain/errors.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

const sql = statements('reject', {
  list: {
    params: {
      batch: 'int8?',
      withDismissed: 'bool',
      afterBatch: 'int8',
      afterLine: 'int8',
      limit: 'count',
    },
    row: {
      batch: 'int8',
      line: 'count',
      code: 'text',
      detail: 'text',
      record: 'text',
      at_ms: 'instant',
      dismissed_at_ms: 'instant?',
      dismissed_reason: 'text?',
      dismissed_by: 'text?',
    },
  },
  dismiss: {
    params: { batch: 'int8', line: 'int8?', dismissedBy: 'int8', nowMs: 'instant', reason: 'text' },
    row: {},
  },
});

/** A record that an import with `--partial` left out. */
export interface StoredReject {
  readonly batch: bigint;
  readonly line: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly record: string;
  readonly atMs: number;
  readonly dismissed: {
    readonly atMs: number;
    readonly reason: string;
    readonly actor: string;
  } | null;
}

export interface RejectsAsked {
  /** Null: of all imports. */
  readonly batch: bigint | null;
  readonly withDismissed: boolean;
  /** After this one, exclusive. */
  readonly after: { readonly batch: bigint; readonly line: number };
  readonly limit: number;
}

/** Rejected records by batch and line. */
export async function listRejects(session: Session, asked: RejectsAsked): Promise<StoredReject[]> {
  const { batch, withDismissed, after, limit } = asked;
  const params = {
    batch,
    withDismissed,
    afterBatch: after.batch,
    afterLine: BigInt(after.line),
    limit,
  };
  return (await session.rows(sql.list, params)).map((one) => ({
    batch: one.batch,
    line: one.line,
    code: one.code as ErrorCode,
    detail: one.detail,
    record: one.record,
    atMs: one.at_ms,
    dismissed:
      one.dismissed_at_ms === null
        ? null
        : {
            atMs: one.dismissed_at_ms,
            reason: one.dismissed_reason ?? '',
            actor: one.dismissed_by ?? '',
          },
  }));
}

/** Dismisses open rejects of an import, or the one of a line, and equal ones of other imports; returns how many. */
export function dismissRejects(
  session: Session,
  which: { readonly batch: bigint; readonly line: number | null },
  by: { readonly batch: bigint; readonly nowMs: number; readonly reason: string },
): Promise<number> {
  return session.execute(sql.dismiss, {
    batch: which.batch,
    line: which.line === null ? null : BigInt(which.line),
    dismissedBy: by.batch,
    nowMs: by.nowMs,
    reason: by.reason,
  });
}
