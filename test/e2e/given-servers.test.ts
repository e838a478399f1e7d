import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandLine, type Running } from '../support/command-line.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const MINUTES = 60_000;
const RECORDS = [
  'user,job_id,gpus,start,end',
  'heron,1,0.5,2026-01-31T22:00:00Z,2026-02-01T01:00:00Z',
  'topaz,2,4,2026-01-31T23:59:59.999Z,2026-02-01T00:00:00.001Z',
  '',
].join('\n');
const RANGE = ['--start', '2026-01-31', '--end', '2026-02-02'];

let test: TestDatabase;
/** Knows the database and Temporal, but nothing of books. */
let shell: CommandLine;
const zone = { JOBHOURS_ZONE: 'UTC', JOBHOURS_NAME: `given-${randomBytes(4).toString('hex')}` };

beforeAll(async () => {
  test = await createTestDatabase();
  shell = await CommandLine.create({
    DATABASE_URL: test.url,
    TEMPORAL_ADDRESS: process.env['JOBHOURS_TEST_TEMPORAL_ADDRESS'] ?? '',
    TEMPORAL_NAMESPACE: process.env['JOBHOURS_TEST_TEMPORAL_NAMESPACE'] ?? '',
  });
}, MINUTES);
afterAll(async () => {
  await shell.remove();
  await test.close();
}, 2 * MINUTES);

describe('given servers', () => {
  it(
    'open no books for who only looks: NOT_FOUND, though the zone is said',
    async () => {
      for (const words of [['usage'], ['periods', 'list'], ['backfill', 'create']]) {
        const { exitCode, stderr } = await shell.run(words, { environment: zone });
        expect(stderr).toMatch(/^error NOT_FOUND: no books in the database of DATABASE_URL: /);
        expect(exitCode).toBe(3);
      }
      expect(await test.query('select * from books')).toEqual([]);
    },
    MINUTES,
  );

  it(
    'need the zone of new books to be said: ZONE_MISSING',
    async () => {
      const { exitCode, stderr } = await shell.run(['import', 'csv', '-'], { input: RECORDS });
      expect(stderr).toMatch(/^error ZONE_MISSING: .*JOBHOURS_ZONE/);
      expect(exitCode).toBe(2);
    },
    MINUTES,
  );

  it(
    'B73: without a worker a backfill answers NO_WORKER, within 15 s',
    async () => {
      const imported = await shell.run(['import', 'csv', '-'], {
        input: RECORDS,
        environment: zone,
      });
      expect(imported.exitCode).toBe(0);
      expect(imported.stderr).toMatch(/^Opening new books in DATABASE_URL, zone UTC, /);
      const startedAtMs = performance.now();
      const { exitCode, stderr } = await shell.run(['backfill', 'create', ...RANGE]);
      expect(stderr).toMatch(/^error NO_WORKER: .*jobhours worker/m);
      expect(exitCode).toBe(1);
      expect(performance.now() - startedAtMs).toBeLessThan(15_000);
    },
    MINUTES,
  );

  it(
    'B73: a namespace that does not exist is named, and nothing is started',
    async () => {
      const environment = { TEMPORAL_NAMESPACE: 'nowhere' };
      const { exitCode, stderr } = await shell.run(['backfill', 'create'], { environment });
      expect(stderr).toMatch(/^error TEMPORAL_NAMESPACE: .*nowhere/m);
      expect(exitCode).toBe(1);
    },
    MINUTES,
  );

  it(
    'B73: a Temporal that does not answer is TEMPORAL_MISSING, within 15 s',
    async () => {
      const environment = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
      const startedAtMs = performance.now();
      const { exitCode, stderr } = await shell.run(['schedule', 'list'], { environment });
      expect(stderr).toMatch(/^error TEMPORAL_MISSING: .*127\.0\.0\.1:1/m);
      expect(exitCode).toBe(1);
      expect(performance.now() - startedAtMs).toBeLessThan(15_000);
    },
    MINUTES,
  );

  describe('with dev', () => {
    let dev: Running;
    beforeAll(async () => {
      dev = shell.start(['dev']);
      await dev.waitFor('Try next:');
    }, 2 * MINUTES);

    it(
      'are used by dev, worker and commands; the books say what the environment does not',
      async () => {
        expect(dev.stdout()).toMatch(/^PostgreSQL: +the one of DATABASE_URL$/m);
        expect(dev.stdout()).toMatch(/^Temporal: +the one of TEMPORAL_ADDRESS$/m);
        expect(dev.stdout()).toContain(`${zone.JOBHOURS_NAME}, zone UTC, 2 runs`);
        const backfill = await shell.run(['backfill', 'create', ...RANGE, '--wait']);
        expect(backfill.stderr).not.toContain('error');
        expect(backfill.exitCode).toBe(0);
        const usage = await shell.run(['usage', ...RANGE, '--step', 'day', '-o', 'jsonl']);
        const rows = usage.stdout
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as Record<string, unknown>);
        expect(rows.map(({ label, gpu_ms: gpuMs }) => [label, String(gpuMs)])).toEqual([
          ['2026-01-31', '3600004'],
          ['2026-02-01', '1800004'],
        ]);
      },
      2 * MINUTES,
    );

    it(
      'are left running when dev ends',
      async () => {
        dev.signal('SIGINT');
        expect((await dev.finished).exitCode).toBe(0);
        expect((await shell.run(['schedule', 'list'])).exitCode).toBe(0);
      },
      MINUTES,
    );
  });
});
