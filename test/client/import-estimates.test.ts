/** Imports and undos do not take the square of their rows when the server knows nothing of them, or believes that there are none. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { undoBatch } from '../../client/import-undo.js';
import type { Database } from '../../db/database.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { csv, importText } from '../support/imports.js';

const LINES = 20_000;
const FEW_LINES = 5_000;
/** With a right estimate each step takes 3 s; with a wrong one a correction took 200 s and an undo 34 s. */
const TIMEOUT_MS = 30_000;

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  await importGpus(1);
}, TIMEOUT_MS);
afterAll(() => test.close());

/** As autovacuum leaves it when it looks while an import is at work: many pages, of which no row counts yet. */
beforeEach(() =>
  test.query(`update pg_class set reltuples = 0, relpages = 1000
    where relkind = 'r' and relnamespace = 'public'::regnamespace`),
);

function linesOf(gpus: number, lines = LINES): string {
  const rows = Array.from(
    { length: lines },
    (_, job) => `u${job % 50},lab,${job},${gpus},2026-01-01T10:00:00Z,2026-01-01T11:00:00Z,long\n`,
  );
  return `user,space,job_id,gpus,start,end,queue\n${rows.join('')}`;
}

async function importGpus(gpus: number): Promise<bigint> {
  return BigInt((await importText(test, csv(), linesOf(gpus))).summary.batch ?? 0);
}

const believed = async (): Promise<unknown> =>
  (
    await test.query(`select reltuples::integer as rows from pg_class where oid = 'run'::regclass`)
  )[0];

let corrected: bigint;
it(
  `corrects ${LINES} runs`,
  async () => {
    corrected = await importGpus(2);
    expect(await believed()).toEqual({ rows: LINES });
  },
  TIMEOUT_MS,
);

it(
  `takes ${LINES} corrections back`,
  async () => {
    const undone = await undoBatch(test.database, corrected, { actor: 'ops', reason: 'wrong' });
    expect(undone).toMatchObject({ restored: LINES });
    expect(await believed()).toEqual({ rows: LINES });
  },
  TIMEOUT_MS,
);

const TABLES = ['run', 'run_detail', 'staged_record', 'staged_run'];
/** Rows that a look at a whole table gave, by table, until now. */
const READ_WHOLE = {
  name: 'test/read-whole',
  text: `select relname as table, seq_tup_read as rows from pg_stat_user_tables
    where relname in (${TABLES.map((table) => `'${table}'`).join(', ')})`,
  params: {},
  row: { table: 'text', rows: 'count' },
} as const;
const FLUSH = {
  name: 'test/flush',
  text: 'select from pg_stat_force_next_flush()',
  params: {},
  row: {},
} as const;

/** What imports of all lines, of all again and of all corrected, in ranges of so many runs, read whole in each table. */
async function wholeReads(batchSize: number): Promise<Map<string, number>[]> {
  const fresh = await createTestDatabase();
  try {
    await openTestBooks(fresh);
    // As in the first minute of a large import: nobody has looked at the tables that it fills.
    for (const table of ['run', 'run_detail']) {
      await fresh.query(`alter table ${table} set (autovacuum_enabled = off)`);
    }
    const reads: Map<string, number>[] = [];
    // Temporary tables are gone with the connection of the import, so it says itself what it read.
    const connection: Database['connection'] = (work) =>
      fresh.database.connection(async (session) => {
        const result = await work(session);
        await session.one(FLUSH, {});
        const rows = await session.rows(READ_WHOLE, {});
        reads.push(new Map(rows.map(({ table, rows: read }) => [table, read])));
        return result;
      });
    const database = Object.create(fresh.database, {
      connection: { value: connection },
    }) as Database;
    for (const gpus of [1, 1, 2]) {
      await importText({ ...fresh, database }, csv(), linesOf(gpus, FEW_LINES), { batchSize });
    }
    return reads;
  } finally {
    await fresh.close();
  }
}

it(
  'reads no table whole for each range of its runs',
  async () => {
    const many = await wholeReads(FEW_LINES / 40);
    const few = await wholeReads(FEW_LINES / 2);
    for (const reads of [...many, ...few]) expect([...reads.keys()].sort()).toEqual(TABLES);
    expect(many.length).toBe(few.length);
    for (const [n, reads] of many.entries()) {
      const wholeOf = (table: string): number => few[n]?.get(table) ?? 0;
      // Every import reads its own records whole, to judge them: without that nothing was counted.
      expect(wholeOf('staged_record')).toBeGreaterThanOrEqual(FEW_LINES);
      expect(TABLES.filter((table) => (reads.get(table) ?? Infinity) > wholeOf(table))).toEqual([]);
    }
  },
  TIMEOUT_MS,
);
