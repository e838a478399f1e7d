import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandLine, until } from '../support/command-line.js';

const MINUTES = 60_000;
const RECORDS = 'user,job_id,gpus,start,end\nheron,1,1,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z\n';
let shell: CommandLine;

beforeAll(async () => {
  shell = await CommandLine.create({ JOBHOURS_ZONE: 'UTC' });
});
afterAll(() => shell.remove(), 2 * MINUTES);

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

describe('the end of a command', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'at %s is status 130, INTERRUPTED, and nothing left running',
    async (signal) => {
      const running = shell.start(['import', 'csv', '-'], { input: null });
      await until('PostgreSQL', () => exists(join(shell.home, 'books/postgres/postmaster.pid')));
      running.signal(signal);
      const { exitCode, stderr } = await running.finished;
      expect(stderr).toMatch(/^error INTERRUPTED: stopped before the end;/m);
      expect(stderr).not.toContain('UNEXPECTED');
      expect(exitCode).toBe(130);
      await shell.untilNothingRuns();
      expect((await shell.run(['db', 'status'])).exitCode).toBe(0);
    },
    2 * MINUTES,
  );

  it(
    'is quiet when its reader went away',
    async () => {
      expect((await shell.run(['import', 'csv', '-'], { input: RECORDS })).exitCode).toBe(0);
      const looking = ['source', 'list', '-o', 'csv'];
      const { exitCode, stderr } = await shell.run(looking, { closesStdout: true });
      expect(stderr).toBe('');
      expect(exitCode).toBe(0);
      await shell.untilNothingRuns();
    },
    2 * MINUTES,
  );

  it(
    'of two short commands at once comes for both: one waits for the other',
    async () => {
      const both = await Promise.all([shell.run(['usage']), shell.run(['usage'])]);
      expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
      await shell.untilNothingRuns();
    },
    2 * MINUTES,
  );
});

describe('a command beside another one without dev', () => {
  it(
    'says within seconds for whom it waits',
    async () => {
      const importing = shell.start(['import', 'csv', '-'], { input: null });
      await until('PostgreSQL', () => exists(join(shell.home, 'books/postgres/postmaster.pid')));
      const looking = shell.start(['usage']);
      await looking.waitFor(`waiting for jobhours import (pid ${importing.pid})`);
      importing.signal('SIGINT');
      expect((await looking.finished).exitCode).toBe(0);
      await importing.finished;
    },
    2 * MINUTES,
  );
});

describe('looking at books that are not there', () => {
  it(
    'is NOT_FOUND and creates nothing, even when JOBHOURS_ZONE says the zone',
    async () => {
      const empty = await CommandLine.create();
      const environment = { JOBHOURS_ZONE: 'Europe/Berlin' };
      try {
        for (const words of [
          ['usage'],
          ['doctor'],
          ['periods', 'list'],
          ['run', 'list'],
          ['space', 'report'],
          ['space', 'add', 'vision', 'anna'],
          ['backfill', 'create'],
          ['db', 'status'],
        ]) {
          const { stdout, stderr, exitCode } = await empty.run(words, { environment });
          expect(stderr).toMatch(
            /^error NOT_FOUND: no books in \S+jobhours-e2e-\S+: [^\n]*jobhours dev[^\n]*JOBHOURS_HOME\n$/,
          );
          expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 3 });
        }
        expect(await readdir(empty.home)).toEqual([]);
        const migrated = await empty.run(['db', 'migrate'], { environment });
        expect(migrated).toMatchObject({ exitCode: 0 });
        expect((await empty.run(['usage'], { environment })).stderr).toMatch(
          /^error NOT_FOUND: no books in /,
        );
        const imported = await empty.run(['import', 'csv', '-'], { input: RECORDS, environment });
        expect(imported.stderr).toMatch(
          /^Opening new books in \S+\/books, zone Europe\/Berlin, which is fixed for ever\n/,
        );
        expect(imported.stderr.match(/Opening/g)).toHaveLength(1);
        expect(imported.exitCode).toBe(0);
        expect((await empty.run(['usage'])).stdout).toContain('Europe/Berlin');
      } finally {
        await empty.remove();
      }
    },
    2 * MINUTES,
  );
});
