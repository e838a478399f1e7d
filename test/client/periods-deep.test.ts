import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerPeriods } from '../../client/commands/periods.js';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_HOUR } from '../../domain/units.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, insertRuns, setOrigin } from '../support/runs.js';

const calendar = Calendar.of('Asia/Shanghai');

describe('jobhours periods check --deep', () => {
  const week = calendar.periodAt('week', Date.UTC(2026, 0, 14));
  const day = calendar.periodAt('day', week.startAtMs + 50 * MS_PER_HOUR);
  const local = (atMs: number): string => calendar.localText(atMs);
  const ofWeek = ['--period', week.label];
  let test: TestDatabase;

  const periods = (...argv: string[]): Promise<CommandRun> =>
    runCommand(test, registerPeriods, ['periods', ...argv]);
  const deep = (...argv: string[]): Promise<CommandRun> => periods('check', '--deep', ...argv);

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: calendar.zone });
    await setOrigin(test, week.startAtMs);
    await insertRuns(test, [
      {
        ...{ key: 'a', user: 'jay', space: 'lab', pool: 'a100', milliGpus: 1_500 },
        ...{ startedAtMs: week.startAtMs + 1, endedAtMs: week.endAtMs - 1 },
      },
    ]);
    await aggregateAll(test, calendar, week);
  });
  afterAll(() => test.close());

  it('says what was recomputed and that nothing differs, with progress on stderr', async () => {
    const run = await deep(...ofWeek);
    expect(run).toMatchObject({ exitCode: 0, error: null });
    expect(run.stdout).toMatch(
      /^recomputed 168 hours, 7 days, 1 week, 0 months from the runs as of 20.*\+08:00: no difference$/,
    );
    expect(run.stderr).toBe('0 of 176 periods');
    expect((await deep(...ofWeek, '-o', 'json')).stdout).toBe('[]');
  });

  it('counts what it does not judge, and says how to learn why', async () => {
    const { stderr } = await deep('--start', local(week.startAtMs));
    expect(stderr).toMatch(
      /not judged, .*: \d+ hours, \d+ days, \d+ weeks, \d+ months; why: jobhours periods check$/,
    );
  });

  it('draws a sample, names the seed, and draws it again', async () => {
    const first = await deep(...ofWeek, '--sample', '3');
    const [, seed = ''] = /\(sample 3, seed (\d+)\)/.exec(first.stdout) ?? [];
    expect(first.stdout).toContain('recomputed 3 hours, 3 days, 1 week, 0 months (sample 3');
    const again = await deep(...ofWeek, '--sample', '3', '--seed', seed);
    expect(again.stdout).toContain(`(sample 3, seed ${seed})`);
  });

  it('I2: prints each finding and the command that mends it; exit status 5', async () => {
    await test.query('update usage_day set run_ms = run_ms - 1 where period_start_at_ms = $1', [
      day.startAtMs,
    ]);
    const mend = `jobhours backfill create --start ${local(day.startAtMs)} --end ${local(day.endAtMs)} --reprocess all --wait`;
    const table = await deep(...ofWeek);
    expect(table.exitCode).toBe(5);
    expect(table.stdout).toMatch(/^granularity +period +code +of +column +stored +recomputed\n/);
    expect(table.stdout).toMatch(
      /day +2026-01-14 +ROW_DIFFERS +jay\/lab\/a100 +run_ms +86399999 +86400000\n/,
    );
    expect(table.stdout).toMatch(
      /day +2026-01-14 +DIGEST_DIFFERS +- +digest +\w{12}\.\.\. +\w{12}\.\.\.\n/,
    );
    expect(table.stdout).toContain(': 1 period is wrong\n');
    expect(table.stdout.endsWith(`  mend: ${mend}`)).toBe(true);
    const csv = await deep(...ofWeek, '-o', 'csv');
    expect(csv.exitCode).toBe(5);
    expect(csv.stdout.split('\n').slice(0, 2)).toEqual([
      'granularity,label,period_start,period_end,code,user,space,pool,column,stored,recomputed,rows,mend',
      [
        `day,${day.label},${new Date(day.startAtMs).toISOString()},${new Date(day.endAtMs).toISOString()}`,
        `ROW_DIFFERS,jay,lab,a100,run_ms,86399999,86400000,1,${mend}`,
      ].join(','),
    ]);
    const jsonl = await deep(...ofWeek, '-o', 'jsonl');
    const [line = ''] = jsonl.stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({ stored: '86399999', recomputed: '86400000', rows: 1 });
    expect(jsonl.stderr).toContain('1 period is wrong');
    await test.query('update usage_day set run_ms = run_ms + 1 where period_start_at_ms = $1', [
      day.startAtMs,
    ]);
    expect((await deep(...ofWeek)).exitCode).toBe(0);
  });

  it('I13: names the cleaning of what belongs to no period, and periods clean does it', async () => {
    const atMs = day.startAtMs + 17;
    await test.query('insert into usage_hour values ($1, 1, 1, 1, 0, 0, 1, 1, 1)', [atMs]);
    const edges = ['--start', local(atMs), '--end', local(day.startAtMs + MS_PER_HOUR)];
    const { stdout, exitCode } = await deep(...ofWeek);
    expect(exitCode).toBe(5);
    expect(stdout).toMatch(/hour +2026-01-14T00:00:00\.017\+08:00 +DIRTY_ROWS +1 rows/);
    expect(stdout).toContain(`  mend: jobhours periods clean ${edges.join(' ')}`);
    const cleaned = await periods('clean', ...edges);
    expect(cleaned.stdout).toBe('removed 0 rows of the ledger and 1 rows of usage');
    expect((await deep(...ofWeek)).exitCode).toBe(0);
    expect((await periods('clean')).stdout).toBe(
      'removed 0 rows of the ledger and 0 rows of usage',
    );
  });

  it.each([
    ['B41', ['check', '--sample', '3'], /^USAGE: --sample needs --deep$/],
    ['B41', ['check', '--seed', '3'], /^USAGE: --seed needs --deep$/],
    ['B41', ['check', '--deep', '--seed', '3'], /^USAGE: --seed needs --sample$/],
    [
      'B37',
      ['check', '--deep', '--sample', '0'],
      /^LIMIT_INVALID: --sample "0": expected an integer from 1 to 1000000$/,
    ],
    [
      'B37',
      ['check', '--deep', '--sample', 'many'],
      /^LIMIT_INVALID: --sample "many": expected an integer from 1 to 1000000$/,
    ],
    [
      'B37',
      ['check', '--deep', '--sample', '3', '--seed', '4294967296'],
      /^LIMIT_INVALID: --seed "4294967296": expected an integer from 0 to 4294967295$/,
    ],
    [
      'B39',
      ['check', '--deep', '--start', '2026-02-01', '--end', '2026-01-01'],
      /^RANGE_INVALID: /,
    ],
    ['B67', ['clean', '--period', '2026-13'], /^PERIOD_INVALID: /],
  ])('%s: refuses %p', async (_, argv, expected) => {
    expect((await periods(...argv)).error).toMatch(expected);
  });
});
