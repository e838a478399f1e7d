import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandLine, type Running } from '../support/command-line.js';

const MINUTES = 60_000;
let shell: CommandLine;
let dev: Running;

beforeAll(async () => {
  shell = await CommandLine.create({ JOBHOURS_ZONE: 'UTC', JOBHOURS_MINIMUM_RUN_MS: '0' });
}, MINUTES);
afterAll(() => shell.remove(), 3 * MINUTES);

/** One line of `sacct --parsable2` with the fields that Open XDMoD asks for; times in UTC. */
function sacctLine(id: number, user: string, gpus: number, start: string, end: string): string {
  const tres = `billing=4,cpu=4${gpus === 0 ? '' : `,gres/gpu=${gpus}`},mem=8G,node=1`;
  const isRun = start !== 'Unknown';
  const seconds = isRun ? (Date.parse(`${end}Z`) - Date.parse(`${start}Z`)) / 1_000 : 0;
  const elapsed = [seconds / 3_600, (seconds / 60) % 60, seconds % 60]
    .map((part) => String(Math.floor(part)).padStart(2, '0'))
    .join(':');
  return [
    ...[id, id, 'north', 'gpu', 'vision', 'staff', 'staff', 1000, user, 2000],
    ...['2026-03-01T00:00:00', '2026-03-01T00:00:00', start, end, elapsed, '0:0'],
    ...[isRun ? 'COMPLETED' : 'CANCELLED by 2000', 1, 4, 4, '8Gn', tres, tres, '1-00:00:00'],
    ...[isRun ? 'n1' : 'None assigned', `job ${id}`],
  ].join('|');
}

const LOG = [
  sacctLine(1, 'heron', 2, '2026-03-01T22:30:00', '2026-03-02T01:15:00'),
  sacctLine(2, 'heron', 0, '2026-03-02T00:00:00', '2026-03-02T00:00:00'),
  sacctLine(3, 'topaz', 1, '2026-03-02T23:59:59', '2026-03-04T00:00:01'),
  sacctLine(4, 'topaz', 1, 'Unknown', '2026-03-02T10:00:00'),
  '',
].join('\n');

const USAGE = [
  ...['usage', '--start', '2026-03-01', '--end', '2026-03-05'],
  ...['--step', 'day', '--by', 'user', '-o', 'csv'],
];

/** Run ms, GPU-ms, started, ended and carried in of each day and user, worked out by hand. */
const BY_HAND = [
  ['2026-03-01', 'heron', 5_400_000, 10_800_000, 1, 0, 0],
  ['2026-03-02', 'heron', 4_500_000, 9_000_000, 1, 2, 1],
  ['2026-03-02', 'topaz', 1_000, 1_000, 1, 0, 0],
  ['2026-03-03', 'topaz', 86_400_000, 86_400_000, 0, 0, 1],
  ['2026-03-04', 'topaz', 1_000, 1_000, 0, 1, 1],
];

function figuresOf(csv: string): unknown[][] {
  const [header = '', ...lines] = csv.trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    const cell = (name: string): string => cells[names.indexOf(name)] ?? '';
    const numbers = ['run_ms', 'gpu_ms', 'runs_started', 'runs_ended', 'runs_carried_in'];
    return [cell('label'), cell('user'), ...numbers.map((name) => Number(cell(name)))];
  });
}

describe("books of one's own", () => {
  it(
    'are imported without dev, on PostgreSQL started for the command alone',
    async () => {
      const imported = await shell.run(['import', 'sacct', '-'], { input: LOG });
      expect(imported.stderr + imported.stdout).toMatch(/backfill create/);
      expect(imported.exitCode).toBe(0);
      const usage = await shell.run(USAGE);
      expect(figuresOf(usage.stdout)).toEqual(BY_HAND);
      await shell.untilNothingRuns();
    },
    2 * MINUTES,
  );

  it(
    'need a running dev for a backfill: TEMPORAL_MISSING says so',
    async () => {
      const refused = await shell.run(['backfill', 'create', '--start', 'oldest', '--wait']);
      expect(refused.stderr).toMatch(/error TEMPORAL_MISSING: .*jobhours dev/);
      expect(refused.exitCode).toBe(1);
    },
    MINUTES,
  );

  describe('with dev', () => {
    beforeAll(async () => {
      dev = shell.start(['dev']);
      await dev.waitFor('Try next:');
    }, 3 * MINUTES);

    it(
      'are aggregated by a backfill that stops at the figures worked out by hand (G1, G2, G3)',
      async () => {
        const range = ['--start', 'oldest', '--end', '2026-03-05'];
        const backfill = await shell.run(['backfill', 'create', ...range, '--wait']);
        expect(backfill.stderr).not.toContain('error');
        expect(backfill.exitCode).toBe(0);
        const check = await shell.run([
          ...['periods', 'check', '--start', '2026-03-01T22:00:00Z', '--end', '2026-03-05'],
        ]);
        expect(check.exitCode).toBe(0);
        expect(figuresOf((await shell.run(USAGE)).stdout)).toEqual(BY_HAND);
      },
      3 * MINUTES,
    );

    it(
      'refuse a second dev by name: HOME_BUSY',
      async () => {
        const refused = await shell.run(['dev']);
        expect(refused.stderr).toContain('error HOME_BUSY: ');
        expect(refused.stderr).toContain(`jobhours dev (pid ${dev.pid})`);
        expect(refused.exitCode).toBe(1);
      },
      MINUTES,
    );

    it(
      'refuse a process that is configured for another zone: BOOKS_MISMATCH',
      async () => {
        const refused = await shell.run(USAGE, { environment: { JOBHOURS_ZONE: 'Asia/Tokyo' } });
        expect(refused.stderr).toMatch(
          /error BOOKS_MISMATCH: .*zone is UTC, configured Asia\/Tokyo/,
        );
        expect(refused.exitCode).toBe(2);
      },
      MINUTES,
    );

    it(
      'leave nothing running after kill -9, and lose nothing',
      async () => {
        dev.signal('SIGKILL');
        await dev.finished;
        await shell.untilNothingRuns();
        expect(figuresOf((await shell.run(USAGE)).stdout)).toEqual(BY_HAND);
        await shell.untilNothingRuns();
      },
      2 * MINUTES,
    );

    it(
      'start again after that, and end with status 0 at SIGTERM',
      async () => {
        const again = shell.start(['dev']);
        await again.waitFor('Try next:');
        again.signal('SIGTERM');
        expect((await again.finished).exitCode).toBe(0);
        await shell.untilNothingRuns();
      },
      3 * MINUTES,
    );
  });
});
