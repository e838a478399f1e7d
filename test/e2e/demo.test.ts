import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandLine, type Finished, type Running } from '../support/command-line.js';

const MINUTES = 60_000;
let shell: CommandLine;

beforeAll(async () => {
  shell = await CommandLine.create();
});
afterAll(() => shell.remove(), 3 * MINUTES);

/** What the screen says behind a label. */
function said({ stdout, stderr }: Finished, label: string): string {
  const line = stdout.split('\n').find((one) => one.startsWith(`${label}:`));
  if (line === undefined) throw new Error(`no line '${label}:' in\n${stdout}\n${stderr}`);
  return line.slice(label.length + 1).trim();
}

describe('npm start', () => {
  it(
    'shows figures of the previous month that add up to the ms, and leaves nothing running (G1, G2)',
    async () => {
      const finished = await shell.run(['demo', '--exit']);
      expect(said(finished, 'PostgreSQL')).toMatch(
        /^18\.\d+ embedded, port \d+ +ready in \d+\.\d s$/,
      );
      expect(said(finished, 'Temporal')).toMatch(
        / embedded, 127\.0\.0\.1:\d+, .* +ready in \d+\.\d s$/,
      );
      expect(said(finished, 'Demo data')).toMatch(
        /^\d \d{3} runs, 40 users, 6 spaces, 3 pools, \d+ runs? running +loaded in \d+\.\d s$/,
      );
      expect(said(finished, 'Backfill')).toMatch(
        /^[\d ]+ hours, \d+ days, \d+ weeks?, 1 month +done in \d+\.\d s$/,
      );
      const check = said(finished, 'Check');
      expect(check).toMatch(
        /^\d{4}-\d\d: month = days = hours = run lengths: \d+\.\d{6} GPU-hours, \d+\.\d{6} run hours +equal to the ms$/,
      );
      expect(Number(/([\d.]+) GPU-hours/.exec(check)?.[1])).toBeGreaterThan(1_000);
      expect(finished.stdout).toMatch(
        /Users with the most GPU-hours in \d{4}-\d\d \(10 of \d\d\):/,
      );
      expect(finished.exitCode).toBe(0);
      await shell.untilNothingRuns();
    },
    4 * MINUTES,
  );

  describe('a second time', () => {
    let demo: Running;
    beforeAll(async () => {
      demo = shell.start(['demo']);
      await demo.waitFor('Ctrl-C here stops everything');
    }, 3 * MINUTES);

    it('goes on with the data that are there', () => {
      expect(demo.stdout()).toMatch(/^Demo data: .* up to date in /m);
      expect(demo.stdout()).toMatch(/^Check: .* equal to the ms$/m);
    });

    it(
      'is joined by other commands, whose figures are those of the screen',
      async () => {
        const usage = await shell.run(['usage', '--window', 'lastmonth', '-o', 'csv']);
        expect(usage.stderr).toBe('');
        const [header = '', row = ''] = usage.stdout.split('\n');
        const gpuHours = row.split(',')[header.split(',').indexOf('gpu_hours')];
        expect(demo.stdout()).toContain(` ${gpuHours} GPU-hours`);
      },
      MINUTES,
    );

    it(
      'refuses imports and changes by hand: DEMO_BOOKS',
      async () => {
        const refused = await shell.run(['import', 'csv', '-'], {
          input:
            'user,job_id,gpus,start,end\nheron,1,1,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z\n',
        });
        expect(refused.stderr).toContain('error DEMO_BOOKS: ');
        expect(refused.exitCode).toBe(4);
        const renamed = await shell.run(['user', 'rename', 'avocet', 'auk', '--reason', 'x']);
        expect(renamed.stderr).toContain('error DEMO_BOOKS: ');
        expect(renamed.exitCode).toBe(4);
      },
      MINUTES,
    );

    it(
      'refuses a second demo by name: HOME_BUSY',
      async () => {
        const refused = await shell.run(['demo', '--exit']);
        expect(refused.stderr).toContain('error HOME_BUSY: ');
        expect(refused.stderr).toContain(`jobhours demo (pid ${demo.pid})`);
        expect(refused.exitCode).toBe(1);
      },
      MINUTES,
    );

    it(
      'ends with status 0 at Ctrl-C and leaves nothing running',
      async () => {
        demo.signal('SIGINT');
        const finished = await demo.finished;
        expect(finished.stderr).not.toContain('error');
        expect(finished.exitCode).toBe(0);
        await shell.untilNothingRuns();
      },
      MINUTES,
    );
  });

  it(
    'goes on after kill -9 in the middle of its backfill, to figures that add up (G9)',
    async () => {
      const other = await CommandLine.create();
      try {
        const killed = other.start(['demo']);
        await killed.waitFor('Temporal UI:');
        killed.signal('SIGKILL');
        expect((await killed.finished).stdout).not.toContain('Check:');
        await other.untilNothingRuns();
        const finished = await other.run(['demo', '--exit']);
        expect(said(finished, 'Check')).toMatch(/ equal to the ms$/);
        expect(finished.exitCode).toBe(0);
      } finally {
        await other.remove();
      }
    },
    4 * MINUTES,
  );

  it(
    'without a Temporal program still shows usage, names the ways out and fails with --exit',
    async () => {
      const finished = await shell.run(['demo', '--exit'], {
        environment: { JOBHOURS_TEMPORAL_CLI: '/nowhere/temporal' },
      });
      expect(said(finished, 'Temporal')).toMatch(/^not available: .*JOBHOURS_TEMPORAL_CLI/);
      expect(finished.stdout).toContain('Users with the most GPU-hours');
      expect(finished.stderr).toContain('error TEMPORAL_FETCH: ');
      expect(finished.exitCode).toBe(1);
    },
    2 * MINUTES,
  );
});
