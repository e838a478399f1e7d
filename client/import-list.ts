/** Imports and acts by hand, for people who look at them. Owns what is put together; rows are db/batch-store.ts. */
import {
  batchCoverage,
  batchSources,
  countEffects,
  findBatch,
  listBatches,
  type Batch,
  type BatchCoverage,
  type BatchEffects,
  type BatchSource,
} from '../db/batch-store.js';
import type { Database } from '../db/database.js';

export type { Batch, BatchEffects, BatchSource, Doer } from '../db/batch-store.js';

/** What changed the books, the newest first. */
export function listImports(database: Database, limit: number): Promise<Batch[]> {
  return listBatches(database, limit);
}

export interface ShownImport {
  readonly batch: Batch;
  readonly effects: BatchEffects;
  readonly sources: readonly BatchSource[];
  /** What `--covers` declared. */
  readonly coverage: readonly BatchCoverage[];
}

/** One of them, and what stands in the books because of it. NOT_FOUND. */
export function showImport(database: Database, id: bigint): Promise<ShownImport> {
  return database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    async (session) => ({
      batch: await findBatch(session, id),
      effects: await countEffects(session, id),
      sources: await batchSources(session, id),
      coverage: await batchCoverage(session, id),
    }),
  );
}
