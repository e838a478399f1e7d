/** What foreign keys would guarantee of runs, asked once for each statement (migration 0011). */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, importText, sacct, sacctLine } from '../support/imports.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  await importText(test, sacct, [sacctLine({}), sacctLine({ jobidraw: '2' })].join('\n'));
});
afterAll(() => test.close());

const COPIED = 'job_id, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms';
/** A run like those that are there, with a value of its own in one column; as many as there are runs. */
const insertWith = (column: 'source' | 'usage_key' | 'batch', value: number): string => {
  const others = ['source', 'usage_key', 'batch'].filter((name) => name !== column).join(', ');
  return `insert into run (record_key, ${column}, ${others}, ${COPIED})
    select 'x' || id, ${value}, ${others}, ${COPIED} from run`;
};

describe('a run', () => {
  it.each([
    [insertWith('source', 77), 'source 77'],
    [insertWith('usage_key', 78), 'usage key 78'],
    [insertWith('batch', 79), 'batch 79'],
    ['update run set source = 77', 'source 77'],
    ['update run set usage_key = 78', 'usage key 78'],
    ['update run set batch = 79 where id = (select max(id) from run)', 'batch 79'],
  ])('cannot refer to what is not there: %s', async (statement, what) => {
    await expect(test.query(statement)).rejects.toMatchObject({
      code: '23503',
      message: `a run refers to ${what}, which does not exist`,
    });
    const replica = await test.connect();
    await replica.query('set session_replication_role = replica');
    await expect(replica.query(statement)).rejects.toMatchObject({ code: '23503' });
    expect(await countOf(test, 'run')).toBe(2);
  });

  it('keeps its source, its usage key and its batch', async () => {
    for (const statement of [
      'delete from source',
      'delete from usage_key',
      'truncate usage_key cascade',
      'delete from import_batch',
    ]) {
      await expect(test.query(statement)).rejects.toMatchObject({ code: '23503' });
    }
    expect(await countOf(test, 'run')).toBe(2);
  });

  it('takes its details with it, and no detail is without a run', async () => {
    expect(await countOf(test, 'run_detail')).toBe(2);
    await test.query('delete from run where id = (select max(id) from run)');
    expect(await countOf(test, 'run_detail')).toBe(1);
    const stray = test.query(`insert into run_detail (run, facts) values (4711, '{}')`);
    await expect(stray).rejects.toMatchObject({ code: '23503' });
  });
});
