import { chmod, copyFile, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { registerUsage } from '../../client/commands/usage.js';
import { databaseNowMs } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { runCommand } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { FiledAnswers, sha256 } from '../support/filed-answers.js';
import { aggregateAll, insertRuns, setOrigin } from '../support/runs.js';

const at = (text: string): number => Date.parse(`${text}Z`);
const DAYS = ['--start', '2026-01-05', '--end', '2026-01-08', '--step', 'day', '--by', 'user'];
const DATA = [
  'period_start,period_end,label,user,space,pool,run_ms,gpu_ms,run_hours,gpu_hours,runs_started,runs_ended,runs_carried_in,state',
  '2026-01-05T00:00:00.000Z,2026-01-06T00:00:00.000Z,2026-01-05,anna,,,7200000,7200000,2.000000,2.000000,1,1,0,complete',
  '2026-01-06T00:00:00.000Z,2026-01-07T00:00:00.000Z,2026-01-06,ben,,,3600000,450000,1.000000,0.125000,1,0,0,complete',
  "2026-01-07T00:00:00.000Z,2026-01-08T00:00:00.000Z,2026-01-07,'=c,,,1,0.001,0.000000,0.000000,1,1,0,complete",
  '2026-01-07T00:00:00.000Z,2026-01-08T00:00:00.000Z,2026-01-07,ben,,,3600000,450000,1.000000,0.125000,0,1,1,complete',
  '',
].join('\n');

describe('a filed answer', () => {
  let test: TestDatabase;
  let filed: FiledAnswers;

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    const run = (key: string, user: string, milliGpus: number, start: string, end: string) => ({
      ...{ key, user, milliGpus },
      startedAtMs: at(start),
      endedAtMs: at(end),
    });
    await insertRuns(test, [
      run('1', 'anna', 1_000, '2026-01-05T10:00:00', '2026-01-05T12:00:00'),
      run('2', 'ben', 125, '2026-01-06T23:00:00', '2026-01-07T01:00:00'),
      run('3', '=c', 1, '2026-01-07T05:00:00', '2026-01-07T05:00:00.001'),
    ]);
    await setOrigin(test, at('2026-01-01T00:00:00'));
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    filed = await FiledAnswers.create(test);
  });
  afterEach(() => filed.remove());

  it('G6: is the data of the contract and a manifest that says what was asked and what it rests on', async () => {
    const run = await filed.file('days.csv', DAYS);
    expect(run).toMatchObject({ stdout: '', error: null, exitCode: 0 });
    expect(run.stderr).toContain(`filed 4 rows in ${filed.path('days.csv')}: `);
    expect(run.stderr).toContain(
      `Next: jobhours usage verify ${filed.path('days.csv.manifest.json')}`,
    );
    expect(await filed.names()).toEqual(['days.csv', 'days.csv.manifest.json']);
    expect(await filed.text('days.csv')).toBe(DATA);
    const { sha256: own, ...manifest } = await filed.manifest('days.csv');
    const [opened] = await test.query<{ at: string }>('select opened_at_ms as at from books');
    const period = (day: number, rows: readonly string[], amounts: object) => ({
      label: `2026-01-0${day}`,
      start: `2026-01-0${day}T00:00:00.000Z`,
      end: `2026-01-0${day + 1}T00:00:00.000Z`,
      state: 'complete',
      rows: rows.length,
      ...amounts,
      sha256: sha256(rows.map((row) => `${row}\n`).join('')),
    });
    const counts = (started: number, ended: number, carriedIn: number) => ({
      runs_started: started,
      runs_ended: ended,
      runs_carried_in: carriedIn,
    });
    expect(manifest).toEqual({
      manifest: 'jobhours usage, version 1',
      program_version: '0.1.0',
      command: ['jobhours', ...process.argv.slice(2)],
      books: {
        name: 'jobhours',
        zone: 'UTC',
        minimum_run_ms: 1,
        opened_at: instantText(Number(opened?.at)),
        is_demo: false,
      },
      as_of: expect.stringMatching(/^20\d\d-.*Z$/),
      window: {
        asked: { start: '2026-01-05', end: '2026-01-08' },
        start: '2026-01-05T00:00:00.000Z',
        end: '2026-01-08T00:00:00.000Z',
      },
      step: 'day',
      by: ['user'],
      filters: { user: null, space: null, pool: null },
      coverage: 'not declared',
      unfinished_imports: [],
      lengthened: { runs: 0, lengthened_ms: '0' },
      rows: 4,
      states: { complete: 3, provisional: 0, incomplete: 0 },
      totals: { run_ms: '14400001', gpu_ms: '8100000.001', ...counts(3, 3, 0) },
      data: {
        file: 'days.csv',
        bytes: Buffer.byteLength(DATA),
        sha256: sha256(DATA),
        format: 'csv',
      },
      periods: [
        period(5, ['["anna",null,null,"7200000","7200000",1,1,0]'], {
          ...{ run_ms: '7200000', gpu_ms: '7200000' },
          ...counts(1, 1, 0),
        }),
        period(6, ['["ben",null,null,"3600000","450000",1,0,0]'], {
          ...{ run_ms: '3600000', gpu_ms: '450000' },
          ...counts(1, 0, 0),
        }),
        period(
          7,
          ['["=c",null,null,"1","0.001",1,1,0]', '["ben",null,null,"3600000","450000",0,1,1]'],
          { run_ms: '3600001', gpu_ms: '450000.001', ...counts(1, 2, 1) },
        ),
      ],
      ledger: [],
    });
    expect(own).toBe(sha256(JSON.stringify(manifest)));
  });

  it('G6: names the digests of the ledger periods that its figures were taken from', async () => {
    await aggregateAll(test, Calendar.of('UTC'), {
      startAtMs: at('2026-01-01T00:00:00'),
      endAtMs: at('2026-02-01T00:00:00'),
    });
    await filed.file('days.csv', DAYS);
    const digests = await test.query(
      `select granularity, label, encode(digest, 'hex') as sha256 from period
       where granularity = 'day' and label between '2026-01-05' and '2026-01-07' order by label`,
    );
    expect(digests).toHaveLength(3);
    expect((await filed.manifest('days.csv')).ledger).toMatchObject(digests);
    await filed.file('odd.csv', ['--start', '2026-01-01', '--end', '2026-02-01T00:30Z']);
    expect((await filed.manifest('odd.csv')).ledger.map(({ label }) => label)).toEqual(['2026-01']);
    expect((await filed.verify('odd.csv')).stdout).toContain('equal: 1 period');
  });

  it.each([
    ['days.csv', []],
    ['days.jsonl', []],
    ['days.ndjson', []],
    ['days.json', []],
    ['days.txt', []],
    ['days.CSV', []],
    ['days', ['-o', 'json']],
    ['other.csv', ['-o', 'jsonl']],
  ])('is what stdout would have got, and verified equal twice: %s %j', async (name, flags) => {
    await filed.file(name, [...DAYS, ...flags]);
    const { data } = await filed.manifest(name);
    const text = await filed.text(name);
    expect(data).toMatchObject({ bytes: Buffer.byteLength(text), sha256: sha256(text) });
    const manifest = await filed.text(`${name}.manifest.json`);
    for (const _ of [1, 2]) {
      const verified = await filed.verify(name);
      expect(verified).toMatchObject({ error: null, exitCode: 0, stderr: '' });
      expect(verified.stdout).toContain('equal: 3 periods, run_ms 14400001, gpu_ms 8100000.001');
    }
    expect(await filed.text(`${name}.manifest.json`)).toBe(manifest);
  });

  it('whose name has blanks is named for a shell, and an interruption promises nothing', async () => {
    const told: string[] = [];
    const path = filed.path("anna's days.csv");
    const run = await runCommand(test, registerUsage, ['usage', ...DAYS, '--out', path], {
      whenInterrupted: (advice) => void told.push(advice),
    });
    const quoted = filed.path("anna'\\''s days.csv.manifest.json");
    expect(run.stderr).toContain(`Next: jobhours usage verify '${quoted}'`);
    expect(told).toEqual(['nothing was filed']);
  });

  it('is moved, and found by --data', async () => {
    await filed.file('days.csv', DAYS);
    await mkdir(filed.path('archive'));
    await rename(filed.path('days.csv'), filed.path('archive/january.csv'));
    const missing = await filed.verify('days.csv');
    expect(missing.error).toMatch(
      /^FILE_UNREADABLE: .*days\.csv.*; where it is now says --data FILE$/,
    );
    const found = await filed.verify('days.csv', ['--data', filed.path('archive/january.csv')]);
    expect(found).toMatchObject({ error: null, exitCode: 0 });
    const json = await filed.verify('days.csv', [
      '--data',
      filed.path('archive/january.csv'),
      '-o',
      'json',
    ]);
    expect(json.stdout).toBe('[]');
    expect(json.stderr).toContain('equal: 3 periods');
  });

  it('that was altered is CHECK_FAILED, be it one digit of the data or of the manifest', async () => {
    await filed.file('days.csv', DAYS);
    await writeFile(filed.path('days.csv'), DATA.replace('7200000,7200000', '7200000,7200001'));
    expect((await filed.verify('days.csv')).error).toMatch(
      /^CHECK_FAILED: .*days\.csv is not what was filed: it has \d+ bytes and sha256 [0-9a-f]{64}, filed were /,
    );
    await writeFile(filed.path('days.csv'), DATA);
    expect((await filed.verify('days.csv')).error).toBeNull();
    const manifest = await filed.text('days.csv.manifest.json');
    await writeFile(
      filed.path('days.csv.manifest.json'),
      manifest.replace('"gpu_ms":"450000"', '"gpu_ms":"450001"'),
    );
    expect((await filed.verify('days.csv')).error).toMatch(
      /^CHECK_FAILED: .*manifest\.json was changed since it was written/,
    );
  });

  it.each([
    ['not JSON', DATA],
    ['a list', '[]'],
    ['of another program', '{"manifest":"else"}'],
    ['of a later version', '{"manifest":"jobhours usage, version 2"}'],
  ])('has a manifest: what is %s is MANIFEST_INVALID', async (_, text) => {
    await writeFile(filed.path('x.manifest.json'), text);
    expect((await filed.verify('x')).error).toMatch(
      /^MANIFEST_INVALID: .*x\.manifest\.json is not a manifest/,
    );
  });

  it('of other books is refused, also when these have the same name and zone', async () => {
    await filed.file('days.csv', DAYS);
    const other = await createTestDatabase();
    try {
      await openTestBooks(other);
      expect((await filed.verify('days.csv', [], other)).error).toMatch(
        /^BOOKS_MISMATCH: the manifest is of other books than this database holds: opened_at is .*, filed /,
      );
      await other.query(
        `update books set zone = 'Asia/Shanghai', minimum_run_ms = 5, opened_at_ms = $1`,
        [at((await filed.manifest('days.csv')).books.opened_at.slice(0, -1))],
      );
      expect((await filed.verify('days.csv', [], other)).error).toMatch(
        /^BOOKS_MISMATCH: .*: zone is Asia\/Shanghai, filed UTC; minimum_run_ms is 5, filed 1$/,
      );
    } finally {
      await other.close();
    }
  });

  it('is never overwritten without --force, and no half of it is', async () => {
    await writeFile(filed.path('a.csv'), 'mine');
    await writeFile(filed.path('b.csv.manifest.json'), 'mine');
    for (const name of ['a.csv', 'b.csv']) {
      expect((await filed.file(name, DAYS)).error).toMatch(
        /^EXISTS: .* is not overwritten: .*--force/,
      );
    }
    expect(await filed.names()).toEqual(['a.csv', 'b.csv.manifest.json']);
    expect(await filed.text('a.csv')).toBe('mine');
    for (const name of ['a.csv', 'b.csv', 'a.csv']) {
      expect((await filed.file(name, [...DAYS, '--force'])).error).toBeNull();
      expect((await filed.verify(name)).exitCode).toBe(0);
    }
    expect(await filed.names()).toEqual([
      ...['a.csv', 'a.csv.manifest.json', 'b.csv', 'b.csv.manifest.json'],
    ]);
  });

  it('of two that are written at once under one name only one is kept, whole', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map(() => filed.file('days.csv', DAYS)));
    expect(runs.filter(({ error }) => error === null)).toHaveLength(1);
    expect(runs.filter(({ error }) => error?.startsWith('EXISTS: ') === true)).toHaveLength(3);
    expect(await filed.names()).toEqual(['days.csv', 'days.csv.manifest.json']);
    expect((await filed.verify('days.csv')).exitCode).toBe(0);
  });

  it('B84: leaves nothing when it cannot be written', async () => {
    await mkdir(filed.path('folder.csv'));
    await writeFile(filed.path('real.csv'), 'mine');
    await symlink(filed.path('real.csv'), filed.path('link.csv'));
    const before = await filed.names();
    for (const [name, flags, reason] of [
      ['none/days.csv', [], 'ENOENT: no such file or directory'],
      ['real.csv/days.csv', [], 'ENOTDIR: not a directory'],
      ['folder.csv', ['--force'], 'it is not a regular file'],
      ['link.csv', ['--force'], 'it is not a regular file'],
    ] as const) {
      const { error } = await filed.file(name, [...DAYS, ...flags]);
      expect(error).toBe(`FILE_UNWRITABLE: ${filed.path(name)} cannot be written: ${reason}`);
    }
    const tooMany = ['--start', '1990-01-02', '--end', '2020-01-02', '--step', 'hour'];
    expect((await filed.file('hours.csv', tooMany)).error).toMatch(
      /^RANGE_TOO_LARGE: .*100000 periods/,
    );
    expect((await filed.file('table.txt', tooMany)).error).toMatch(/^RANGE_TOO_LARGE: /);
    expect((await filed.file('future.csv', ['--start', '2099-01-01'])).error).toMatch(
      /^PERIOD_OPEN: /,
    );
    expect(await filed.names()).toEqual(before);
    expect(await filed.text('real.csv')).toBe('mine');
  });

  it('B84: leaves nothing when the disk is full', async () => {
    await mkdir(filed.path('small'));
    const mounted = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      'size=64k',
      'tmpfs',
      filed.path('small'),
    ]);
    if (mounted.status !== 0) {
      process.stderr.write('B84 is skipped, no small file system can be mounted here\n');
      return;
    }
    try {
      const hours = ['--start', '2026-01-01', '--end', '2026-03-01', '--step', 'hour'];
      const { error } = await filed.file('small/hours.csv', hours);
      expect(error).toMatch(
        /^FILE_UNWRITABLE: .*small\/hours\.csv cannot be written: ENOSPC: no space left on device$/,
      );
      expect(spawnSync('ls', ['-A', filed.path('small')]).stdout.toString()).toBe('');
    } finally {
      spawnSync('umount', [filed.path('small')]);
    }
  });

  it('B84: in a folder that takes no file is refused before anything is computed', async () => {
    if (process.getuid?.() === 0) return;
    await chmod(filed.path('.'), 0o555);
    expect((await filed.file('days.csv', DAYS)).error).toMatch(/^FILE_UNWRITABLE: .*EACCES/);
  });

  it.each([
    [['--force'], /^USAGE: --force needs --out/],
    [['--out', '-'], /^USAGE: --out "-" is no file/],
    [
      ['--out', 'october'],
      /^USAGE: --out "october" does not say a format: give -o, or a name that ends in \.csv/,
    ],
    [['--out', 'x.csv', '--chart'], /^USAGE: give either --chart or --out/],
    [['--chart', '-o', 'csv'], /^USAGE: --chart draws for people/],
  ])('B41: refuses %j', async (argv, expected) => {
    expect((await runCommand(test, registerUsage, ['usage', ...argv])).error).toMatch(expected);
  });

  it('G6: that was provisional says so, and stays equal while nothing of its window changes', async () => {
    const nowMs = await databaseNowMs(test.database);
    const startedAtMs = nowMs - 2 * MS_PER_HOUR;
    await insertRuns(test, [
      { key: 'open', user: 'dora', milliGpus: 500, startedAtMs, endedAtMs: null },
    ]);
    const window = ['--start', instantText(nowMs - MS_PER_DAY), '--by', 'user'];
    await filed.file('now.jsonl', window);
    expect((await filed.manifest('now.jsonl')).states).toEqual({
      complete: 0,
      provisional: 1,
      incomplete: 0,
    });
    const equal = await filed.verify('now.jsonl');
    expect(equal).toMatchObject({ error: null, exitCode: 0 });
    expect(equal.stderr).toContain('note: 1 of 1 period was filed as provisional: ');
    await test.query(`update run set ended_at_ms = $1 where record_key = 'open'`, [
      startedAtMs + MS_PER_HOUR,
    ]);
    const changed = await filed.verify('now.jsonl', ['-o', 'jsonl']);
    expect(changed.exitCode).toBe(5);
    const lines = changed.stdout
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { as_of: asOf } = await filed.manifest('now.jsonl');
    const lostMs = Date.parse(asOf) - startedAtMs - MS_PER_HOUR;
    expect(lines).toMatchObject([
      {
        of: 'period',
        user: null,
        run_ms_difference: String(-lostMs),
        runs_ended_difference: 1,
        state_filed: 'provisional',
        state_now: 'complete',
      },
      { of: 'group', user: 'dora', run_ms_difference: String(-lostMs), groups: 1 },
    ]);
    await test.query(`delete from run where record_key = 'open'`);
  });

  it('G6: that was incomplete says so', async () => {
    await setOrigin(test, at('2026-01-06T00:00:00'));
    await filed.file('days.csv', [...DAYS, '--strict']);
    await setOrigin(test, at('2026-01-01T00:00:00'));
    expect((await filed.manifest('days.csv')).states).toEqual({
      complete: 2,
      provisional: 0,
      incomplete: 1,
    });
    const verified = await filed.verify('days.csv');
    expect(verified).toMatchObject({ error: null, exitCode: 0 });
    expect(verified.stderr).toContain(
      'note: 1 of 3 periods was filed as incomplete, the first 2026-01-05: records were missing, or older than the books',
    );
  });

  it('whose window is not over by a clock that went back is refused', async () => {
    await filed.file('days.csv', DAYS);
    const { sha256: _, ...manifest } = await filed.manifest('days.csv');
    const later = { ...manifest, window: { ...manifest.window, end: '2099-01-01T00:00:00.000Z' } };
    const text = JSON.stringify({ ...later, sha256: sha256(JSON.stringify(later)) });
    await writeFile(filed.path('later.csv.manifest.json'), text);
    await copyFile(filed.path('days.csv'), filed.path('later.csv'));
    expect((await filed.verify('later.csv', ['--data', filed.path('later.csv')])).error).toMatch(
      /^PERIOD_OPEN: the filed window ends at 2099-01-01T00:00:00\.000Z, after the database's now/,
    );
  });
});
