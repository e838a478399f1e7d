/**
 * Sources: what was declared of them, what is missing, and when they end. Owns reading these together and ending a source
 * as an act; the judgement is domain/coverage.ts.
 */
import { insertAct, type Doer } from '../db/batch-store.js';
import { databaseNowMs } from '../db/books-store.js';
import { endSource, listSources, readCoverage } from '../db/coverage-store.js';
import type { Database } from '../db/database.js';
import { runsBeyond } from '../db/run-store.js';
import { coveredUntil, uncovered } from '../domain/coverage.js';
import type { Span } from '../domain/period.js';
import { requiredReason } from './reason.js';

export { databaseNowMs } from '../db/books-store.js';

/** One source. */
export interface SourceView {
  readonly name: string;
  /** The newest import of its records that counts; null: none. */
  readonly newest: {
    readonly batch: bigint;
    readonly inputName: string;
    readonly importedAtMs: number;
    /** The latest start or end in it. */
    readonly lastAtMs: number;
  } | null;
  /** Null: nobody declared what its imports cover. */
  readonly declared: {
    readonly startAtMs: number;
    /** Without a gap since the start; exclusive. */
    readonly coveredUntilMs: number;
    /** What it should have delivered up to now and did not, in time order. */
    readonly gaps: readonly Span[];
  } | null;
  /** Nothing is expected of it from then on. */
  readonly endedAtMs: number | null;
}

/** The sources by name, as of one instant: database clock. */
export function viewSources(
  database: Database,
): Promise<{ readonly asOfMs: number; readonly sources: readonly SourceView[] }> {
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const asOfMs = await databaseNowMs(session);
    const { sources: declared } = await readCoverage(session);
    const sources = (await listSources(session)).map((row): SourceView => {
      const source = declared.find(({ name }) => name === row.name);
      const startAtMs = Math.min(...(source?.declared ?? []).map((span) => span.startAtMs));
      return {
        name: row.name,
        newest:
          row.batch === null
            ? null
            : {
                batch: row.batch,
                inputName: row.input_name ?? '',
                importedAtMs: row.started_at_ms ?? 0,
                lastAtMs: row.last_at_ms ?? 0,
              },
        declared:
          source === undefined
            ? null
            : {
                startAtMs,
                coveredUntilMs: coveredUntil(source),
                gaps: uncovered(source, { startAtMs, endAtMs: Math.max(asOfMs, startAtMs + 1) }),
              },
        endedAtMs: row.ended_at_ms,
      };
    });
    return { asOfMs, sources };
  });
}

/**
 * Notes that a source ended at an instant, or (null) that it goes on: an act, so `import undo` takes it back. Returns its
 * batch. NOT_FOUND.
 */
export async function endOneSource(
  database: Database,
  name: string,
  endedAtMs: number | null,
  doer: Doer,
): Promise<bigint> {
  const reason = requiredReason(doer.reason);
  return database.transaction({}, async (transaction) => {
    const nowMs = await databaseNowMs(transaction);
    const formerEndedAtMs = await endSource(transaction, name, endedAtMs);
    const counts = { endedAtMs, formerEndedAtMs };
    const act = {
      act: 'end-source' as const,
      subject: name,
      actor: doer.actor,
      reason,
      nowMs,
      counts,
    };
    return insertAct(transaction, act);
  });
}

/** What the books have of a source after an instant at which it is said to have ended. */
export interface AfterEnd {
  /** Runs that end later or are open. */
  readonly runs: number;
  /** The latest end or start of them; null without any. */
  readonly lastAtMs: number | null;
  /** Until when its imports were declared to cover it, when that is later; else null. */
  readonly declaredUntilMs: number | null;
}

export async function afterEnd(
  database: Database,
  name: string,
  endedAtMs: number,
): Promise<AfterEnd> {
  const { sources } = await readCoverage(database);
  const declared = sources.find((source) => source.name === name)?.declared ?? [];
  const untilMs = Math.max(endedAtMs, ...declared.map((span) => span.endAtMs));
  return {
    ...(await runsBeyond(database, name, endedAtMs)),
    declaredUntilMs: untilMs > endedAtMs ? untilMs : null,
  };
}
