/**
 * Books that begin while years of older records are there (B69), and backfills that are refused before anything starts
 * (B68), with a real worker.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, type BackfillRequest } from '../../client/backfill.js';
import { registerImport } from '../../client/commands/import.js';
import { readBooks } from '../../db/books-store.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import type { usageTick } from '../../workflows/index.js';
import { logWriter, type LogOptions } from '../../workers/log.js';
import { installRuntime } from '../../workers/runtime.js';
import { runCommand } from '../support/command-run.js';
import { contentsOf } from '../support/contents.js';
import { ledgerDigests } from '../support/runs.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

let books: TemporalBooks;
let folder: string;
const lines: string[] = [];

beforeAll(async () => {
  books = await openTemporalBooks('UTC');
  folder = await mkdtemp(join(tmpdir(), 'jobhours-first-'));
  const options: LogOptions = { level: 'warn', format: 'lines', secrets: [] };
  const stream = { write: (line: string): void => void lines.push(line) };
  // The worker takes the runtime that is there.
  await installRuntime({ ...options, metricsAddress: null }, logWriter(options, stream));
  await books.work();
}, 60_000);
afterAll(async () => {
  await books.close();
  await rm(folder, { recursive: true });
}, 60_000);

describe('a backfill that is refused', () => {
  const [then, later] = [Date.UTC(2090, 0), Date.UTC(2090, 1)];

  it.each<[string, string, Partial<BackfillRequest>, RegExp]>([
    [
      'PERIOD_OPEN',
      'in the future',
      { start: then, end: later },
      /^the range ends at 2090-02-01T00:00\+00:00; only hours up to 20\S+ are over and due$/,
    ],
    [
      'PERIOD_OPEN',
      'up to the future',
      { end: later },
      /^the range ends at 2090-02-01T00:00\+00:00; only hours up to 20\S+ are over and due$/,
    ],
    [
      'RANGE_INVALID',
      'that ends before it starts',
      { start: later, end: then },
      /^the range ends at 2090-01-01T00:00:00\.000Z, which is not after its start 2090-02-01T00:00:00\.000Z$/,
    ],
  ])('changes nothing and starts nothing: %s of a range %s (B68)', async (code, _, range, told) => {
    const before = await contentsOf(books.test);
    const request: BackfillRequest = {
      ...{ start: Date.UTC(2026, 0), end: 'now', lanes: 1, reprocess: 'stale', name: 'refused' },
      ...range,
    };
    await expect(createBackfill(books.temporal, books, request)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(told) as unknown,
    });
    expect(await contentsOf(books.test)).toEqual(before);
    const handle = books.temporal.client.workflow.getHandle(books.names.backfill('refused'));
    await expect(handle.describe()).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
  });
});

describe('the first run with three years of older records (B69)', () => {
  const DAYS = 1_096;
  const OLDEST_DAYS_AGO = [DAYS, 400, 1];
  /** The hour in which the oldest run begins. */
  let firstHourMs: number;

  it('is announced by the import: their number and the command that includes them', async () => {
    firstHourMs = books.calendar.startOf('hour', Date.now()) - DAYS * MS_PER_DAY;
    const starts = OLDEST_DAYS_AGO.map(
      (daysAgo) => firstHourMs + (DAYS - daysAgo) * MS_PER_DAY + 90_000,
    );
    // The last one is not older, even when another hour begins meanwhile.
    const rows = [...starts, Date.now() + 4 * MS_PER_MINUTE].map(
      (startedAtMs, row) => `anna,1,${row},${instantText(startedAtMs)},`,
    );
    const file = join(folder, 'records.csv');
    await writeFile(file, ['user,gpus,job_id,start,end', ...rows].join('\n'));
    const run = await runCommand(books.test, registerImport, ['import', 'csv', file], {
      wakeKeeper: () => Promise.resolve(null),
    });
    expect(run.error).toBeNull();
    expect(run.stderr).toContain('NOTE: 3 runs started before the books begin');
    expect(run.stderr).toContain('Next: jobhours backfill create --start oldest --wait\n');
  });

  it('warns by FIRST_RUN of their number, the hours and the command, and goes on from now', async () => {
    const { outcome } = await books.temporal.client.workflow.execute<typeof usageTick>(
      'usageTick',
      {
        workflowId: `${books.names.schedule('hour')}-1`,
        taskQueue: books.names.usageQueue,
        args: [{ booksName: books.books.name, coarsest: 'hour', limits: LIMITS }],
      },
    );
    const origin = (await readBooks(books.database))?.originAtMs ?? 0;
    expect(Date.now() - origin).toBeLessThan(MS_PER_HOUR + MS_PER_MINUTE);
    const hours = (origin - firstHourMs) / MS_PER_HOUR;
    expect(hours).toBeGreaterThanOrEqual(DAYS * 24);
    expect(outcome).toBe(
      `first run: the books are kept from ${instantText(origin)}, nothing is built yet; 3 older runs in ${hours} hours are not included: jobhours backfill create --start oldest`,
    );
    await until('the warning', () => Promise.resolve(lines.length > 0));
    const facts = { code: 'FIRST_RUN', originAtMs: origin, olderRuns: 3, olderHours: hours };
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 40, msg: outcome, ...facts },
    ]);
    expect(await ledgerDigests(books.test)).toEqual([]);
  });
});
