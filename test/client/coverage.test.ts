// What feeds have delivered: reports say where somebody's records are missing (G6).
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ImportFormat } from '../../client/import-format.js';
import { importRuns } from '../../client/import-runs.js';
import { undoBatch } from '../../client/import-undo.js';
import { dismissStoredRejects } from '../../client/reject-list.js';
import { endOneSource, viewSources } from '../../client/sources.js';
import { withUsageReport, type RowState } from '../../client/usage-report.js';
import { readBooks } from '../../db/books-store.js';
import type { DeclaredCoverage } from '../../db/coverage-store.js';
import { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { setOrigin } from '../support/runs.js';

const DAY_MS = 86_400_000;
const FIRST = Date.UTC(2026, 0, 5);
const calendar = Calendar.of('UTC');
const HEADER = 'user,job_id,gpus,start,end\n';
const DOER = { actor: 'ann', reason: 'a test' };
const dayAt = (day: number): number => FIRST + day * DAY_MS;

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  await setOrigin(test, FIRST);
});
afterEach(() => test.close());

/** Days from FIRST on, exclusive at the end. */
const covers = (from: number, to: number, source: string | null): DeclaredCoverage => ({
  ...{ startAtMs: dayAt(from), endAtMs: dayAt(to), source },
});

async function imported(
  source: string,
  text: string,
  declared: DeclaredCoverage | null,
  partial = false,
): Promise<bigint> {
  const books = await readBooks(test.database);
  if (books === null) throw new Error('no books');
  const format: ImportFormat = {
    ...{ format: 'csv', source, zone: null, timeUnit: 'iso', timeOriginAtMs: 0 },
    ...{ missingStart: 'reject', missingEnd: 'open' },
    columns: { map: new Map(), set: new Map(), key: null },
  };
  const input = {
    name: `${source}.csv`,
    stream: Readable.from([Buffer.from(HEADER + text)]),
    totalBytes: null,
  };
  const options = {
    format,
    partial,
    reopen: false,
    batchSize: 2,
    actor: 'ann',
    covers: declared,
  };
  const { summary } = await importRuns(test.database, books, input, options);
  if (summary.batch === null) throw new JobhoursError('RECORDS_REJECTED', 'nothing was applied');
  return BigInt(summary.batch);
}

const run = (key: string, day: number): string =>
  `anna,${key},1,${new Date(dayAt(day) + 3_600_000).toISOString()},${new Date(dayAt(day) + 7_200_000).toISOString()}\n`;

/** What a report by days says of the first days. */
async function states(days: number): Promise<{ states: RowState[]; coverage: string }> {
  const window = { startAtMs: dayAt(0), endAtMs: dayAt(days) };
  const filter = { user: null, space: null, pool: null };
  const request = { windowAt: () => window, step: 'day', by: [], filter } as const;
  return withUsageReport(test.database, calendar, request, async ({ rows, coverage }) => {
    const found: RowState[] = [];
    for await (const row of rows) found.push(row.state);
    return { states: found, coverage };
  });
}

const [YES, NO] = ['complete', 'incomplete'] as const;

describe('reports of sources whose coverage was declared', () => {
  it('say nothing of coverage when nobody declared any', async () => {
    await imported('north', run('a', 0), null);
    expect(await states(2)).toEqual({ states: [YES, YES], coverage: 'not declared' });
  });

  it('are complete exactly where every declared source is covered', async () => {
    await imported('north', run('a', 0), covers(0, 4, 'north'));
    expect(await states(4)).toEqual({ states: [YES, YES, YES, YES], coverage: 'complete (north)' });
    await imported('south', run('b', 1), covers(1, 2, 'south'));
    const south = await states(4);
    expect(south.states).toEqual([YES, YES, NO, NO]);
    expect(south.coverage).toBe(
      'incomplete: south misses [2026-01-07T00:00+00:00, 2026-01-09T00:00+00:00)',
    );
    await imported('south', '', covers(2, 4, 'south'));
    expect((await states(4)).states).toEqual([YES, YES, YES, YES]);
  });

  it('have a hole where a dead feed is, until it is filled or the source has ended', async () => {
    await imported('north', run('a', 0), covers(0, 1, 'north'));
    await imported('north', run('b', 3), covers(3, 5, 'north'));
    expect((await states(6)).states).toEqual([YES, NO, NO, YES, YES, NO]);
    const { sources } = await viewSources(test.database);
    expect(sources[0]?.declared?.gaps.slice(0, 1)).toEqual([
      { startAtMs: dayAt(1), endAtMs: dayAt(3) },
    ]);
    const ended = await endOneSource(test.database, 'north', dayAt(5), DOER);
    expect((await states(6)).states).toEqual([YES, NO, NO, YES, YES, YES]);
    await undoBatch(test.database, ended, DOER);
    expect((await states(6)).states).toEqual([YES, NO, NO, YES, YES, NO]);
    await imported('north', '', covers(1, 3, 'north'));
    expect((await states(5)).states).toEqual([YES, YES, YES, YES, YES]);
  });

  it('lose what an undone import had covered', async () => {
    const batch = await imported('north', run('a', 0) + run('b', 1), covers(0, 2, 'north'));
    await imported('north', run('c', 2), covers(2, 3, 'north'));
    expect((await states(3)).states).toEqual([YES, YES, YES]);
    await undoBatch(test.database, batch, DOER);
    // Nothing is expected before the first instant that is still declared.
    expect((await states(4)).states).toEqual([YES, YES, YES, NO]);
  });

  it('are incomplete where open rejects may lie', async () => {
    await imported('north', run('a', 0), covers(0, 5, 'north'));
    const bad = `${run('b', 4)},broken,1,2026-01-06T00:00:00Z,2026-01-06T10:00:00Z\n`;
    await imported('north', bad, null, true);
    const { states: found, coverage } = await states(3);
    expect(found).toEqual([YES, NO, YES]);
    expect(coverage).toBe('incomplete: 1 rejected record of import 2 is open');
  });
});

describe('records that were left out', () => {
  it.each([
    ['an end that cannot be read', '2026-01-06T00:00:00Z,never', [YES, NO, NO]],
    ['a start that cannot be read', 'some day,2026-01-06T10:00:00Z', [NO, NO, YES]],
    ['no readable time', 'some day,never', [NO, NO, NO]],
    ['an end before its start', '2026-01-06T10:00:00Z,2026-01-06T09:00:00Z', [YES, NO, YES]],
  ])('may lie anywhere with %s', async (_, times, expected) => {
    await imported('north', `${run('a', 0)},broken,1,${times}\n`, null, true);
    expect((await states(3)).states).toEqual(expected);
  });

  it('stay dismissed when the same file comes again, and are dismissed in all imports at once', async () => {
    const text = `${run('a', 0)},broken,1,2026-01-06T00:00:00Z,2026-01-06T10:00:00Z\n`;
    const first = await imported('north', text, null, true);
    await imported('north', text, null, true);
    const which = { batch: first, line: null };
    const { dismissed, batch } = await dismissStoredRejects(test.database, which, DOER);
    expect(dismissed).toBe(2);
    await imported('north', text, null, true);
    expect((await states(3)).states).toEqual([YES, YES, YES]);
    await undoBatch(test.database, batch, DOER);
    expect((await states(3)).states).toEqual([YES, NO, YES]);
  });
});

describe('an import that was interrupted between two batches', () => {
  const text = Array.from({ length: 6 }, (_, n) => run(`r${n}`, 1)).join('');

  /** Fails when it applies its third batch of two runs. */
  async function interrupted(): Promise<void> {
    await test.query(`
      create function refuse() returns trigger language plpgsql as $$
      begin
        if (select count(*) from run) > 4 then raise exception 'pulled out'; end if;
        return null;
      end $$;
      create trigger refuse after insert on run execute function refuse()`);
    await expect(imported('north', text, null)).rejects.toThrow('pulled out');
    await test.query('drop trigger refuse on run; drop function refuse');
  }

  it('makes incomplete what its runs touch, at once, until the same import finished it', async () => {
    await interrupted();
    const found = await states(3);
    expect(found.states).toEqual([YES, NO, YES]);
    expect(found.coverage).toBe('incomplete: import 1 (north.csv) has applied 4 of its 6 runs');
    // A part of it finishes nothing.
    await imported('north', run('r0', 1), null);
    expect((await states(3)).states).toEqual([YES, NO, YES]);
    await imported('north', text, null);
    expect((await states(3)).states).toEqual([YES, YES, YES]);
  });

  it('makes nothing incomplete once it is undone', async () => {
    await interrupted();
    await undoBatch(test.database, 1n, DOER);
    expect((await states(3)).states).toEqual([YES, YES, YES]);
    expect(await test.query('select * from run')).toEqual([]);
  });
});

describe('declaring coverage', () => {
  it('changes nothing when records are rejected', async () => {
    await expect(
      imported('north', ',broken,1,2026-01-06T00:00:00Z,\n', covers(0, 1, 'north')),
    ).rejects.toMatchObject({
      code: 'RECORDS_REJECTED',
    });
    expect(await test.query('select * from source_coverage')).toEqual([]);
  });

  it('needs a source, and no future', async () => {
    await expect(imported('north', '', covers(0, 1, null))).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(imported('north', '', covers(0, 90_000, 'north'))).rejects.toMatchObject({
      code: 'TIME_FUTURE',
    });
    expect(await test.query('select * from import_batch')).toEqual([]);
  });

  it('of a source that nobody knows is NOT_FOUND', async () => {
    await expect(endOneSource(test.database, 'nowhere', null, DOER)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});
