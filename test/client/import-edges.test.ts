/** Where imports, undos and sightings meet: found by attacks on them, each with the wrong figure that it once gave. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { undoBatch } from '../../client/import-undo.js';
import { storedRejects } from '../../client/reject-list.js';
import { closeUnseen, runIdOf, voidOneRun } from '../../client/run-change.js';
import { endOneSource } from '../../client/sources.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { csv, importText, runsOf, sacct, sacctLine, type TestImport } from '../support/imports.js';
import { until } from '../support/temporal-books.js';

const DOER = { actor: 'ops', reason: 'a test' };
let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
afterEach(() => test.close());

/** A row of job, user, start and end; times are `DD HH` of January 2026 in UTC, an empty end goes on. */
function row(job: number, start: string, end: string, user = 'anna', note = ''): string {
  const at = (text: string): string => {
    const [day = '', hour = ''] = text.split(' ');
    return text === '' ? '' : `2026-01-${day}T${hour}:00Z`;
  };
  return `${user},${job},1,${at(start)},${at(end)},${note}\n`;
}
async function imported(lines: readonly string[], options: TestImport = {}): Promise<bigint> {
  const text = `user,job_id,gpus,start,end,note\n${lines.join('')}`;
  return BigInt((await importText(test, csv(), text, options)).summary.batch ?? 0);
}
const undo = (batch: bigint) => undoBatch(test.database, batch, DOER);
async function endOf(job: string): Promise<string> {
  const run = (await runsOf(test)).find((one) => one['job_id'] === job);
  const endedAtMs = run?.['ended_at_ms'] ?? null;
  return endedAtMs === null ? 'open' : new Date(Number(endedAtMs)).toISOString().slice(8, 16);
}

describe('an open run that an import does not show', () => {
  it('ends where the import that reached farthest saw it, though an old dump came later', async () => {
    await imported([row(1, '01 10:00', ''), row(2, '10 10:00', '10 12:00')]);
    await imported([row(1, '01 10:00', ''), row(3, '05 10:00', '05 12:00')]);
    const beyond = await imported([row(4, '11 10:00', '11 12:00')]);
    await closeUnseen(test.database, beyond, 1, 'ops');
    expect(await endOf('1')).toBe('10T12:00');
  });

  it('ends where an import that was killed saw it', async () => {
    const killed = imported([row(1, '01 10:00', ''), row(2, '01 12:00', '01 15:00')], {
      batchSize: 1,
      onProgress: ({ step, records }) => {
        if (step === 'apply' && records === 2) throw new Error('killed');
      },
    });
    await expect(killed).rejects.toThrow('killed');
    const beyond = await imported([row(4, '01 18:00', '01 19:00')]);
    await closeUnseen(test.database, beyond, 1, 'ops');
    expect(await endOf('1')).toBe('01T15:00');
  });

  it('has run for as long as its source had counted, and for as long as the import covers', async () => {
    const open = { end: 'Unknown', state: 'RUNNING' };
    await importText(test, sacct, sacctLine({ ...open, elapsed: '2-00:00:00' }));
    const later = { jobidraw: '2', start: '2026-01-09T10:00:00', end: '2026-01-09T11:00:00' };
    const beyond = await importText(test, sacct, sacctLine(later));
    const batch = BigInt(beyond.summary.batch ?? 0);
    const closed = await closeUnseen(test.database, batch, 1, 'ops');
    expect(await endOf('1')).toBe('03T10:00');
    await undo(closed?.batch ?? 0n);
    await undo(batch);
    const covers = { startAtMs: 0, endAtMs: Date.UTC(2026, 0, 7), source: null };
    await importText(test, sacct, sacctLine({ ...open, elapsed: '2-00:00:00' }), { covers });
    const again = await importText(test, sacct, sacctLine(later));
    await closeUnseen(test.database, BigInt(again.summary.batch ?? 0), 1, 'ops');
    expect(await endOf('1')).toBe('07T00:00');
  });

  it('stays ended with the imports on which its end rests: neither can be undone first', async () => {
    await imported([row(1, '01 10:00', ''), row(2, '01 10:00', '01 12:00')]);
    const seen = await imported([row(1, '01 10:00', ''), row(3, '01 13:00', '01 15:00')]);
    const beyond = await imported([row(4, '01 18:00', '01 19:00')]);
    const closed = await closeUnseen(test.database, beyond, 1, 'ops');
    for (const batch of [seen, beyond]) {
      await expect(undo(batch)).rejects.toMatchObject({ code: 'UNDO_CONFLICT' });
    }
    await undo(closed?.batch ?? 0n);
    await undo(seen);
    expect(await endOf('1')).toBe('open');
  });

  it('is not ended by an import that was undone', async () => {
    await imported([row(1, '01 10:00', '')]);
    const beyond = await imported([row(4, '01 18:00', '01 19:00')]);
    await undo(beyond);
    expect(await closeUnseen(test.database, beyond, 1, 'ops')).toBeNull();
    expect(await endOf('1')).toBe('open');
  });
});

describe('imports at the same time', () => {
  it('are applied one after another, so that each can be undone', async () => {
    await imported([row(9, '01 10:00', '01 11:00')]);
    const blocker = await test.connect();
    await blocker.query('begin; lock table run in exclusive mode');
    const steps: string[] = [];
    const first = imported([row(1, '01 10:00', '01 11:00'), row(2, '01 10:00', '01 11:00')], {
      batchSize: 1,
    });
    await until('the first applies', async () => {
      const waiting = `select 1 from pg_locks where relation = 'run'::regclass and not granted`;
      return (await test.query(waiting)).length > 0;
    });
    const second = imported([row(2, '01 10:00', '01 12:00'), row(1, '01 10:00', '01 12:00')], {
      batchSize: 1,
      onProgress: ({ step }) => void steps.push(step),
    });
    await until('the second waits', () => Promise.resolve(steps.includes('wait')));
    await blocker.query('commit');
    const [one, two] = [await first, await second];
    expect(two).toBeGreaterThan(one);
    expect(await endOf('1')).toBe('01T12:00');
    await undo(two);
    expect([await endOf('1'), await endOf('2')]).toEqual(['01T11:00', '01T11:00']);
    await undo(one);
    expect(await runsOf(test)).toHaveLength(1);
  });
});

describe('an undo', () => {
  it('takes facts away from a run that had none', async () => {
    await imported([row(1, '01 10:00', '01 11:00')]);
    const second = await imported([row(1, '01 10:00', '01 12:00', 'anna', 'noted')]);
    expect((await runsOf(test))[0]?.['facts']).toEqual({ note: 'noted' });
    await undo(second);
    expect((await runsOf(test))[0]?.['facts']).toBeNull();
  });

  it('of a void rejects what came under the key for another job, with names, and says so', async () => {
    await imported([row(1, '01 10:00', '01 11:00')]);
    const id = await runIdOf(test.database, '1/0');
    const { batch } = await voidOneRun(test.database, id, DOER);
    await imported([row(1, '02 10:00', '02 11:00', 'bob')]);
    expect(await undo(batch)).toMatchObject({ restored: 1, applied: 0, rejected: 1 });
    const rejects = [];
    for await (const one of storedRejects(test.database, null, false)) rejects.push(one);
    expect(rejects).toMatchObject([
      {
        code: 'KEY_REUSED',
        detail:
          'key 1/0 of source csv became known for another user and another start than bob during the import',
      },
    ]);
  });

  it("of a source's end is refused while a later one stands", async () => {
    await imported([row(1, '01 10:00', '01 11:00')]);
    const at = Date.UTC(2026, 0, 15);
    const first = await endOneSource(test.database, 'csv', at, DOER);
    const second = await endOneSource(test.database, 'csv', at, DOER);
    await expect(undo(first)).rejects.toThrow(`undo that first: jobhours import undo ${second}`);
    await undo(second);
    await undo(first);
    expect(await test.query('select ended_at_ms from source')).toEqual([{ ended_at_ms: null }]);
  });
});

describe('a file that was read in two zones', () => {
  const file = [
    sacctLine({ elapsed: '01:00:00' }),
    sacctLine({
      jobidraw: '2',
      submit: '2026-01-02T09:00:00',
      start: '2026-01-02T10:00:00',
      end: '2026-01-02T10:20:00',
    }),
  ].join('\n');
  const berlin = { ...sacct, zone: 'Europe/Berlin' };

  it('does not count twice: the second zone is refused until the first import is undone', async () => {
    const first = await importText(test, sacct, file);
    const second = await importText(test, berlin, file);
    expect(second.summary).toMatchObject({ batch: null, rejected: { TIME_ZONE_SUSPECT: 2 } });
    expect(second.rejects[0]?.detail).toBe(
      'job 1 of hpc1 is there already, 01:00:00 later, from import 1, which read its times in UTC: one of the zones is wrong; jobhours import undo 1, or say its --zone',
    );
    await undo(BigInt(first.summary.batch ?? 0));
    expect((await importText(test, berlin, file)).summary).toMatchObject({ new: 2 });
  });

  it('may change its zone when both were right', async () => {
    await importText(test, berlin, file);
    const utc = file.replaceAll(
      /T(\d\d):/g,
      (_, hour: string) => `T${String(Number(hour) - 1).padStart(2, '0')}:`,
    );
    expect((await importText(test, sacct, utc)).summary).toMatchObject({
      unchanged: 2,
      rejected: {},
    });
  });

  it('is no matter of formats whose keys have no time: attempts of one length stay attempts', async () => {
    const attempt = (n: number, hour: string, zone: string) =>
      importText(
        test,
        csv({ zone }),
        `user,job_id,attempt,gpus,start,end\nanna,7,${n},1,2026-01-01T${hour}:00Z,2026-01-01T${hour}:30Z\n`,
      );
    expect((await attempt(0, '10', 'UTC')).summary).toMatchObject({ new: 1 });
    expect((await attempt(1, '12', 'Europe/Berlin')).summary).toMatchObject({
      new: 1,
      rejected: {},
    });
  });
});
