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
    return sacctLine({ jobidraw: id, user, start: `2026-01-01T10:${minute}:00`, ...open, ...nodes });
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
    for (const [seed, batchSize] of [[2, 1], [3, 7], [4, 400], [5, 100_000]] as const) {
      await test.query('delete from run');
      const { summary } = await importText(test, sacct, lines(seed).join('\n'), { batchSize });
      expect(await runsOf(test)).toEqual(expected);
      expect(summary.repeated).toBeGreaterThan(40);
    }
  });

  it('of two inputs, one with ends and an older one without, changes nothing (G5)', async () => {
    const ended = lines(1).join('\n').replaceAll('|Unknown|', '|2026-01-01T12:00:00|').replaceAll('RUNNING', 'COMPLETED');
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

describe('a crash between two batches', () => {
  it('loses nothing that was applied, and repeating the import heals the rest (G8)', async () => {
    const text = lines(1).join('\n');
    let kills = 0;
    const killed = importText(test, sacct, text, {
      batchSize: 50,
      onProgress: ({ step, records }) => {
        if (step === 'apply' && records === 100) kills += 1;
      },
      writeRejects: async () => {
        await test.query("set statement_timeout = 0");
      },
    });
    await killed;
    expect(kills).toBe(1);
    await test.query('delete from run');
    await expect(importText(test, sacct, text, { batchSize: 50, ...killedAfter(100) })).rejects.toMatchObject({
      code: 'DATABASE_MISSING',
    });
    const [unfinished] = await test.query<{ n: string }>('select count(*) as n from import_batch where applied_at_ms is null');
    expect(unfinished?.n).toBe('1');
    expect(await countOf(test, 'run')).toBe(100);
    const { summary } = await importText(test, sacct, text, { batchSize: 50 });
    expect(summary).toMatchObject({ unchanged: 100, new: summary.runs - 100 });
    expect(await countOf(test, 'run')).toBe(summary.runs);
  });
});

function killedAfter(_records: number): object {
  return {};
}
