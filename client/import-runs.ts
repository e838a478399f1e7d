/**
 * Imports: an input becomes runs, or is refused as a whole (DESIGN section 5). Owns the order of the steps: stage
 * everything, judge it, then apply it in batches; each step's SQL is db/import-store.ts. A crash between two
 * batches is healed by repeating the import: what is there already is not written again.
 */
import { databaseNowMs, readBooks, type Books } from '../db/books-store.js';
import type { Connection, Database, Session } from '../db/database.js';
import {
  applyRange,
  resolveStagedRuns,
  sumOf,
  type ApplyOptions,
  type Corrections,
} from '../db/import-apply.js';
import {
  createStaging,
  finishBatch,
  insertBatch,
  judgeKeys,
  rejectsAfter,
  stageRecords,
  type Reject,
} from '../db/import-store.js';
import { isJobhoursError, JobhoursError } from '../domain/errors.js';
import type { FeedRules } from '../domain/feed-record.js';
import { refuseFuture, type JudgedRecord, type RecordRules } from '../domain/run-record.js';
import { MS_PER_HOUR } from '../domain/units.js';
import type { ColumnOptions } from './formats/csv-columns.js';
import { csvRecords } from './formats/csv.js';
import { sacctRecords } from './formats/sacct.js';
import type { ImportInput } from './import-input.js';
import type { RejectPages } from './import-rejects.js';
import {
  firstRejects,
  rejectedRecords,
  summaryOf,
  type ImportChanges,
  type ImportSummary,
} from './import-summary.js';

/** How the input is written, and what stands for what it does not say. */
export type ImportFormat =
  | { readonly format: 'sacct'; readonly zone: string | null }
  | ({ readonly format: 'csv'; readonly columns: ColumnOptions } & Omit<
      FeedRules,
      'nowMs' | 'minimumRunMs'
    >);

export interface ImportOptions {
  readonly format: ImportFormat;
  /** Apply the good records although others were rejected. */
  readonly partial: boolean;
  /** Let a record without an end replace one with an end. */
  readonly reopen: boolean;
  /** Records in one transaction, at least 1. */
  readonly batchSize: number;
  /** Who imports, for the history of corrected runs. */
  readonly actor: string;
  /** Gets all rejected records before anything is applied. */
  readonly writeRejects?: (pages: RejectPages) => Promise<void>;
}

export interface ImportProgress {
  readonly step: 'read' | 'judge' | 'apply';
  readonly bytes: number;
  readonly totalBytes: number | null;
  /** Records read, or applied. */
  readonly records: number;
}

export interface ImportResult {
  readonly summary: ImportSummary;
  /** The first rejected records, at most 20. */
  readonly rejects: readonly Reject[];
  /** The database's clock when the import began. */
  readonly nowMs: number;
}

const REJECT_PAGE = 1_000;
/** Tries of one batch when another transaction was in its way. */
const BATCH_TRIES = 5;

/**
 * Imports one input. Its result says what was counted, set aside and rejected; with rejects and without `partial`
 * nothing was applied (`summary.batch` is null). DEMO_BOOKS; errors of the format that spoil the whole input.
 */
export async function importRuns(
  database: Database,
  books: Books,
  input: ImportInput,
  options: ImportOptions,
  onProgress: (progress: ImportProgress) => void = () => undefined,
): Promise<ImportResult> {
  if (books.isDemo) {
    throw new JobhoursError(
      'DEMO_BOOKS',
      "the demo books refuse imports: stop the demo and start 'jobhours dev' for books of your own",
    );
  }
  return database.connection(async (connection) => {
    const nowMs = await databaseNowMs(connection);
    const work = new Import(connection, books, input, options, nowMs, onProgress);
    return work.run();
  });
}

class Import {
  private keptColumns: readonly string[] = [];
  private bytes = 0;

  constructor(
    private readonly connection: Connection,
    private readonly books: Books,
    private readonly input: ImportInput,
    private readonly options: ImportOptions,
    private readonly nowMs: number,
    private readonly onProgress: (progress: ImportProgress) => void,
  ) {}

  async run(): Promise<ImportResult> {
    const { connection, options } = this;
    await createStaging(connection);
    await connection.transaction({}, (transaction) =>
      stageRecords(transaction, this.countedRecords()),
    );
    this.report('judge', 0);
    await judgeKeys(connection);
    await options.writeRejects?.(rejectPages(connection));
    const judged = await this.summary(null);
    const isApplied = judged.records > 0 && (options.partial || rejectedRecords(judged) === 0);
    const summary = isApplied ? await this.apply() : judged;
    return { summary, rejects: await firstRejects(connection), nowMs: this.nowMs };
  }

  private report(step: ImportProgress['step'], records: number): void {
    this.onProgress({ step, bytes: this.bytes, totalBytes: this.input.totalBytes, records });
  }

  private async *countedBytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.input.stream) {
      this.bytes += chunk.byteLength;
      yield chunk;
    }
  }

  private async *countedRecords(): AsyncGenerator<readonly JudgedRecord[]> {
    let records = 0;
    for await (const batch of this.records()) {
      records += batch.length;
      yield batch;
      this.report('read', records);
    }
  }

  private records(): AsyncIterable<readonly JudgedRecord[]> {
    const { format } = this.options;
    const rules: RecordRules = {
      nowMs: this.nowMs,
      minimumRunMs: this.books.minimumRunMs,
      zone: format.zone,
    };
    if (format.format === 'sacct') return sacctRecords(this.countedBytes(), rules);
    const { missingStart, missingEnd, columns } = format;
    if (typeof missingStart === 'number') refuseFuture('--missing-start', missingStart, this.nowMs);
    if (typeof missingEnd === 'number') refuseFuture('--missing-end', missingEnd, this.nowMs);
    return csvRecords(this.countedBytes(), columns, { ...format, ...rules }, (kept) => {
      this.keptColumns = kept;
    });
  }

  private async summary(changes: ImportChanges | null): Promise<ImportSummary> {
    // The origin may have moved while the input was read.
    const origin = (await readBooks(this.connection))?.originAtMs ?? null;
    const facts = {
      input: this.input.name,
      format: this.options.format.format,
      originAtMs: origin ?? Math.floor(this.nowMs / MS_PER_HOUR) * MS_PER_HOUR,
      keptColumns: this.keptColumns,
    };
    return summaryOf(this.connection, facts, changes);
  }

  private async apply(): Promise<ImportSummary> {
    const { connection, options, nowMs, input } = this;
    const { actor, reopen } = options;
    const identity = { format: options.format.format, inputName: input.name, actor };
    const batch = await insertBatch(connection, identity, nowMs);
    const runs = await connection.transaction({}, resolveStagedRuns);
    const changes = await this.applyBatches(runs, {
      batch,
      actor,
      inputName: input.name,
      nowMs,
      reopen,
    });
    const summary = await this.summary(changes);
    await connection.transaction({}, (transaction) =>
      finishBatch(transaction, batch, nowMs, { ...summary }),
    );
    return summary;
  }

  private async applyBatches(runs: number, options: ApplyOptions): Promise<ImportChanges> {
    let [added, kept] = [0, 0];
    let corrections: Corrections | null = null;
    for (let after = 0; after < runs; after += this.options.batchSize) {
      const places = { after, through: Math.min(runs, after + this.options.batchSize) };
      const applied = await retried(() =>
        this.connection.transaction({}, (transaction) => applyRange(transaction, places, options)),
      );
      added += applied.added;
      kept += applied.kept;
      corrections = sumOf(corrections, applied.corrections);
      this.report('apply', places.through);
    }
    return { batch: options.batch, added, kept, corrections };
  }
}

async function* rejectPages(session: Session): RejectPages {
  for (let after = 0; ;) {
    const page = await rejectsAfter(session, after, REJECT_PAGE);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last.line;
  }
}

/** Two imports of the same keys can deadlock when runs appear between their looks: the loser tries again. */
async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= BATCH_TRIES || !isJobhoursError(error, 'REPLAN')) throw error;
    }
  }
}
