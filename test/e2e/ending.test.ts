import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandLine, until } from '../support/command-line.js';

const MINUTES = 60_000;
let shell: CommandLine;

beforeAll(async () => {
  shell = await CommandLine.create();
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
      expect(stderr).toMatch(/^error INTERRUPTED: stopped before the end$/m);
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
