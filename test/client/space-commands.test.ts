import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { registerSpace } from '../../client/commands/space.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { insertRuns, setOrigin } from '../support/runs.js';

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Europe/Berlin' });
  folder = await mkdtemp(join(tmpdir(), 'jobhours-spaces-'));
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});
beforeEach(async () => {
  await test.query('delete from membership');
});

const space = (...argv: string[]): Promise<CommandRun> =>
  runCommand(test, registerSpace, ['space', ...argv]);

async function importText(text: string | Buffer, ...flags: string[]): Promise<CommandRun> {
  const file = join(folder, 'members.csv');
  await writeFile(file, text);
  return space('import', file, ...flags);
}

/** All memberships as csv, without the header. */
async function listed(...flags: string[]): Promise<string[]> {
  const { stdout, error } = await space('list', ...flags, '-o', 'csv');
  expect(error).toBeNull();
  const [header, ...lines] = stdout.split('\n');
  expect(header).toBe('space,user,from,to,membership');
  return lines;
}

const JANUARY = '2025-12-31T23:00:00.000Z';
const MARCH = '2026-02-28T23:00:00.000Z';

describe('jobhours space add and remove', () => {
  it('enter and end memberships at local dates, and say so', async () => {
    const { stdout, stderr, error } = await space(
      'add',
      'vision',
      'anna',
      'ben',
      '--at',
      '2026-01-01',
    );
    expect({ stderr: stderr.split('\n'), error }).toEqual({
      stderr: [
        'note: no record and no membership has the users "anna", "ben"',
        'note: no record and no membership has the space "vision"',
      ],
      error: null,
    });
    expect((await space('add', 'vision', 'anna', '--at', '2026-01-01')).stderr).toBe('');
    expect(stdout.split('\n').map((line) => line.replace(/ {2,}/g, '|'))).toEqual([
      'user|space|now',
      'anna|vision|member from 2026-01-01T00:00+01:00 on',
      'ben|vision|member from 2026-01-01T00:00+01:00 on',
    ]);
    expect((await space('remove', 'vision', 'anna', '--at', '2026-03-01')).stdout).toContain(
      'no member from 2026-03-01T00:00+01:00 on',
    );
    expect(await listed('--all')).toEqual([
      `vision,anna,${JANUARY},${MARCH},entered`,
      `vision,ben,${JANUARY},,entered`,
    ]);
  });

  it('change nothing when they are repeated', async () => {
    await space('add', 'vision', 'anna', '--at', '2026-01-01');
    const again = await space('add', 'vision', 'anna', 'anna', '--at', '2026-01-01');
    expect(again.stdout).toContain('member already from');
    await space('remove', 'vision', 'anna', '--at', '2026-03-01');
    const left = await space('remove', 'vision', 'anna', '--at', '2026-03-01');
    expect(left.stdout).toContain('had left already: no member from');
    expect((await space('list', '--space', 'vison')).stderr).toBe(
      'note: no record and no membership has the space "vison"\nnote: no member; enter some: jobhours space add',
    );
    expect(await listed('--all')).toEqual([`vision,anna,${JANUARY},${MARCH},entered`]);
  });

  it('delete a membership that is removed where it begins, and let the user rejoin', async () => {
    await space('add', 'vision', 'anna', 'ben', '--at', '2026-01-01');
    await space('remove', 'vision', 'anna', '--at', '2026-01-01');
    expect(await listed('--all')).toEqual([`vision,ben,${JANUARY},,entered`]);
    await space('remove', 'vision', 'ben', '--at', '2026-02-01');
    await space('add', 'vision', 'ben', '--at', '2026-03-01');
    expect(await listed('--at', '2026-02-15')).toEqual([]);
    expect(await listed('--at', '2026-03-01')).toEqual([`vision,ben,${MARCH},,entered`]);
  });

  it('hold from now on without --at', async () => {
    const before = Date.now() - 60_000;
    await space('add', 'vision', 'anna');
    const [line = ''] = await listed();
    const fromAtMs = Date.parse(line.split(',')[2] ?? '');
    expect(fromAtMs).toBeGreaterThan(before);
    expect(fromAtMs).toBeLessThan(Date.now() + 60_000);
  });

  it('B22, B24, B27: take names in normal form and as plain text', async () => {
    const names = ['cafe\u0301', "'; drop table membership;--", '__proto__', '%'];
    await space('add', 'constructor', ...names, '--at', '2026-01-01');
    expect((await space('add', 'constructor', 'caf\u00e9', '--at', '2026-01-01')).stdout).toContain(
      'already',
    );
    const { stdout } = await space('list', '--user', 'cafe\u0301', '-o', 'jsonl');
    expect(JSON.parse(stdout)).toEqual({
      ...{
        space: 'constructor',
        user: 'caf\u00e9',
        from: JANUARY,
        to: null,
        membership: 'entered',
      },
    });
    expect(await listed('--user', '%')).toHaveLength(1);
    expect(await listed('--all')).toHaveLength(4);
  });

  it.each<[string, string[], string]>([
    [
      'B70 an overlap, naming both intervals',
      ['add', 'vision', 'new', 'anna', '--at', '2025-12-01'],
      'MEMBERSHIP_OVERLAP: "anna" in "vision": [2025-12-01T00:00+01:00, open) overlaps [2026-01-01T00:00+01:00, open), which is in the books: nothing was changed',
    ],
    [
      'B70 a later start of a member',
      ['add', 'vision', 'anna', '--at', '2026-02-01'],
      'MEMBERSHIP_OVERLAP',
    ],
    [
      'who is no member',
      ['remove', 'vision', 'anna', 'nobody', '--at', '2026-02-01'],
      'NOT_FOUND: user "nobody" is no member of "vision" at 2026-02-01T00:00+01:00: no membership was entered',
    ],
    [
      'who is none yet',
      ['remove', 'vision', 'anna', '--at', '2025-12-01'],
      'NOT_FOUND: user "anna" is no member of "vision" at 2025-12-01T00:00+01:00: entered is [2026-01-01T00:00+01:00, open)',
    ],
    ['B19 an empty user', ['add', 'vision', ' '], 'USER_INVALID: user " ": empty'],
    ['B20 a control character', ['add', 'vision', 'a\u0000b'], 'USER_INVALID'],
    ['B19 a space of 1,001 characters', ['add', 'v'.repeat(1_001), 'anna'], 'SPACE_INVALID'],
    ['no space', ['add', '-', 'anna'], 'SPACE_INVALID: space "-" stands for no space'],
    [
      'B6 no such date',
      ['add', 'vision', 'new', '--at', '2026-02-30'],
      'TIME_INVALID: --at "2026-02-30"',
    ],
    [
      'B8 a local time that happens twice',
      ['remove', 'vision', 'anna', '--at', '2026-10-25T02:30'],
      'TIME_AMBIGUOUS',
    ],
    [
      'B9 a local time that was skipped',
      ['remove', 'vision', 'anna', '--at', '2026-03-29T02:30'],
      'TIME_NONEXISTENT',
    ],
    ['B5 a year out of range', ['add', 'vision', 'new', '--at', '10000-01-01'], 'TIME_'],
    ['two kinds of list', ['list', '--all', '--at', 'now'], 'USAGE: give either --all or --at'],
    [
      'B41 an unknown step',
      ['report', '--step', 'weeks'],
      'FIELD_UNKNOWN: --step "weeks" is unknown: use day, week, month; did you mean week?',
    ],
    [
      'a window that is named twice',
      ['report', '--window', 'month', '--start', '2026-01-01'],
      'USAGE',
    ],
    [
      'B39 a window that ends before it starts',
      ['report', '--start', '2026-02-01', '--end', '2026-01-01'],
      'RANGE_INVALID',
    ],
    [
      'B68 a window in the future',
      ['report', '--start', '2099-01-01', '--end', '2100-01-01'],
      'PERIOD_OPEN',
    ],
  ])('refuse %s, and change nothing', async (_, argv, message) => {
    await space('add', 'vision', 'anna', '--at', '2026-01-01');
    const { error, stdout } = await space(...argv);
    expect(error).toContain(message);
    expect(stdout).toBe('');
    expect(await listed('--all')).toEqual([`vision,anna,${JANUARY},,entered`]);
  });
});

describe('jobhours space import', () => {
  const FILE = [
    'user,space,from,to',
    'anna,vision,2026-01-01T00:00:00+01:00,2026-03-01T00:00:00+01:00',
    'ben,vision,2026-01-01T00:00:00+01:00,',
    '',
  ].join('\n');
  const STORED = [`vision,anna,${JANUARY},${MARCH},entered`, `vision,ben,${JANUARY},,entered`];

  it('applies a file; the same file again, with other line ends and columns, changes nothing', async () => {
    const first = await importText(FILE);
    expect(first).toMatchObject({ error: null, stderr: '' });
    expect(first.stdout).toMatch(
      /^Memberships {2}2 read from .*: 2 added, 0 ended, 0 unchanged, 0 repeated$/,
    );
    const again = await importText(`\ufeff${FILE.replaceAll('\n', '\r\n')}`, '-o', 'json');
    expect(JSON.parse(again.stdout)).toMatchObject({
      records: 2,
      added: 0,
      unchanged: 2,
      rejected: 0,
    });
    const packed = await importText(gzipSync(FILE), '-o', 'json');
    expect(JSON.parse(packed.stdout)).toMatchObject({ records: 2, unchanged: 2 });
    const turned = 'mail,from,space,user\nb@x,2026-01-01,vision,ben\nb@x,2026-01-01,vision,ben\n';
    const other = await importText(turned, '--zone', 'Europe/Berlin');
    expect(other.stdout).toContain('0 added, 0 ended, 1 unchanged, 1 repeated');
    expect(other.stderr).toBe('note: columns not used: mail');
    expect(await listed('--all')).toEqual(STORED);
  });

  it('ends an open membership by a later file, and refuses the earlier file then (B70)', async () => {
    await importText(FILE);
    const later = FILE.replace(/^(ben.*),$/m, '$1,2026-06-01T00:00:00Z');
    expect((await importText(later)).stdout).toContain('0 added, 1 ended, 1 unchanged, 0 repeated');
    expect((await listed('--user', 'ben', '--all'))[0]).toContain(',2026-06-01T00:00:00.000Z,');
    const { error, stderr } = await importText(FILE);
    expect(error).toContain('RECORDS_REJECTED: 1 of 2 records were rejected');
    expect(stderr).toMatch(
      /^line 3: MEMBERSHIP_OVERLAP: "ben" in "vision": \[.*, open\) overlaps \[/,
    );
  });

  it('reads again what space list prints, and so enters inferred members', async () => {
    const start = Date.UTC(2026, 0, 5, 12, 0, 0, 7);
    await insertRuns(test, [
      { key: 'i1', user: '=x', space: 'web', milliGpus: 0, startedAtMs: start, endedAtMs: start },
      {
        key: 'i2',
        user: 'anna',
        space: 'web',
        milliGpus: 0,
        startedAtMs: start + 1,
        endedAtMs: null,
      },
    ]);
    const inferred = ['web,anna,2026-01-05T12:00:00.008Z,,inferred'];
    const options = ['--space', 'web', '--user', 'anna', '--all'];
    expect(await listed(...options)).toEqual(inferred);
    const { stdout } = await space('list', ...options, '-o', 'csv');
    expect(await importText(`${stdout}\n`)).toMatchObject({ error: null });
    expect(await listed(...options)).toEqual([inferred[0]?.replace('inferred', 'entered')]);
  });

  it('B25: reads all of space list --all again, names like formulas too, and users without a space are in none', async () => {
    const startedAtMs = Date.UTC(2026, 0, 6);
    const users = ['=x', "'=x", "''@y", '-', '+1', 'anna'];
    await insertRuns(
      test,
      users.flatMap((user, n) =>
        ['@lab', '-', 'web'].map((name) => ({
          ...{ key: `f${n}${name}`, user, space: name, milliGpus: 0 },
          ...{ startedAtMs, endedAtMs: startedAtMs },
        })),
      ),
    );
    await space('add', '=physics', "'-ben", '--at', '2026-02-01');
    const { stdout } = await space('list', '--all', '-o', 'csv');
    expect(stdout).toContain(`\n'@lab,''=x,2026-01-06T00:00:00.000Z,,inferred`);
    const before = await listed('--all');
    expect(before.filter((line) => /^'?-,/.test(line))).toEqual([]);
    expect(before.length).toBeGreaterThanOrEqual(2 * users.length + 1);
    expect(await importText(`${stdout}\n`)).toMatchObject({ error: null });
    expect(await listed('--all')).toEqual(
      before.map((line) => line.replace(',inferred', ',entered')),
    );
    const report = await space(
      'report',
      '--start',
      '2026-01-06',
      '--end',
      '2026-01-07',
      '-o',
      'csv',
    );
    await test.query(`delete from run where record_key like 'f%'`);
    // No average member, nobody in the last ms, 6 active users, none of them called a nonmember.
    expect(report.stdout).toContain(`,2026-01,'-,none,0,0.000,0,6,0,6,`);
  });

  it('says when entered members take the place of inferred ones, and the other way round', async () => {
    const added = await space('add', 'web', 'ben', '--at', '2026-02-01');
    expect(added.stderr).toBe(
      'note: 2 users of web counted as inferred until now; only entered members count from now on',
    );
    expect(await listed('--space', 'web')).toEqual(['web,ben,2026-01-31T23:00:00.000Z,,entered']);
    const removed = await space('remove', 'web', 'ben', '--at', '2026-02-01');
    expect(removed.stderr).toContain('web has no entered member any more');
    expect((await listed('--space', 'web')).map((line) => line.split(',').at(-1))).toEqual([
      ...['inferred', 'inferred'],
    ]);
  });

  it.each<[string, string, string, string | RegExp]>([
    [
      'B7 a time without offset',
      'anna,vision,2026-01-01,\n',
      'RECORDS_REJECTED',
      /^line 2: TIME_ZONE_MISSING: from "2026-01-01" has no offset/,
    ],
    [
      'B70 an end before the start',
      'ben,vision,2026-01-01T00:00Z,\nanna,vision,2026-02-01T00:00Z,2026-01-01T00:00Z\n',
      'RECORDS_REJECTED: 1 of 2',
      'line 3: TIME_ORDER: to 2026-01-01T00:00:00.000Z is not after from 2026-02-01T00:00:00.000Z',
    ],
    [
      'B70 two that overlap in the file',
      'anna,vision,2026-01-01T00:00Z,\nanna,vision,2026-02-01T00:00Z,\n',
      'RECORDS_REJECTED: 2 of 2',
      /^line 2: MEMBERSHIP_OVERLAP.*line 3\nline 3: MEMBERSHIP_OVERLAP.*line 2$/,
    ],
    [
      'B19 an empty user',
      ',vision,2026-01-01T00:00Z,\n',
      'RECORDS_REJECTED',
      'line 2: USER_INVALID',
    ],
    [
      'an empty start',
      'anna,vision,,\n',
      'RECORDS_REJECTED',
      'line 2: FIELD_MISSING: from is empty',
    ],
    [
      'a row with too few columns',
      'anna,vision\n',
      'RECORDS_REJECTED',
      'line 2: CSV_SYNTAX: row 2: expected 4 columns, found 2',
    ],
  ])('refuses the whole file for %s', async (_, lines, message, note) => {
    const { error, stderr } = await importText(`user,space,from,to\n${lines}`);
    expect(error).toContain(message);
    expect(stderr).toMatch(typeof note === 'string' ? new RegExp(escaped(note)) : note);
    expect(await listed('--all', '--space', 'vision')).toEqual([]);
  });

  it.each<[string, string | Buffer, string]>([
    [
      'no column for a field',
      'user,space,to\n',
      'FIELD_MISSING: no column for from: the columns are user,space,from,to',
    ],
    ['a doubled column', 'user,space,from,user\n', 'CSV_SYNTAX: row 1: column "user" stands twice'],
    ['an open quote', 'user,space,from,to\n"anna,vision,2026-01-01T00:00Z,\n', 'CSV_SYNTAX'],
    [
      'bytes that are not UTF-8',
      Buffer.from('user,space,from\nann\xe9,v,2026-01-01T00:00Z\n', 'latin1'),
      'ENCODING',
    ],
  ])('refuses a file with %s', async (_, text, message) => {
    const { error } = await importText(text);
    expect(error).toContain(message);
  });

  it('refuses demo books, a zone that is none and a file that is not there; an empty file is a warning', async () => {
    expect((await importText(FILE, '--zone', 'Asia/Beijing')).error).toContain('ZONE_UNKNOWN');
    expect((await space('import', join(folder, 'absent.csv'))).error).toContain('FILE_UNREADABLE');
    const empty = await importText('');
    expect(empty).toMatchObject({ error: null });
    expect(empty.stderr).toContain('WARNING: 0 records');
    await test.query('update books set is_demo = true');
    expect((await importText(FILE)).error).toContain('DEMO_BOOKS');
    await test.query('update books set is_demo = false');
  });
});

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

describe('jobhours space report', () => {
  const HEADER =
    'period_start,period_end,label,space,membership,member_ms,average_members,members_at_end,active_users,active_nonmembers,runs_started,run_ms,gpu_ms,run_hours,gpu_hours,gpu_hours_per_member,state';
  const at = (text: string): number => Date.parse(text);
  const march = ['--start', '2025-03-01', '--end', '2025-04-01', '--space', 'math'];

  beforeAll(async () => {
    const common = { space: 'math', milliGpus: 125 };
    await insertRuns(test, [
      ...[
        { key: 'm1', user: 'anna', ...common },
        { key: 'm2', user: 'guest', ...common },
      ].map((run) => ({
        ...run,
        startedAtMs: at('2025-03-30T00:00:00+01:00'),
        endedAtMs: at('2025-03-30T12:00:00.001+02:00'),
      })),
    ]);
    await setOrigin(test, at('2025-01-01T00:00:00+01:00'));
  });
  beforeEach(async () => {
    await space('add', 'math', 'anna', 'ben', '--at', '2025-03-30');
    await space('remove', 'math', 'ben', '--at', '2025-03-30T12:00');
    await space('add', 'math', 'chris', '--at', '2025-03-31');
  });

  it('prints csv with exact amounts, the average divided last and rounded half to even', async () => {
    const { stdout, stderr, exitCode } = await space(
      'report',
      ...march,
      '--step',
      'day',
      '-o',
      'csv',
    );
    expect(stdout.split('\n')).toEqual([
      HEADER,
      // 23 hours: (23 + 11) / 23 members; 2.75 GPU-hours and 2 * 0.125 ms of a GPU.
      '2025-03-29T23:00:00.000Z,2025-03-30T22:00:00.000Z,2025-03-30,math,entered,122400000,1.478,1,2,1,2,79200002,9900000.25,22.000001,2.750000,1.860294,complete',
      '2025-03-30T22:00:00.000Z,2025-03-31T22:00:00.000Z,2025-03-31,math,entered,172800000,2.000,2,0,0,0,0,0,0.000000,0.000000,0.000000,complete',
    ]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      'note: in 1 of 2 rows active users are no members: jobhours usage --by user,space and jobhours space list show who',
    );
  });

  it('prints the same names in json, and no average per member where there is none', async () => {
    await space('remove', 'math', 'anna', '--at', '2025-03-30');
    await space('remove', 'math', 'chris', '--at', '2025-03-31');
    await space('remove', 'math', 'ben', '--at', '2025-03-30');
    await space('add', 'math', 'ben', '--at', '2025-05-01');
    const { stdout } = await space('report', ...march, '-o', 'json');
    const [row, ...more] = JSON.parse(stdout) as Record<string, unknown>[];
    expect(more).toEqual([]);
    expect(Object.keys(row ?? {}).join(',')).toBe(HEADER);
    expect(row).toMatchObject({
      ...{ label: '2025-03', membership: 'entered', member_ms: '0', average_members: '0.000' },
      ...{ members_at_end: 0, active_users: 2, active_nonmembers: 2, gpu_hours_per_member: null },
    });
    const table = (await space('report', ...march)).stdout;
    expect(table).toMatch(
      /^2025-03 +math +0\.000 +0 +2 +2 +2 +22\.000001 +2\.750000 +- +entered +complete$/m,
    );
  });

  it('prints a table with the header of a report, marks cut periods and sums what may be summed', async () => {
    const { stdout } = await space(
      'report',
      '--start',
      '2025-03-01',
      '--end',
      '2025-03-31T12:00',
      '--step',
      'day',
      '--space',
      'math',
    );
    const lines = stdout.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'Usage by space per day, space math',
      '[2025-03-01T00:00+01:00, 2025-03-31T12:00+02:00) Europe/Berlin',
      'Allocated GPU time in GPU-hours; runs are attempts, not jobs',
    ]);
    expect(stdout).toMatch(/^As of 20\d\d-.*; coverage of sources: /m);
    expect(stdout).toContain('active users are distinct, not to be summed');
    expect(stdout).toMatch(
      /^day +space +members +at end +active +nonmembers +started +run hours +GPU-hours +GPU-hours per member +membership +state$/m,
    );
    expect(stdout).toMatch(/^2025-03-31\* +math +2\.000 +2 +0 +0 +0 /m);
    expect(stdout).toMatch(/^total +2 +22\.000001 +2\.750000$/m);
    expect(lines.at(-1)).toBe('* clipped by the window: not the whole day');
  });

  it('notes inferred members, an unknown space and an empty window; --strict ends with 5', async () => {
    const web = await space(
      'report',
      '--start',
      '2026-01-01',
      '--end',
      '2026-02-01',
      '--space',
      'web',
      '-o',
      'csv',
    );
    expect(web.stdout).toContain(',web,inferred,');
    expect(web.stderr).toContain('note: one space has members inferred from use');
    const unknown = await space('report', ...march.slice(0, 4), '--space', 'nowhere');
    expect(unknown.stderr.split('\n')).toEqual([
      'note: no record and no membership has the space "nowhere"',
      'note: no space has a member or use in [2025-03-01T00:00+01:00, 2025-04-01T00:00+02:00)',
    ]);
    expect((await space('report', ...march, '--strict')).exitCode).toBe(0);
    await setOrigin(test, at('2025-03-31T00:00:00+02:00'));
    const incomplete = await space('report', ...march, '--strict');
    expect(incomplete).toMatchObject({ error: null, exitCode: 5 });
    expect(incomplete.stderr).toContain('1 of 1 rows are incomplete');
    await setOrigin(test, at('2025-01-01T00:00:00+01:00'));
  });
});
