/** Imports and undos do not take the square of their rows when the server believes that there are none. */
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { undoBatch } from '../../client/import-undo.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { csv, importText } from '../support/imports.js';

const LINES = 20_000;
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

async function importGpus(gpus: number): Promise<bigint> {
  const rows = Array.from(
    { length: LINES },
    (_, job) => `u${job % 50},lab,${job},${gpus},2026-01-01T10:00:00Z,2026-01-01T11:00:00Z\n`,
  );
  const text = `user,space,job_id,gpus,start,end\n${rows.join('')}`;
  return BigInt((await importText(test, csv(), text)).summary.batch ?? 0);
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
