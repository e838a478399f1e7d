import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerUsage } from '../../client/commands/usage.js';
import { csvText } from '../../client/csv-text.js';
import { compareNames } from '../../client/usage-groups.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { insertRuns, setOrigin } from '../support/runs.js';
import { runCommand, type CommandRun } from '../support/command-run.js';

const JANUARY = ['--start', '2026-01-01', '--end', '2026-02-01'];
const HEADER =
  'period_start,period_end,label,user,space,pool,run_ms,gpu_ms,run_hours,gpu_hours,runs_started,runs_ended,runs_carried_in,state';

describe('jobhours usage', () => {
  let test: TestDatabase;
  const at = (text: string): number => Date.parse(`${text}+08:00`);
  const usage = (...argv: string[]): Promise<CommandRun> =>
    runCommand(test, registerUsage, ['usage', ...argv]);

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: 'Asia/Shanghai' });
    const run = (key: string, user: string, start: string, end: string, more = {}) => ({
      key,
      user,
      milliGpus: 1_000,
      startedAtMs: at(start),
      endedAtMs: at(end),
      ...more,
    });
    await insertRuns(test, [
      run('1', 'anna', '2026-01-05T10:00:00.000', '2026-01-05T10:00:00.001', { milliGpus: 125 }),
      run('2', '__proto__', '2026-01-05T10:00:00', '2026-01-07T10:00:00', { pool: 'a100' }),
      run('3', "=cmd|'/c calc'!A1", '2026-01-06T00:00:00', '2026-01-06T01:00:00', { space: '@x' }),
      run('4', 'аnna', '2026-01-31T23:59:59.999', '2026-02-03T00:00:00', {
        milliGpus: 100_000_000,
      }),
      run('5', 'x,"y"', '2026-01-06T00:00:00', '2026-01-06T00:20:00'),
    ]);
    await setOrigin(test, at('2026-01-01T00:00'));
  });
  afterAll(() => test.close());

  it('prints csv with the columns of the contract, instants in UTC, exact amounts and hours half to even', async () => {
    const { stdout, stderr, exitCode } = await usage(...JANUARY, '--by', 'user', '-o', 'csv');
    expect(stdout.split('\n')).toEqual([
      HEADER,
      `2025-12-31T16:00:00.000Z,2026-01-31T16:00:00.000Z,2026-01,'=cmd|'/c calc'!A1,,,3600000,3600000,1.000000,1.000000,1,1,0,complete`,
      '2025-12-31T16:00:00.000Z,2026-01-31T16:00:00.000Z,2026-01,__proto__,,,172800000,172800000,48.000000,48.000000,1,1,0,complete',
      '2025-12-31T16:00:00.000Z,2026-01-31T16:00:00.000Z,2026-01,anna,,,1,0.125,0.000000,0.000000,1,1,0,complete',
      '2025-12-31T16:00:00.000Z,2026-01-31T16:00:00.000Z,2026-01,"x,""y""",,,1200000,1200000,0.333333,0.333333,1,1,0,complete',
      '2025-12-31T16:00:00.000Z,2026-01-31T16:00:00.000Z,2026-01,аnna,,,1,100000,0.000000,0.027778,1,0,0,complete',
    ]);
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  });

  it('B25: text that a spreadsheet takes for a formula gets a leading quote in csv only', async () => {
    expect(csvText([['=1', '+1', '-1', '@x', '\tx', '\rx', "'=1", 'x=1', 5, null]])).toBe(
      `'=1,'+1,'-1,'@x,'\tx,"'\rx",''=1,x=1,5,\n`,
    );
    const byUser = [...JANUARY, '--by', 'user,space', '--space', '@x'];
    expect((await usage(...byUser, '-o', 'csv')).stdout).toContain(`,'=cmd|'/c calc'!A1,'@x,,`);
    const [row] = JSON.parse((await usage(...byUser, '-o', 'json')).stdout) as { user: string }[];
    expect(row).toMatchObject({ user: `=cmd|'/c calc'!A1`, space: '@x', pool: null });
  });

  it('prints the same names in jsonl, amounts as exact decimal text and counts as numbers', async () => {
    const { stdout } = await usage(
      ...JANUARY,
      '--step',
      'week',
      '--user',
      '__proto__',
      '-o',
      'jsonl',
    );
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(Object.keys(lines[0] ?? {}).join(',')).toBe(HEADER);
    expect(lines).toHaveLength(5);
    expect(lines[1]).toEqual({
      period_start: '2026-01-04T16:00:00.000Z',
      period_end: '2026-01-11T16:00:00.000Z',
      label: '2026-W02',
      user: null,
      space: null,
      pool: null,
      run_ms: '172800000',
      gpu_ms: '172800000',
      run_hours: '48.000000',
      gpu_hours: '48.000000',
      runs_started: 1,
      runs_ended: 1,
      runs_carried_in: 0,
      state: 'complete',
    });
  });

  it('prints periods without usage as zeros, and with --by only combinations with a run', async () => {
    const days = ['--start', '2026-01-04', '--end', '2026-01-08', '--step', 'day', '-o', 'csv'];
    const column = (stdout: string, ...columns: number[]): string[] =>
      stdout
        .split('\n')
        .slice(1)
        .map((line) => columns.map((n) => line.split(',')[n]).join(' '));
    expect(column((await usage(...days, '--pool', 'a100')).stdout, 2, 6, 12)).toEqual([
      '2026-01-04 0 0',
      '2026-01-05 50400000 0',
      '2026-01-06 86400000 1',
      '2026-01-07 36000000 1',
    ]);
    expect(
      column((await usage(...days, '--pool', 'a100', '--by', 'pool')).stdout, 2, 5, 6),
    ).toEqual(['2026-01-05 a100 50400000', '2026-01-06 a100 86400000', '2026-01-07 a100 36000000']);
  });

  it('prints a table with window, zone, unit, instant and coverage, and the exact total', async () => {
    const { stdout } = await usage(...JANUARY, '--step', 'day', '--by', 'user');
    const lines = stdout.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'Usage by user per day',
      '[2026-01-01T00:00+08:00, 2026-02-01T00:00+08:00) Asia/Shanghai',
      'Allocated GPU time in GPU-hours; runs are attempts, not jobs',
    ]);
    expect(lines[3]).toMatch(/^As of 20\d\d-.*\+08:00; coverage of sources: not declared$/);
    expect(lines[4]).toBe('');
    expect(lines[5]).toMatch(
      /^day +user +run hours +GPU-hours +started +ended +carried in +state$/,
    );
    expect(lines.at(-1)).toMatch(/^total +49\.333334 +49\.361111 +5 +4 +0$/);
    // B23: a Cyrillic а among Latin letters shows its code point.
    expect(stdout).toContain('аnna (U+0430)');
    expect(stdout).toMatch(/ anna +0\.000000/);
  });

  it('says in the header how many runs the minimum lengthened, and that books are a demo', async () => {
    await test.query(`update run set reported_ended_at_ms = started_at_ms where record_key = '1'`);
    await test.query('update books set is_demo = true');
    const { stdout } = await usage(...JANUARY);
    expect(stdout).toContain('The minimum of 1 ms per run lengthened 1 runs, by 1 ms in all');
    expect(stdout).toContain('Usage (demo books: invented records)');
    expect((await usage(...JANUARY, '--user', 'x,"y"')).stdout).not.toContain('lengthened');
    await test.query('update books set is_demo = false');
  });

  it('--strict ends with 5 when a row is incomplete, and says what mends it', async () => {
    await setOrigin(test, at('2026-01-06T00:00'));
    const complete = await usage('--start', '2026-01-06', '--end', '2026-01-07', '--strict');
    expect({ ...complete, stdout: '' }).toMatchObject({ error: null, exitCode: 0, stderr: '' });
    const incomplete = await usage(...JANUARY, '--strict', '-o', 'csv');
    expect(incomplete).toMatchObject({ error: null, exitCode: 5 });
    expect(incomplete.stdout).toContain(',incomplete');
    expect(incomplete.stderr).toContain('jobhours backfill create --start oldest');
    expect((await usage(...JANUARY)).exitCode).toBe(0);
    await setOrigin(test, at('2026-01-01T00:00'));
  });

  it('an unknown name gives no usage and a note, never silence', async () => {
    const byUser = await usage(...JANUARY, '--by', 'user', '--user', 'nobody', '-o', 'csv');
    expect(byUser).toMatchObject({ stdout: HEADER, exitCode: 0, error: null });
    expect(byUser.stderr).toContain('no record has the user "nobody"');
    expect(byUser.stderr).toContain('no run touches [2026-01-01T00:00+08:00');
    const json = await usage(...JANUARY, '--by', 'user', '--user', 'nobody', '-o', 'json');
    expect(JSON.parse(json.stdout)).toEqual([]);
    const total = await usage(...JANUARY, '--user', 'nobody', '-o', 'csv');
    expect(total.stdout.split('\n')[1]).toMatch(
      /,2026-01,,,,0,0,0\.000000,0\.000000,0,0,0,complete$/,
    );
  });

  it('B22: names are compared in normal form', async () => {
    const decomposed = await usage(...JANUARY, '--user', 'cafe\u0301');
    expect(decomposed.stderr).toContain('no record has the user');
    await insertRuns(test, [
      {
        key: 'cafe',
        user: 'caf\u00e9',
        milliGpus: 0,
        startedAtMs: at('2025-06-01T00:00'),
        endedAtMs: at('2025-06-01T01:00'),
      },
    ]);
    expect((await usage(...JANUARY, '--user', 'cafe\u0301')).stderr).not.toContain('no record');
  });

  it.each([
    [
      'B40',
      ['--by', 'usr'],
      /^FIELD_UNKNOWN: --by "usr" is unknown: use user, space, pool; did you mean user\?/,
    ],
    ['B40', ['--by', 'user; select'], /^FIELD_UNKNOWN: --by/],
    ['B41', ['--step', 'dya'], /^FIELD_UNKNOWN: --step "dya" .* did you mean day\?/],
    ['B41', ['-o', 'xml'], /^FIELD_UNKNOWN: --output "xml" .* table, json, jsonl, csv/],
    ['B39', ['--start', '2026-02-01', '--end', '2026-01-01'], /^RANGE_INVALID: /],
    ['B39', ['--start', '2026-01-01', '--end', '2026-01-01'], /^RANGE_INVALID: /],
    [
      'B39',
      ['--start', '1990-01-02', '--end', '2090-01-02', '--step', 'hour'],
      /^RANGE_TOO_LARGE: .*876000/,
    ],
    [
      'B39',
      ['--start', '1990-01-02', '--step', 'hour'],
      /^RANGE_TOO_LARGE: the table has more than 10000 rows/,
    ],
    ['B68', ['--start', '2099-01-01', '--end', '2099-02-01'], /^PERIOD_OPEN: /],
    ['B68', ['--start', '2099-01-01'], /^PERIOD_OPEN: /],
    ['B6', ['--start', '2026-02-30'], /^TIME_INVALID: /],
    ['B41', ['--window', 'lastmoth'], /^FIELD_UNKNOWN: --window/],
    ['B41', ['--window', 'today', '--start', '2026-01-01'], /^USAGE: /],
    ['B41', ['--end', '2026-01-01'], /^USAGE: --end needs --start/],
  ])('%s: refuses %p', async (_, argv, expected) => {
    const { error, stdout } = await usage(...argv);
    expect(error).toMatch(expected);
    expect(stdout).toBe('');
  });

  it.each(['today', 'yesterday', 'week', 'lastweek', 'month', 'lastmonth', '30m', '12h', '7d'])(
    'knows the window %s',
    async (window) => {
      const { error, stdout } = await usage('--window', window, '-o', 'csv');
      expect(error).toBeNull();
      expect(stdout.split('\n')).toHaveLength(2);
    },
  );

  it('names are ordered by code points, as their UTF-8 bytes are', () => {
    const names = ['\u{1f600}', '\uff5e', 'zoe', 'Zoe', 'zo', '\ue000', '\u{10ffff}', 'é', ''];
    const byBytes = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect([...names].sort(compareNames)).toEqual(byBytes);
  });
});
