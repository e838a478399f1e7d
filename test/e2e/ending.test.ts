import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandLine, until } from '../support/command-line.js';

const MINUTES = 60_000;
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
      await shell.run(['usage']);
      const { exitCode, stderr } = await shell.run(['usage', '-o', 'csv'], { closesStdout: true });
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

describe('looking at books that are not there', () => {
  it(
    'is NOT_FOUND and opens none, because their zone would be fixed for ever',
    async () => {
      const empty = await CommandLine.create();
      try {
        const usage = await empty.run(['usage']);
        expect(usage.stderr).toMatch(/^error NOT_FOUND: .*JOBHOURS_ZONE/m);
        expect(usage.exitCode).toBe(3);
        const imported = await empty.run(['import', 'csv', '-'], {
          input:
            'user,job_id,gpus,start,end\nheron,1,1,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z\n',
          environment: { JOBHOURS_ZONE: 'Europe/Berlin' },
        });
        expect(imported.stderr).toMatch(/^Books opened in the zone Europe\/Berlin/m);
        expect(imported.exitCode).toBe(0);
        expect((await empty.run(['usage'])).stdout).toContain('Europe/Berlin');
      } finally {
        await empty.remove();
      }
    },
    2 * MINUTES,
  );
});
