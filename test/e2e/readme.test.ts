/** Every command of README runs, in README's order, on input that it names. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandLine, type Running } from '../support/command-line.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { commandsOf, sectionOf } from '../support/readme.js';

const MINUTES = 60_000;
const HOUR = 3_600_000;
/** Two hours of one job, yesterday, as `sacct` prints it. */
function sacctLine(nowMs: number): string {
  const time = (atMs: number): string => new Date(atMs).toISOString().slice(0, 19);
  const [start, end] = [time(nowMs - 26 * HOUR), time(nowMs - 24 * HOUR)];
  const tres = 'billing=4,cpu=4,gres/gpu=2,mem=8G,node=1';
  return [
    ...['1', '1', 'north', 'gpu', 'normal', 'vision', 'staff', '1000', 'heron', '2000'],
    ...[start, start, start, end, '02:00:00', '0:0', 'COMPLETED', '1', '4', '4', '8Gn', tres],
    ...[tres, '1-00:00:00', 'n1', 'a job'],
  ].join('|');
}

const nowMs = Date.now();
const FILES: Readonly<Record<string, string>> = { 'sacct.txt': `${sacctLine(nowMs)}\n` };
/** Beside 0: findings of a look depend on the minute, and a backfill may have ended before it is paused. */
const OTHER_ENDINGS: Readonly<Record<string, number>> = {
  doctor: 5,
  'periods check': 5,
  'backfill pause': 2,
  'backfill unpause': 2,
  'backfill cancel': 2,
};

let shell: CommandLine;
let test: TestDatabase;
beforeAll(async () => {
  shell = await CommandLine.create();
  test = await createTestDatabase();
  for (const [name, text] of Object.entries(FILES)) await writeFile(join(shell.home, name), text);
}, MINUTES);
afterAll(async () => {
  await shell.remove();
  await test.close();
}, 2 * MINUTES);

describe('README', () => {
  it(
    'commands for own books, periods and backfills all work, on dev',
    async () => {
      const commands = commandsOf(sectionOf('## Your own books'));
      const servers = commands.findIndex(([noun]) => noun === 'db');
      const [first, ...rest] = commands.slice(0, servers);
      expect(first).toEqual(['dev']);
      expect(rest.length).toBeGreaterThan(3);
      const dev = shell.start(['dev'], { environment: { JOBHOURS_ZONE: 'Europe/Berlin' } });
      await dev.waitFor('Try next:');
      const later = ['### Periods', '### Backfill'].flatMap((one) => commandsOf(sectionOf(one)));
      expect(later.length).toBeGreaterThan(9);
      for (const words of [...rest, ...later]) {
        const named = words.map((word) => (word in FILES ? join(shell.home, word) : word));
        const { exitCode, stdout, stderr } = await shell.run(named);
        const other = OTHER_ENDINGS[words.slice(0, 2).join(' ')] ?? 0;
        const isExpected = exitCode === 0 || exitCode === other;
        expect({ words, exitCode, stdout, stderr, isExpected }).toMatchObject({ isExpected: true });
      }
      dev.signal('SIGINT');
      expect((await dev.finished).exitCode).toBe(0);
    },
    5 * MINUTES,
  );

  it(
    'commands for given servers all work',
    async () => {
      const commands = commandsOf(sectionOf('## Your own books'));
      const given = commands.slice(commands.findIndex(([noun]) => noun === 'db'));
      expect(given).toEqual([['db', 'migrate'], ['schedule', 'apply'], ['worker']]);
      const environment = {
        DATABASE_URL: test.url,
        TEMPORAL_ADDRESS: process.env['JOBHOURS_TEST_TEMPORAL_ADDRESS'] ?? '',
        TEMPORAL_NAMESPACE: process.env['JOBHOURS_TEST_TEMPORAL_NAMESPACE'] ?? '',
        JOBHOURS_ZONE: 'UTC',
        JOBHOURS_NAME: `readme-${randomBytes(4).toString('hex')}`,
      };
      for (const words of given.slice(0, -1)) {
        const { exitCode, stderr } = await shell.run(words, { environment });
        expect({ words, exitCode, stderr }).toMatchObject({ exitCode: 0 });
      }
      const worker: Running = shell.start(['worker'], { environment });
      const range = ['--start', '2026-01-01', '--end', '2026-01-02'];
      const backfill = await shell.run(['backfill', 'create', ...range, '--wait'], { environment });
      expect({ backfill }).toMatchObject({ backfill: { exitCode: 0 } });
      worker.signal('SIGINT');
      await worker.finished;
    },
    2 * MINUTES,
  );
});
