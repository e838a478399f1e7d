/** Imports of texts into a test database, and what the books hold afterwards. */
import type { ImportInput } from '../../client/import-input.js';
import {
  importRuns,
  type ImportFormat,
  type ImportOptions,
  type ImportProgress,
  type ImportResult,
} from '../../client/import-runs.js';
import { readBooks } from '../../db/books-store.js';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';
import type { TestDatabase } from './database.js';

type Format<F extends ImportFormat['format']> = Extract<ImportFormat, { format: F }>;

/** The csv format with canonical columns; `changes` as the flags would say them. */
export function csv(changes: Partial<Format<'csv'>> = {}): Format<'csv'> {
  return {
    format: 'csv',
    columns: { map: new Map(), set: new Map(), key: null },
    source: 'csv',
    zone: null,
    timeUnit: 'iso',
    timeOriginAtMs: 0,
    missingStart: 'reject',
    missingEnd: 'open',
    ...changes,
  };
}

/** The jsonl format with canonical names. */
export function jsonl(changes: Partial<Format<'jsonl'>> = {}): Format<'jsonl'> {
  return { ...csv(), format: 'jsonl', source: 'jsonl', ...changes };
}

export const sacct: Format<'sacct'> = {
  format: 'sacct',
  zone: null,
  source: null,
  pool: null,
  gres: new Map(),
};

/** The swf format whose jobs have a GPU each, counted from what the header says. */
export function swf(changes: Partial<Format<'swf'>> = {}): Format<'swf'> {
  return {
    format: 'swf',
    source: 'swf',
    zone: null,
    originAtMs: null,
    set: new Map([['gpus', '1']]),
    gpusOfJob: null,
    missingStart: 'reject',
    missingEnd: 'reject',
    ...changes,
  };
}

export interface TestImport extends Partial<Omit<ImportOptions, 'format'>> {
  readonly onProgress?: (progress: ImportProgress) => void;
}

/** Bytes in pieces, so that characters and lines are cut. */
async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) {
    yield await Promise.resolve(bytes.subarray(start, start + size));
  }
}

export function inputOf(content: string | Uint8Array, pieceBytes = 65_536): ImportInput {
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  return { name: 'test', stream: pieces(bytes, pieceBytes), totalBytes: bytes.length };
}

export async function importInput(
  test: TestDatabase,
  format: ImportFormat,
  input: ImportInput,
  { onProgress, ...options }: TestImport = {},
): Promise<ImportResult> {
  const books = await readBooks(test.database);
  if (books === null) throw new Error('no books');
  return importRuns(
    test.database,
    books,
    input,
    { format, partial: false, reopen: false, batchSize: 10_000, actor: 'tester', ...options },
    onProgress,
  );
}

export function importText(
  test: TestDatabase,
  format: ImportFormat,
  content: string | Uint8Array,
  options: TestImport = {},
): Promise<ImportResult> {
  return importInput(test, format, inputOf(content), options);
}

/** A line of sacct; fields that are not named have the values of an ordinary finished job. */
export function sacctLine(fields: Partial<Record<(typeof SACCT_FIELDS)[number], string>>): string {
  const usual: Partial<Record<string, string>> = {
    jobid: fields.jobidraw ?? '1',
    jobidraw: '1',
    cluster: 'hpc1',
    partition: 'gpu',
    account: 'physics',
    user: 'anna',
    uid: '1001',
    submit: '2026-01-01T09:00:00',
    eligible: '2026-01-01T09:00:00',
    start: '2026-01-01T10:00:00',
    end: '2026-01-01T11:00:00',
    state: 'COMPLETED',
    alloctres: 'cpu=8,gres/gpu=4,node=1',
    nodelist: 'n1',
    jobname: 'train',
    ...fields,
  };
  return SACCT_FIELDS.map((name) => usual[name] ?? '').join('|');
}

/** Every run in words, in the order of keys: what two ways to one state must agree on (G5). */
export function runsOf(test: TestDatabase): Promise<Record<string, unknown>[]> {
  return test.query(`
    select o.name as source, r.record_key, r.job_id, r.attempt, u.name as user, s.name as space, p.name as pool,
      r.milli_gpus, r.started_at_ms, r.ended_at_ms, r.reported_ended_at_ms, r.end_is_estimated, d.facts
    from run r
    join source o on o.id = r.source
    join usage_key k on k.id = r.usage_key
    join dim_user u on u.id = k.user_id
    join dim_space s on s.id = k.space_id
    join dim_pool p on p.id = k.pool_id
    left join run_detail d on d.run = r.id
    order by o.name collate "C", r.record_key collate "C"`);
}

/** One number: `select count(*) as n from ...`. */
export async function countOf(test: TestDatabase, table: string): Promise<number> {
  const [row] = await test.query<{ n: string }>(`select count(*) as n from ${table}`);
  return Number(row?.n);
}
