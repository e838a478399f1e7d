/** What db/migrations/0008_corrections.sql makes of imports and corrections of the version before: they can be undone. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { undoBatch } from '../../client/import-undo.js';
import { overdueRuns } from '../../client/run-list.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf } from '../support/imports.js';
import { insertRuns } from '../support/runs.js';

const MIGRATIONS = new URL('../../db/migrations/', import.meta.url);
const START = Date.UTC(2026, 0, 1, 10);
const HOUR_MS = 3_600_000;
const DOER = { actor: 'ops', reason: 'test' };

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await test.query('drop schema public cascade');
  await test.query('create schema public');
  const files = readdirSync(MIGRATIONS).sort();
  const apply = async (names: readonly string[]): Promise<void> => {
    for (const name of names) await test.query(readFileSync(new URL(name, MIGRATIONS), 'utf8'));
  };
  await apply(files.slice(0, 7));
  const run = { user: 'anna', milliGpus: 1_000, startedAtMs: START };
  await insertRuns(test, [
    { ...run, key: 'open', endedAtMs: null },
    { ...run, key: 'changed', endedAtMs: START + HOUR_MS },
    { ...run, key: 'late', startedAtMs: START + HOUR_MS, endedAtMs: START + 2 * HOUR_MS },
  ]);
  await test.query(`
    insert into import_batch (format, input_name, actor, started_at_ms, applied_at_ms)
    values ('csv', 'first', 'root', 1, 1), ('csv', 'second', 'root', 2, 2);
    update run set batch = 1;
    insert into run_history (run, former, change, batch, actor, at_ms, reason)
    select id, to_jsonb(run), 'corrected', 2, 'root', 2, 'import of second' from run where record_key = 'changed';
    update run set milli_gpus = 8000, batch = 2 where record_key = 'changed';
    update run set batch = 2 where record_key = 'late'`);
  await apply(files.slice(7));
  await openTestBooks(test);
});
afterAll(() => test.close());

describe('books of the version before corrections', () => {
  it('know how far their imports reached: an open run that the second one did not show is overdue', async () => {
    const overdue = await overdueRuns(test.database, { user: null, source: null }, 10);
    expect(overdue).toMatchObject([
      { key: 'open', because: 'unseen', unseenBatch: 2n, sinceMs: START },
    ]);
  });

  it('refuse to undo the first import before the second, and undo both in that order', async () => {
    await expect(undoBatch(test.database, 1n, DOER)).rejects.toMatchObject({
      code: 'UNDO_CONFLICT',
      details: { by: ['2'] },
    });
    expect(await undoBatch(test.database, 2n, DOER)).toMatchObject({ removed: 1, restored: 1 });
    expect(await countOf(test, 'run where milli_gpus = 1000 and batch = 1')).toBe(2);
    expect(await undoBatch(test.database, 1n, DOER)).toMatchObject({ removed: 2, restored: 0 });
    expect(await countOf(test, 'run')).toBe(0);
  });
});
