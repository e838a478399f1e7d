import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerUsage } from '../../client/commands/usage.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { FiledAnswers } from '../support/filed-answers.js';
import { csv, importText } from '../support/imports.js';
import { insertRuns, setOrigin } from '../support/runs.js';

describe('what usage says beside its figures', () => {
  let test: TestDatabase;
  const at = (text: string): number => Date.parse(`${text}Z`);
  const usage = (...argv: string[]): Promise<CommandRun> =>
    runCommand(test, registerUsage, ['usage', ...argv]);

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await insertRuns(
      test,
      Array.from({ length: 25 }, (_, n) => ({
        key: `${n}`,
        user: `user${String(n + 1).padStart(2, '0')}`,
        milliGpus: 1_000,
        startedAtMs: at('2026-01-06T00:00:00'),
        endedAtMs: at('2026-01-06T00:00:00') + (n + 1) * 3_600_000,
      })),
    );
    await setOrigin(test, at('2025-12-01T00:00:00'));
  });
  afterAll(() => test.close());

  it('G6: marks weeks and months that the window cuts, and no others', async () => {
    const labels = (stdout: string): string[] => stdout.match(/^20\d\d-(W\d\d|\d\d)\*?/gm) ?? [];
    const month = ['--start', '2026-01-01', '--end', '2026-02-01'];
    const weeks = await usage(...month, '--step', 'week');
    expect(labels(weeks.stdout)).toEqual([
      ...['2026-W01*', '2026-W02', '2026-W03', '2026-W04', '2026-W05*'],
    ]);
    expect(weeks.stdout.split('\n').at(-1)).toBe('* clipped by the window: not the whole week');
    const whole = await usage(...month, '--step', 'month');
    expect(labels(whole.stdout)).toEqual(['2026-01']);
    expect(whole.stdout).not.toContain('*');
    const cut = await usage(
      '--start',
      '2026-01-01',
      '--end',
      '2026-01-31T23:59:59.999',
      '--step',
      'month',
    );
    expect(labels(cut.stdout)).toEqual(['2026-01*']);
    const present = await usage('--window', 'month', '--step', 'month');
    expect(present.stdout).toMatch(/provisional$/m);
    expect(present.stdout).not.toContain('*');
    expect((await usage('--window', '1m', '--step', 'month')).stdout).toMatch(/^\* clipped/m);
    expect((await usage(...month, '--step', 'week', '-o', 'csv')).stdout).not.toContain('*');
  });

  it('draws the 20 largest users and the others, by size, from 0', async () => {
    const { stdout, error } = await usage(
      '--window',
      '2026-01-01,2026-02-01',
      '--by',
      'user',
      '--chart',
    );
    expect(error).toBeNull();
    const lines = stdout.split('\n');
    expect(lines[0]).toBe('Usage by user');
    expect(lines[4]).toBe('Bars from 0 to 25.00 GPU-hours');
    expect(lines[5]).toBe('');
    const drawn = lines.slice(6);
    expect(drawn).toHaveLength(21);
    // 80 columns, 10 of labels, 5 of values: 62 for the bars.
    expect(drawn[0]).toBe(`user25      ${'#'.repeat(62)} 25.00`);
    expect(drawn[19]).toBe(`user06      ${'#'.repeat(15)} 6.00`);
    expect(drawn[20]).toBe(`others (5)  ${'#'.repeat(37)} 15.00`);
  });

  it('draws periods in time order with their marks, and one bar for a total', async () => {
    const weeks = await usage('--window', '2026-01-01,2026-01-14', '--step', 'week', '--chart');
    expect(weeks.stdout.split('\n').slice(6)).toEqual([
      '2026-W01*  0.00',
      `2026-W02   ${'#'.repeat(62)} 325.00`,
      '2026-W03*  0.00',
      '',
      '* clipped by the window: not the whole week',
    ]);
    const byUser = ['--step', 'week', '--by', 'user', '--chart'];
    const rows = (await usage('--window', '2026-01-06,2026-01-14', ...byUser)).stdout.split('\n');
    const named = rows.filter((line) => /^2026-W/.test(line));
    expect(named.length).toBeGreaterThan(10);
    for (const line of named) expect(line).toMatch(/^2026-W0\d[* ] [a-z]/);
    const total = await usage('--window', '30m', '--chart');
    expect(total.stdout.split('\n').slice(6)).toEqual([
      'all  0.00',
      '',
      'provisional: not over yet',
    ]);
    const day = await usage('--window', 'today', '--step', 'day', '--chart');
    expect(day.stdout.split('\n').slice(6)).toEqual([
      expect.stringMatching(/^20\d\d-\d\d-\d\d~ {2}0\.00$/),
      '',
      '~ provisional: not over yet',
    ]);
    const none = await usage('--window', '2026-01-01,2026-01-02', '--by', 'user', '--chart');
    expect(none.stdout).toContain('Bars from 0 to 0.00 GPU-hours');
    expect(none.stderr).toContain('no run touches');
  });

  it('G6: is incomplete where an import applied only some of its runs, until it was said again', async () => {
    const line = (job: number): string => `anna,${job},1,2026-01-20T00:00Z,2026-01-20T01:00Z\n`;
    const file = (...jobs: number[]): string =>
      `user,job_id,gpus,start,end\n${jobs.map(line).join('')}`;
    const jobs = [1, 2, 3, 4, 5, 6];
    const month = ['--start', '2026-01-01', '--end', '2026-02-01'];
    const coverage = async (): Promise<string> =>
      /coverage of sources: (.*)/.exec((await usage(...month)).stdout)?.[1] ?? '';

    const interrupted = importText(test, csv(), file(...jobs), {
      batchSize: 2,
      onProgress: ({ step, records }) => {
        if (step === 'apply' && records === 4) throw new Error('killed');
      },
    });
    await expect(interrupted).rejects.toThrow('killed');
    const [batch] = await test.query<{ id: string }>(
      'select max(id)::text as id from import_batch',
    );
    const half = `import ${batch?.id} (test) has applied 4 of its 6 runs`;
    expect(await coverage()).toBe(`incomplete: ${half}`);
    const piped = await usage(...month, '-o', 'csv', '--strict');
    expect(piped).toMatchObject({ exitCode: 5 });
    expect(piped.stdout).toContain(',incomplete');
    expect(piped.stderr.split('\n')).toEqual([
      'note: 1 of 1 row is incomplete:',
      `  ${half}: the command that began it finishes it, jobhours import undo ${batch?.id} takes it back`,
    ]);
    const filed = await FiledAnswers.create(test);
    await filed.file('month.csv', month);
    expect((await filed.manifest('month.csv')).unfinished_imports).toEqual([
      { batch: batch?.id, input: 'test' },
    ]);
    expect((await filed.verify('month.csv')).stderr).toContain(
      `note: import ${batch?.id} (test) had applied only some of its records when it was filed`,
    );
    // Others of its records, and some of those that it applied, are not the same import.
    await importText(test, csv(), file(5, 6));
    await importText(test, csv(), file(1, 2, 3));
    expect(await coverage()).toBe(`incomplete: ${half}`);
    await importText(test, csv(), file(...jobs));
    expect(await coverage()).toBe('not declared');
    const changed = await filed.verify('month.csv');
    expect(changed.stdout).toContain('changed: 1 of 1 period, by +2.000000 run hours');
    await filed.remove();
  });

  it('says nothing of an import that was killed before it applied anything', async () => {
    await test.query(
      `insert into import_batch (format, input_name, actor, started_at_ms) values ('csv', 'x', 'tester', 1)`,
    );
    expect((await usage('--window', '2026-01-01,2026-02-01')).stdout).toContain(
      'sources: not declared',
    );
  });
});
