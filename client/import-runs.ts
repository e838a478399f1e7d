/**
 * Imports: an input becomes runs, or is refused as a whole (DESIGN section 5). Owns the order of the steps: stage
 * everything, judge it, then apply it in batches; each step's SQL is db/import-store.ts. A crash between two
 * batches is healed by repeating the import: what is there already is not written again.
 */
import { createHash } from 'node:crypto';
import { takeTurn } from '../db/books-lock.js';
import { databaseNowMs, readBooks, refuseDemo, type Books } from '../db/books-store.js';
import { declareCoverage, type DeclaredCoverage } from '../db/coverage-store.js';
import type { Connection, Database, Session } from '../db/database.js';
import {
  applyRange,
  countApplied,
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
import { JobhoursError } from '../domain/errors.js';
import { refuseFuture, type JudgedRecord } from '../domain/run-record.js';
import { MS_PER_HOUR } from '../domain/units.js';
import { judgedRecords, type ImportFormat } from './import-format.js';
import type { ImportInput } from './import-input.js';
import type { RejectPages } from './import-rejects.js';
import {
  firstRejects,
  rejectedRecords,
  summaryOf,
  type ImportChanges,
  type ImportSummary,
} from './import-summary.js';
import { retried } from './retried.js';
import { InputNotes } from './input-notes.js';

export type { DeclaredCoverage } from '../db/coverage-store.js';
export type { ImportFormat } from './import-format.js';

export interface ImportOptions {
  readonly format: ImportFormat;
  /** Apply the good records although others were rejected. */
  readonly partial: boolean;
  /** Let a record without an end replace one with an end. */
  readonly reopen: boolean;
  /** Records in one transaction, at least 1. */
  readonly batchSize: number;
  /** Bytes that a compressed input may come to; null = the usual limits. */
  readonly maxDecompressedBytes?: number | null;
  /** What the input has of its sources, wholly; null: nobody says. */
  readonly covers?: DeclaredCoverage | null;
  /** Who imports, for the history of corrected runs. */
  readonly actor: string;
  /** Gets all rejected records before anything is applied. */
  readonly writeRejects?: (pages: RejectPages) => Promise<void>;
}

export interface ImportProgress {
  /** `wait`: another import is being applied. */
  readonly step: 'read' | 'judge' | 'wait' | 'apply';
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
  refuseDemo(books);
  return database.connection(async (connection) => {
    const nowMs = await databaseNowMs(connection);
    if (options.covers) refuseFuture('--covers', options.covers.endAtMs, nowMs);
    const work = new Import(connection, books, input, options, nowMs, onProgress);
    return work.run();
  });
}

class Import {
  private readonly notes = new InputNotes();
  private readonly sha256 = createHash('sha256');
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
    await judgeKeys(connection, readAsOf(options.format));
    await options.writeRejects?.(rejectPages(connection));
    const judged = await this.summary(null);
    const { covers = null } = options;
    if (covers !== null && covers.source === null && judged.runs === 0) throw noSource();
    const hasWork = judged.records > 0 || covers !== null;
    const isApplied = hasWork && (options.partial || rejectedRecords(judged) === 0);
    const summary = isApplied ? await this.apply() : judged;
    return { summary, rejects: await firstRejects(connection), nowMs: this.nowMs };
  }

  private report(step: ImportProgress['step'], records: number): void {
    this.onProgress({ step, bytes: this.bytes, totalBytes: this.input.totalBytes, records });
  }

  private async *countedBytes(): AsyncGenerator<Uint8Array> {
    for await (const chunk of this.input.stream) {
      this.bytes += chunk.byteLength;
      this.sha256.update(chunk);
      yield chunk;
    }
  }

  private async *countedRecords(): AsyncGenerator<readonly JudgedRecord[]> {
    const { format, maxDecompressedBytes = null } = this.options;
    const rules = { nowMs: this.nowMs, minimumRunMs: this.books.minimumRunMs };
    const stream = this.countedBytes();
    let records = 0;
    for await (const batch of judgedRecords(
      stream,
      format,
      rules,
      maxDecompressedBytes,
      this.notes,
    )) {
      records += batch.length;
      this.notes.add(batch);
      yield batch;
      this.report('read', records);
    }
  }

  /** What makes this import the same as another: the bytes, and how they are read. Call it once, when all are read. */
  private content(): string {
    const { format, reopen } = this.options;
    const read = JSON.stringify({ format, reopen }, (_, value: unknown) =>
      value instanceof Map ? [...(value as ReadonlyMap<unknown, unknown>)] : value,
    );
    return this.sha256.update(read).digest('hex');
  }

  private async summary(changes: ImportChanges | null): Promise<ImportSummary> {
    // The origin may have moved while the input was read.
    const origin = (await readBooks(this.connection))?.originAtMs ?? null;
    const facts = {
      input: this.input.name,
      format: this.options.format.format,
      originAtMs: origin ?? Math.floor(this.nowMs / MS_PER_HOUR) * MS_PER_HOUR,
      notes: this.notes,
    };
    return summaryOf(this.connection, facts, changes);
  }

  private async apply(): Promise<ImportSummary> {
    const { connection, options, nowMs, input } = this;
    const { actor, reopen, format } = options;
    const identity = {
      ...{ format: format.format, inputName: input.name, actor, reopen },
      ...{ content: this.content(), readAs: readAsOf(format) },
    };
    await takeTurn(connection, () => this.report('wait', 0));
    const batch = await connection.transaction({}, (transaction) =>
      insertBatch(transaction, identity, nowMs),
    );
    const runs = await retried(() =>
      connection.transaction({}, (transaction) => resolveStagedRuns(transaction, batch)),
    );
    const changes = await this.applyBatches(runs, {
      batch,
      actor,
      reason: `import of ${input.name}`,
      nowMs,
      reopen,
    });
    const summary = await this.summary(changes);
    await connection.transaction({}, async (transaction) => {
      const finishedAtMs = await databaseNowMs(transaction);
      await finishBatch(transaction, batch, finishedAtMs, { ...summary });
      if (options.covers) await declareCoverage(transaction, batch, options.covers);
    });
    return summary;
  }

  private async applyBatches(runs: number, options: ApplyOptions): Promise<ImportChanges> {
    let [added, kept, pinned] = [0, 0, 0];
    let corrections: Corrections | null = null;
    for (let after = 0; after < runs; after += this.options.batchSize) {
      const places = { after, through: Math.min(runs, after + this.options.batchSize) };
      // Other writers of the same runs can deadlock with it: the loser tries again.
      const applied = await retried(() =>
        this.connection.transaction({}, async (transaction) => {
          const done = await applyRange(transaction, places, options);
          await countApplied(transaction, options.batch, places.through);
          return done;
        }),
      );
      added += applied.added;
      kept += applied.kept;
      pinned += applied.pinned;
      corrections = sumOf(corrections, applied.corrections);
      this.report('apply', places.through);
    }
    return { batch: options.batch, added, kept, pinned, corrections };
  }
}

/** The zone of sacct's times, which are part of its keys; null: the keys of other formats stay in every zone. */
function readAsOf(format: ImportFormat): string | null {
  return format.format === 'sacct' ? (format.zone ?? 'UTC') : null;
}

function noSource(): JobhoursError {
  return new JobhoursError(
    'USAGE',
    '--covers: no record of the input is a run, so nobody knows whose coverage it is: give --source',
  );
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
