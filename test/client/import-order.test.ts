/** Order, batches, crashes and rivals: whatever happens between the batches, repeating leads to one state (G5, G8). */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, csv, importText, runsOf, sacct, sacctLine } from '../support/imports.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
afterEach(async () => {
  await test.query('delete from run_history');
  await test.query('delete from run');
  await test.query('delete from usage_change');
});
afterAll(() => test.close());

/** 400 jobs with repeated lines, running ones and ones that never started. */
function lines(seed: number): string[] {
  const jobs = Array.from({ length: 400 }, (_, index) => {
    const id = String(1000 + index);
    const minute = String(index % 60).padStart(2, '0');
    const open = index % 17 === 0 ? { end: 'Unknown', state: 'RUNNING' } : {};
    const nodes = index % 23 === 0 ? { nodelist: 'None assigned' } : {};
    const user = `user${index % 7}`;
    return sacctLine({
      jobidraw: id,
      user,
      start: `2026-01-01T10:${minute}:00`,
      ...open,
      ...nodes,
    });
  });
  return shuffled([...jobs, ...jobs.slice(0, 50)], seed);
}

/** Fisher and Yates with a linear congruential generator: the same order for the same seed. */
function shuffled<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let index = result.length - 1; index > 0; index -= 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = state % (index + 1);
    [result[index], result[other]] = [result[other] as T, result[index] as T];
  }
  return result;
}

describe('the order of records', () => {
  it('and the size of batches change nothing (G5)', async () => {
    await importText(test, sacct, lines(1).join('\n'));
    const expected = await runsOf(test);
    expect(expected.length).toBeGreaterThan(370);
    for (const [seed, batchSize] of [
      [2, 1],
      [3, 7],
      [4, 400],
      [5, 100_000],
    ] as const) {
      await test.query('delete from run');
      const { summary } = await importText(test, sacct, lines(seed).join('\n'), { batchSize });
      expect(await runsOf(test)).toEqual(expected);
      expect(summary.repeated).toBeGreaterThan(40);
    }
  });

  it('of two inputs, one with ends and an older one without, changes nothing (G5)', async () => {
    const ended = lines(1)
      .join('\n')
      .replaceAll('|Unknown|', '|2026-01-01T12:00:00|')
      .replaceAll('RUNNING', 'COMPLETED');
    const older = lines(2).join('\n');
    await importText(test, sacct, older);
    await importText(test, sacct, ended);
    const expected = await runsOf(test);
    await test.query('delete from run_history');
    await test.query('delete from run');
    await importText(test, sacct, ended);
    await importText(test, sacct, older);
    expect(await runsOf(test)).toEqual(expected);
  });
});

/** Ends the backend of the import, as kill -9 of it would, when `table` gets what `condition` says. */
async function crashWhen(event: string, condition: string): Promise<void> {
  await test.query(`
    create or replace function crash() returns trigger language plpgsql as $$
    begin
      if ${condition} then perform pg_terminate_backend(pg_backend_pid()); end if;
      return new;
    end $$`);
  await test.query(`create trigger crash before ${event} for each row execute function crash()`);
}

async function noMoreCrashes(): Promise<void> {
  await test.query('drop function crash() cascade');
}

describe('a crash', () => {
  it.each([
    ['inside the third batch', 'insert on run', "new.job_id = '1120'", 100],
    ['before the first batch', 'insert on run', 'true', 0],
    ['after the last batch', 'update on import_batch', 'new.applied_at_ms is not null', 382],
  ])(
    '%s loses no batch before it; repeating heals the rest (G8)',
    async (_, event, condition, kept) => {
      const text = lines(1).join('\n');
      await crashWhen(event, condition);
      await expect(importText(test, sacct, text, { batchSize: 50 })).rejects.toMatchObject({
        code: 'DATABASE_MISSING',
      });
      await noMoreCrashes();
      expect(await countOf(test, 'run')).toBe(kept);
      expect(await countOf(test, 'import_batch where applied_at_ms is null')).toBe(1);
      await test.query('delete from usage_change');
      const { summary } = await importText(test, sacct, text, { batchSize: 50 });
      expect(summary).toMatchObject({ unchanged: kept, new: summary.runs - kept, runs: 382 });
      expect(await countOf(test, 'run')).toBe(382);
      expect((await countOf(test, 'usage_change')) > 0).toBe(kept < 382);
      await test.query('update import_batch set applied_at_ms = 0 where applied_at_ms is null');
    },
  );
});

describe('two imports at once', () => {
  it('of one file give each record once, and count it once as new (G8)', async () => {
    const [first, second] = [lines(1).join('\n'), lines(2).join('\n')];
    const results = await Promise.all([
      importText(test, sacct, first, { batchSize: 20 }),
      importText(test, sacct, second, { batchSize: 30 }),
    ]);
    const added = results.map(({ summary }) => summary.new);
    expect((added[0] ?? 0) + (added[1] ?? 0)).toBe(382);
    expect(results.map(({ summary }) => summary.new + summary.unchanged)).toEqual([382, 382]);
    const expected = await runsOf(test);
    await test.query('delete from run');
    await importText(test, sacct, first);
    expect(await runsOf(test)).toEqual(expected);
    expect(await countOf(test, 'run_history')).toBe(0);
  });

  it('of one file and of its corrected version end in one of the two, with a history that tells the other', async () => {
    const former = lines(1).join('\n');
    const corrected = lines(2).join('\n').replaceAll('gres/gpu=4', 'gres/gpu=8');
    await importText(test, sacct, former);
    const results = await Promise.all([
      importText(test, sacct, corrected, { batchSize: 20 }),
      importText(test, sacct, corrected, { batchSize: 30 }),
    ]);
    const total = results.reduce((sum, { summary }) => sum + summary.corrected, 0);
    expect(total).toBe(382);
    expect(await countOf(test, 'run_history')).toBe(382);
    expect((await runsOf(test)).every((run) => run['milli_gpus'] === 8000)).toBe(true);
  });

  it('that give a new key to two users with two starts: the later one is KEY_REUSED and kept as a reject', async () => {
    const text = (user: string, start: string): string =>
      `user,gpus,job_id,start,end\n${user},1,same,2026-01-01T${start}:00Z,2026-01-01T12:00:00Z\n`;
    // The rival commits while this import has judged its keys and applied nothing.
    const { summary } = await importText(test, csv(), text('anna', '10:00'), {
      writeRejects: async () => {
        await importText(test, csv(), text('bob', '11:00'));
      },
    });
    expect(summary).toMatchObject({ new: 0, unchanged: 0, rejected: { KEY_REUSED: 1 } });
    expect((await runsOf(test)).map((run) => run['user'])).toEqual(['bob']);
    const rejected = await test.query('select code, batch::text from rejected_record');
    expect(rejected).toEqual([{ code: 'KEY_REUSED', batch: summary.batch }]);
  });
});
