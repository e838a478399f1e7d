/** sacct as sites have it: dumps of made-up clusters, against what happened there (G7, G8). Seeds are printed by name. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, importText, runsOf, sacct, sacctLine } from '../support/imports.js';
import { sacctDump, slurmSite, truthOf, type Allocation } from '../support/slurm-site.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
beforeEach(async () => {
  await test.query('delete from run_history');
  await test.query('delete from run');
  await test.query('delete from usage_change');
});
afterAll(() => test.close());

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MARCH = Date.UTC(2026, 2, 27);
const LATER = Date.UTC(2026, 3, 20);
const SEEDS = process.env['JOBHOURS_TORTURE'] === '1' ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1, 2];

const site = (seed: number, cluster = 'hpc1', jobs = 300): Allocation[] =>
  slurmSite({ seed, cluster, jobs, fromMs: MARCH, toMs: MARCH + 4 * DAY });

/** What the books hold, in the form of truthOf. */
async function held(source = 'hpc1'): Promise<string[]> {
  const rows = await test.query<{ line: string }>(
    `select u.name || ' ' || count(*) || ' runs ' || sum(ended_at_ms - started_at_ms) || ' ms ' ||
       sum((ended_at_ms - started_at_ms) * milli_gpus)::bigint / 1000 || ' GPU-ms' as line
     from run r join usage_key k on k.id = r.usage_key join dim_user u on u.id = k.user_id
     where r.source = (select id from source where name = $1)
     group by u.name order by 1`,
    [source],
  );
  return rows.map(({ line }) => line).sort();
}

describe.each(SEEDS)(
  'a cluster with arrays, requeues, resizes and suspensions (seed %d)',
  (seed) => {
    const jobs = site(seed);
    const dump = sacctDump(jobs, { atMs: LATER });

    it('is counted to the ms: every attempt of every job, no step, nothing that never started (G7)', async () => {
      const { summary, rejects } = await importText(test, sacct, dump);
      expect(rejects).toEqual([]);
      const started = jobs.filter(({ startedAtMs }) => startedAtMs !== null).length;
      expect(summary).toMatchObject({
        records: started * 4 + (jobs.length - started),
        runs: started,
        setAside: { NEVER_STARTED: jobs.length - started, STEP: started * 3 },
        times: 'read as UTC',
      });
      expect(summary.suspended).toBe(jobs.filter(({ suspendedMs }) => suspendedMs > 0).length);
      expect(summary.suspended).toBeGreaterThan(5);
      expect(new Set(jobs.map(({ state }) => state)).size).toBeGreaterThan(8);
      expect(await held()).toEqual(truthOf(jobs));
    });

    it("ends the same from today's dump and then yesterday's, twice each, in either order (G5, G8)", async () => {
      const yesterday = sacctDump(jobs, { atMs: MARCH + 2 * DAY });
      const today = sacctDump(jobs, { atMs: MARCH + 3 * DAY });
      await importText(test, sacct, dump);
      const expected = await runsOf(test);
      const orders = [
        [today, yesterday, dump],
        [yesterday, yesterday, today, today, dump, dump, yesterday],
        [dump, yesterday, today],
      ];
      for (const order of orders) {
        await test.query('delete from run');
        for (const text of order) {
          const { summary } = await importText(test, sacct, text);
          expect(summary).toMatchObject({ rejected: {}, corrected: 0 });
        }
        expect(await runsOf(test)).toEqual(expected);
      }
      expect(await held()).toEqual(truthOf(jobs));
    });

    it('changes nothing by the same file twice: no run, no mark, no history (G5)', async () => {
      await importText(test, sacct, dump);
      await test.query('delete from usage_change');
      const before = await runsOf(test);
      const { summary } = await importText(test, sacct, dump);
      expect(summary).toMatchObject({ new: 0, corrected: 0, ended: 0, unchanged: before.length });
      expect(await runsOf(test)).toEqual(before);
      expect(await countOf(test, 'usage_change')).toBe(0);
      expect(await countOf(test, 'run_history')).toBe(0);
    });

    it('reads a dump in local time by its zone as the one in UTC, and finds that it is no UTC dump', async () => {
      const zone = 'Europe/Berlin';
      const local = sacctDump(jobs, { atMs: LATER, zone });
      const wrong = await importText(test, sacct, local);
      expect(wrong.summary.batch).toBeNull();
      const crossing = jobs.filter(
        ({ startedAtMs, endedAtMs }) =>
          startedAtMs !== null &&
          startedAtMs < Date.UTC(2026, 2, 29, 1) &&
          endedAtMs >= Date.UTC(2026, 2, 29, 1),
      );
      expect(crossing.length).toBeGreaterThan(20);
      const suspect = crossing.filter(({ suspendedMs }) => suspendedMs === 0).length;
      expect(wrong.summary.rejected).toEqual({ TIME_ZONE_SUSPECT: suspect });
      await importText(test, sacct, dump);
      const { summary } = await importText(test, { ...sacct, zone }, local);
      expect(summary).toMatchObject({
        rejected: {},
        new: 0,
        corrected: 0,
        times: `read as ${zone}`,
      });
      expect(summary.suspended).toBe(jobs.filter(({ suspendedMs }) => suspendedMs > 0).length);
      expect(await held()).toEqual(truthOf(jobs));
    });

    it('keeps two clusters with the same job ids apart', async () => {
      const other = site(seed + 1_000, 'hpc2');
      const both = sacctDump([...jobs, ...other], { atMs: LATER });
      const { summary } = await importText(test, sacct, both);
      expect(summary).toMatchObject({ rejected: {}, repeated: 0 });
      expect(await held('hpc1')).toEqual(truthOf(jobs));
      expect(await held('hpc2')).toEqual(truthOf(other));
    });

    it('reads the fields of a header in another order, fewer and more, and of files put together', async () => {
      const fields =
        'state,end,start,submit,user,alloctres,nodelist,cluster,jobidraw,jobid,comment,jobname'.split(
          ',',
        );
      const half = Math.floor(jobs.length / 2);
      const text = [
        sacctDump(jobs.slice(0, half), { atMs: LATER, fields }),
        sacctDump(jobs.slice(half), { atMs: LATER, fields: fields.slice(0, -2).reverse() }),
      ].join('');
      const { summary, rejects } = await importText(test, sacct, text);
      expect(rejects).toEqual([]);
      expect(summary.setAside['STEP']).toBe(summary.runs * 3);
      expect(await held()).toEqual(truthOf(jobs));
    });
  },
);

describe('a job of Slurm in a file', () => {
  it('that was requeued twice under one id is three runs, and stays three', async () => {
    const attempt = (hour: number, state: string): string =>
      sacctLine({
        jobidraw: '9',
        submit: `2026-01-01T${String(hour - 1).padStart(2, '0')}:59:59`,
        start: `2026-01-01T${hour}:00:00`,
        end: `2026-01-01T${hour}:30:00`,
        elapsed: '00:30:00',
        state,
      });
    const lines = [attempt(10, 'NODE_FAIL'), attempt(11, 'PREEMPTED'), attempt(12, 'COMPLETED')];
    const { summary } = await importText(test, sacct, lines.join('\n'));
    expect(summary).toMatchObject({ new: 3, rejected: {}, repeated: 0 });
    await importText(test, sacct, [...lines].reverse().join('\n'));
    const runs = await runsOf(test);
    expect(runs.map((run) => [run['job_id'], run['record_key']])).toEqual([
      ['9', '9@2026-01-01T09:59:59'],
      ['9', '9@2026-01-01T10:59:59'],
      ['9', '9@2026-01-01T11:59:59'],
    ]);
  });

  it('keeps its suspended time as a fact', async () => {
    await importText(test, sacct, sacctLine({ elapsed: '00:20:01' }));
    expect((await runsOf(test))[0]).toMatchObject({
      ended_at_ms: String(Date.UTC(2026, 0, 1, 11)),
      facts: { elapsed: '00:20:01', suspended_ms: '2399000' },
    });
  });

  it('has GPUs, slices and shards by their weights, and unknown gres and states are counted', async () => {
    const lines = [
      sacctLine({ jobidraw: '1', alloctres: 'cpu=1,gres/gpu:a100_1g.5gb=2' }),
      sacctLine({ jobidraw: '2', alloctres: 'cpu=1,gres/shard=1' }),
      sacctLine({ jobidraw: '3', alloctres: 'cpu=1,gres/fpga=1', state: 'MELTED' }),
      sacctLine({ jobidraw: '4', alloctres: 'cpu=1,gres/fpga=2,gres/gpu=1', state: 'MELTED' }),
    ].join('\n');
    const gpus = async (): Promise<unknown[]> =>
      (await runsOf(test)).map((run) => run['milli_gpus']);
    const plain = await importText(test, sacct, lines);
    expect(plain.summary).toMatchObject({
      unknownGres: { 'gres/fpga': 2, 'gres/gpu:a100_1g.5gb': 1, 'gres/shard': 1 },
      unknownStates: { MELTED: 2 },
    });
    expect(await gpus()).toEqual([2000, 0, 0, 1000]);
    const gres = new Map([
      ['a100_1g.5gb', 143],
      ['shard', 250],
      ['fpga', 0],
    ]);
    const weighed = await importText(test, { ...sacct, gres }, lines);
    expect(weighed.summary).toMatchObject({ unknownGres: {}, corrected: 2 });
    expect(await gpus()).toEqual([286, 250, 0, 1000]);
  });
});

describe('a file of sacct', () => {
  const fields = 'jobidraw,cluster,user,submit,start,end,state,nodelist,alloctres'.split(',');
  const rowOf = (values: Readonly<Record<string, string>>): string =>
    fields.map((name) => values[name] ?? '').join('|');
  const row = rowOf({
    ...{ jobidraw: '1', cluster: 'hpc1', user: 'anna', submit: '2026-01-01T09:00:00' },
    ...{ start: '2026-01-01T10:00:00', end: '2026-01-01T11:00:00', state: 'COMPLETED' },
    ...{ nodelist: 'n1', alloctres: 'gres/gpu=1' },
  });

  it('whose header lacks a field is refused as a whole, and nothing of it applied (B36, B43)', async () => {
    const without = fields.filter((name) => name !== 'nodelist').join('|');
    await expect(importText(test, sacct, `${without}\n${row}`)).rejects.toThrow(
      'the header has no field nodelist: ask sacct for --format=jobid,jobidraw,cluster',
    );
    await expect(
      importText(test, sacct, `${fields.join('|')}|state\n${row}|FAILED`),
    ).rejects.toThrow('header: field state stands twice');
    expect(await countOf(test, 'run')).toBe(0);
  });

  it('with a header rejects lines of more or fewer fields, and takes a bar at the end (B36)', async () => {
    const text = [`${fields.join('|').toUpperCase()}|`, `${row}|`, `${row}|x`, '1|2', ''].join(
      '\r\n',
    );
    const { summary, rejects } = await importText(test, sacct, text, { partial: true });
    expect(rejects.map(({ line, code, detail }) => `${line} ${code} ${detail}`)).toEqual([
      `3 RECORD_INVALID expected 9 fields separated by |, found 10; the fields are ${fields.join(',')}`,
      `4 RECORD_INVALID expected 9 fields separated by |, found 2; the fields are ${fields.join(',')}`,
    ]);
    expect(summary).toMatchObject({ new: 1 });
  });

  it('without clusters is of the one that --source names', async () => {
    const names = fields.filter((name) => name !== 'cluster').join('|');
    const text = `${names}\n${row.replace('|hpc1|', '|')}`;
    await expect(importText(test, sacct, text)).rejects.toThrow('cluster (or give --source)');
    await importText(test, { ...sacct, source: 'hpc7' }, text);
    expect((await runsOf(test))[0]).toMatchObject({ source: 'hpc7' });
  });
});
