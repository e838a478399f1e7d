/** Bad inputs of `import`: each answers at once, changes nothing, and names field, value and rule (B1-B44). */
import { link, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { contentsOf } from '../support/contents.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, sacctLine } from '../support/imports.js';
import { setOrigin } from '../support/runs.js';

let test: TestDatabase;
let folder: string;
const woken: string[] = [];

beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Asia/Shanghai' });
  folder = await mkdtemp(join(tmpdir(), 'jobhours-import-'));
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});

const command = (argv: readonly string[], answer: string | null = null): Promise<CommandRun> =>
  runCommand(test, registerImport, ['import', ...argv], {
    wakeKeeper: () => {
      woken.push('woken');
      return Promise.resolve(answer);
    },
  });

async function imported(
  format: string,
  content: string | Uint8Array,
  flags: readonly string[] = [],
  answer: string | null = null,
): Promise<CommandRun> {
  const file = join(folder, 'input');
  await writeFile(file, content);
  return command([format, file, ...flags], answer);
}

const HEADER = 'user,gpus,job_id,start,end\n';
const GOOD = 'anna,1,j1,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z\n';

describe('a file that is refused as a whole', () => {
  it.each<[string, string | Uint8Array, RegExp]>([
    [
      'B36: duplicate header',
      `user,gpus,job_id,start,user\n`,
      /^CSV_SYNTAX: row 1: column "user" stands twice/,
    ],
    [
      'B36: quote open at the end',
      `${HEADER}${GOOD}"anna,1,j2,`,
      /^CSV_SYNTAX: row 3: a quote opens in it and is never closed: "\\"anna,1,j2,"$/,
    ],
    [
      'B36: quote open in a row long before the end',
      `${HEADER}${GOOD}"anna,1,j2,,\n${GOOD.repeat(2_000)}`,
      /^CSV_SYNTAX: row 3: a quote opens in it and is never closed: "\\"anna,1,j2,,\\n/,
    ],
    [
      'B36: text after a closing quote',
      `${HEADER}"an"na,1,j2,,\n`,
      /^CSV_SYNTAX: row 2: behind a closing quote stands neither a comma nor the end of the row \(a quote inside a cell is written twice\): "\\"an\\""$/,
    ],
    [
      'B36: quote inside a cell',
      `${HEADER}${GOOD}\n\nan"na,1,j2,,\n`,
      /^CSV_SYNTAX: row 5: a quote stands inside a cell that does not begin with one .*: "an\\""$/,
    ],
    [
      'B32: a record above 1 MiB',
      `${HEADER}"${'x'.repeat(1_100_000)}",1,j2,,\n`,
      /^CSV_SYNTAX: row 2: it is longer than 1 MiB: is a quote not closed\?: "\\"xxx/,
    ],
    [
      'B34: Latin-1',
      Buffer.from(`${HEADER}caf\u00e9,1,j2,,\n`, 'latin1'),
      /^ENCODING: the input is not UTF-8 at byte 30:/,
    ],
    [
      'B34: cut UTF-8',
      Buffer.from(`${HEADER}caf\u00e9`).subarray(0, -1),
      /^ENCODING: the input is not UTF-8 at byte 30:/,
    ],
    [
      'B34: UTF-16',
      Buffer.from(`\ufeff${HEADER}`, 'utf16le'),
      /^ENCODING: the input is not UTF-8 at byte 0: it is UTF-16: convert it with iconv -f UTF-16 -t UTF-8$/,
    ],
    [
      'B34: UTF-16 without a byte order mark',
      Buffer.from(HEADER, 'utf16le'),
      /^ENCODING: .* at byte 0: it is UTF-16LE: convert it with iconv -f UTF-16LE -t UTF-8$/,
    ],
    [
      'B34: UTF-16 of the other order without a mark',
      Buffer.from(HEADER, 'utf16le').swap16(),
      /^ENCODING: .* at byte 0: it is UTF-16BE: convert it with iconv -f UTF-16BE -t UTF-8$/,
    ],
    [
      'B33: gzip that is cut',
      Buffer.from([0x1f, 0x8b, 8, 0]),
      /^ENCODING: the gzip data are cut or damaged: unexpected end of file/,
    ],
    [
      'B43: no column for a required field',
      'usr,gpus,job_id,start,end\n',
      /^FIELD_MISSING: no column for user: say --map user=COLUMN or --set user=VALUE; did you mean usr\?/,
    ],
    [
      'B43: separated by semicolons',
      'user;gpus;job_id;start;end\n',
      /^FIELD_MISSING: no column for user, gpus, start, end, job_id: .*separate the columns by commas, not ";"/,
    ],
  ])('%s', async (_, content, expected) => {
    const before = await contentsOf(test);
    const run = await imported('csv', content, ['--partial']);
    expect(run.error).toMatch(expected);
    expect(run.stdout).toBe('');
    expect(await contentsOf(test)).toEqual(before);
  });

  it('leaves its connection usable: the next import works', async () => {
    const run = await imported('csv', HEADER + GOOD, ['--source', 'after']);
    expect(run.error).toBeNull();
    await test.query('delete from run');
    await test.query('delete from import_source');
    await test.query('delete from import_batch');
  });
});

describe('flags that are refused', () => {
  it.each<[string, string[], RegExp]>([
    [
      'B41: --map of an unknown field',
      ['--map', 'gpsu=gpus'],
      /^FIELD_UNKNOWN: --map "gpsu": the fields are user, .*; did you mean gpus\?/,
    ],
    [
      'B41: --set of an unknown field',
      ['--set', 'pol=x'],
      /^FIELD_UNKNOWN: --set "pol": .*did you mean pool\?/,
    ],
    [
      'B36: --map of an absent column',
      ['--map', 'user=usr'],
      /^CSV_SYNTAX: row 1: no column "usr" for --map user=usr; did you mean user\?/,
    ],
    [
      'B41: --key of an unknown column',
      ['--key', 'jobid'],
      /^FIELD_UNKNOWN: --key "jobid" is neither a field nor a column; did you mean job_id\?/,
    ],
    [
      '--map and --set of one field',
      ['--map', 'pool=user', '--set', 'pool=x'],
      /^USAGE: field pool is given by --map and by --set/,
    ],
    ['--map twice', ['--map', 'pool=user', '--map', 'pool=gpus'], /^USAGE: --map gives pool twice/],
    ['--map without =', ['--map', 'pool'], /^USAGE: --map "pool": expected field=/],
    [
      'B41: --time-unit',
      ['--time-unit', 'sec'],
      /^FIELD_UNKNOWN: --time-unit "sec" is unknown: use iso, s, ms/,
    ],
    [
      '--time-origin without a unit',
      ['--time-origin', '2025-01-01'],
      /^USAGE: --time-origin needs --time-unit/,
    ],
    [
      'B6: --time-origin',
      ['--time-unit', 's', '--time-origin', '2025-02-30'],
      /^TIME_INVALID: --time-origin/,
    ],
    [
      'B41: --missing-start',
      ['--missing-start', 'sumbit'],
      /^FIELD_UNKNOWN: --missing-start "sumbit": expected reject, submit or an instant; did you mean submit\?/,
    ],
    [
      'B6: --missing-end',
      ['--missing-end', '2026-02-30T00:00:00Z'],
      /^TIME_INVALID: --missing-end/,
    ],
    [
      'B3: --missing-end in the future',
      ['--missing-end', '2099-01-01T00:00:00Z'],
      /^TIME_FUTURE: --missing-end/,
    ],
    ['B13: --zone', ['--zone', 'Asia/Beijing'], /^ZONE_UNKNOWN: .*Asia\/Shanghai/],
    ['--source of our own jobs', ['--source', 'jobhours'], /^USAGE: --source jobhours/],
    ['B19: --source empty', ['--source', ''], /^USAGE: --source "": empty/],
    [
      'B84: --rejects to a path that cannot be written',
      ['--rejects', '/absent/folder/rejects.csv'],
      /^FILE_UNWRITABLE: \/absent\/folder\/rejects\.csv cannot be written/,
    ],
    ['B41: --output', ['--output', 'xml'], /^FIELD_UNKNOWN: --output "xml"/],
  ])('%s', async (_, flags, expected) => {
    const before = await contentsOf(test);
    const run = await imported('csv', HEADER + GOOD, flags);
    expect(run.error).toMatch(expected);
    expect(await contentsOf(test)).toEqual(before);
  });

  it('a file that is absent or a folder: FILE_UNREADABLE', async () => {
    expect((await command(['csv', join(folder, 'abs\nent')])).error).toMatch(
      /^FILE_UNREADABLE: ".*abs\\nent": ENOENT/,
    );
    expect((await command(['csv', join(folder, 'absent')])).error).toMatch(
      /^FILE_UNREADABLE: .*absent: ENOENT/,
    );
    expect((await command(['sacct', folder])).error).toMatch(/^FILE_UNREADABLE: .*it is a folder/);
  });
});

describe('a file with bad records', () => {
  const bad =
    HEADER +
    GOOD +
    'anna,1,j2,2026-01-01T10:00,2026-01-01T11:00:00Z\n' +
    'anna,1,j3,2026-01-01T10:00:00Z,2026-01-01T09:59:59.999Z\n' +
    '=anna,x,j4,2026-01-01T10:00:00Z,\n' +
    'anna,1\n' +
    'anna,1,j6,2026-01-01T10:00:00Z,,extra\n';

  it('names each by line, code and reason, applies nothing and exits with 2 (B1, B7, B16, B35, B36)', async () => {
    const [wokenBefore, before] = [woken.length, await contentsOf(test)];
    const run = await imported('csv', bad);
    expect(run.error).toBe(
      'RECORDS_REJECTED: 5 of 6 records were rejected, so nothing was applied: correct them, or give --partial',
    );
    expect(run.stderr.split('\n')).toEqual([
      'line 3: TIME_ZONE_MISSING: start "2026-01-01T10:00" has no offset: add one such as +08:00, or give --zone',
      'line 4: TIME_ORDER: end 2026-01-01T09:59:59.999Z lies before start 2026-01-01T10:00:00.000Z',
      'line 5: GPUS_INVALID: gpus "x": expected a decimal from 0 to 100000 with at most 3 digits after the point',
      'line 6: CSV_SYNTAX: row 6: expected 5 columns, found 2',
      'line 7: CSV_SYNTAX: row 7: expected 5 columns, found 6',
    ]);
    expect(run.stdout).toContain(
      'Rejected    CSV_SYNTAX 2, GPUS_INVALID 1, TIME_ORDER 1, TIME_ZONE_MISSING 1',
    );
    expect(run.stdout).toContain('1 to count, nothing applied');
    expect(await contentsOf(test)).toEqual(before);
    expect(woken).toHaveLength(wokenBefore);
  });

  it.each([
    ['\n', 'LF'],
    ['\r\n', 'CR LF'],
  ])(
    'names the line on which each begins, behind cells of several lines and empty lines: %j (B36)',
    async (end) => {
      const rows = ['"an\nna",1,a,2026-01-01T10:00:00Z,', '', '', 'anna,x,b,2026-01-01T10:00:00Z,'];
      const text = [HEADER.trim(), ...rows, ...rows, 'anna,1,c'].join('\n').replaceAll('\n', end);
      const told = (await imported('csv', text)).stderr.match(/^line \d+: [A-Z_]+/gm);
      expect(told).toEqual([
        ...['line 2: USER_INVALID', 'line 6: GPUS_INVALID', 'line 7: USER_INVALID'],
        ...['line 11: GPUS_INVALID', 'line 12: CSV_SYNTAX'],
      ]);
    },
  );

  it('asks about line ends when a row holds another one (B36)', async () => {
    const run = await imported('csv', `${HEADER.trim()}\r\n${GOOD}${GOOD.trim()}\r\n`);
    expect(run.stderr).toContain(
      'line 2: CSV_SYNTAX: row 2: expected 5 columns, found 9; a line break is inside it: is a quote not closed, or are its lines ended otherwise than the header?',
    );
  });

  it('writes all of them to --rejects, formulas made harmless (B25)', async () => {
    const rejects = join(folder, 'rejects.csv');
    await imported('csv', bad, ['--rejects', rejects]);
    const text = await readFile(rejects, 'utf8');
    expect(text).toContain('line,code,reason,record\n3,TIME_ZONE_MISSING,');
    expect(text).toContain(`,"'=anna,x,j4,2026-01-01T10:00:00Z,"\n`);
    expect(text.trim().split('\n')).toHaveLength(6);
  });

  it.each([
    ['the same name', (file: string) => Promise.resolve(file)],
    [
      'a link to it',
      async (file: string) => {
        await symlink(file, `${file}.link`);
        return `${file}.link`;
      },
    ],
    [
      'another name of it',
      async (file: string) => {
        await link(file, `${file}.hard`);
        return `${file}.hard`;
      },
    ],
  ])('refuses --rejects that is the input itself, and leaves it: %s', async (_, nameOf) => {
    const file = join(await mkdtemp(join(folder, 'same-')), 'bad.csv');
    await writeFile(file, bad);
    const before = await contentsOf(test);
    const run = await command(['csv', file, '--partial', '--rejects', await nameOf(file)]);
    expect(run.error).toMatch(/^USAGE: --rejects ".*" is the input itself, which would be lost/);
    expect(await readFile(file, 'utf8')).toBe(bad);
    expect(await contentsOf(test)).toEqual(before);
  });

  it('replaces an older file of --rejects as a whole, and leaves it when nothing was read', async () => {
    const rejects = join(await mkdtemp(join(folder, 'older-')), 'rejects.csv');
    await writeFile(rejects, 'older');
    await imported('csv', 'user,gpus\n', ['--rejects', rejects]);
    expect(await readFile(rejects, 'utf8')).toBe('older');
    await imported('csv', bad, ['--rejects', rejects]);
    expect(await readFile(rejects, 'utf8')).toMatch(/^line,code,reason,record\n3,/);
    expect(await readdir(dirname(rejects))).toEqual(['rejects.csv']);
  });

  it('applies the good ones with --partial and still exits with 2 (G7)', async () => {
    const run = await imported('csv', bad, ['--partial', '-o', 'json']);
    expect(run.error).toBe(
      'RECORDS_REJECTED: 5 of 6 records were rejected; the others were applied',
    );
    expect(JSON.parse(run.stdout)).toMatchObject({
      records: 6,
      new: 1,
      rejected: { CSV_SYNTAX: 2 },
    });
    expect(await countOf(test, 'run')).toBe(1);
    expect(await countOf(test, 'rejected_record')).toBe(5);
    await test.query('delete from run');
    await test.query('delete from rejected_record');
  });
});

describe('the end of an import', () => {
  it('is a summary that a person understands, warnings and the commands to type next', async () => {
    const text = `${HEADER}anna,0,s1,2026-01-01T10:00:00Z,2026-01-02T11:30:00Z\nbob,0,s2,2026-01-01T12:00:00Z,2026-01-01T12:00:00Z\n`;
    const run = await imported('csv', text, ['--source', 'end'], 'jobhours dev');
    expect(run.error).toBeNull();
    expect(run.stdout.split('\n').slice(1)).toEqual([
      'Runs        2: 2 new, 0 corrected, 0 ended, 0 unchanged',
      'Set aside   none',
      'Rejected    none',
      'Who         2 users, 0 spaces, 0 pools',
      'When        2026-01-01T18:00+08:00 to 2026-01-02T19:30+08:00 (Asia/Shanghai)',
      'How much    25.500000 run hours, 0.000000 GPU-hours',
      'Minimum     1 run lengthened to the minimum countable duration, by 1 ms in all',
    ]);
    expect(run.stderr.split('\n')).toEqual([
      expect.stringMatching(/^note: end is a new source; those before are .*csv/),
      'WARNING: 0 of 2 records have GPUs: check the column gpus',
      'NOTE: 2 runs started before the books begin: include them by the first command below',
      'Next: jobhours backfill create --start oldest --wait',
      '      jobhours usage --start 2026-01-01 --end 2026-01-03 --step day',
      'Then bring the books up to date: jobhours dev',
    ]);
  });

  it('does not ask for GPUs when the flags say that there are none', async () => {
    const row = 'anna,n1,2026-01-01T10:00:00Z,2026-01-02T11:30:00Z\n';
    const run = await imported('csv', `user,job_id,start,end\n${row}`, ['--set', 'gpus=0']);
    expect(run).toMatchObject({ error: null });
    expect(run.stderr).not.toContain('have GPUs');
  });

  it('wakes the keeper once when something changed, and not when nothing did', async () => {
    woken.length = 0;
    const first = await imported('csv', HEADER + GOOD, ['--source', 'wake']);
    expect(first.stderr).toContain('The books have not begun: reports compute from the runs');
    expect(woken).toHaveLength(1);
    await imported('csv', HEADER + GOOD, ['--source', 'wake']);
    expect(woken).toHaveLength(1);
    await setOrigin(test, Date.UTC(2026, 0, 1));
    const second = await imported('csv', HEADER + GOOD, ['--source', 'wake again']);
    expect(second.stderr).toContain('The keeper was woken: it brings the books up to date.');
    expect(woken).toHaveLength(2);
  });

  it.each(['csv', 'sacct'])('is a clear warning when a %s file has no records', async (format) => {
    const run = await imported(format, '');
    expect(run.error).toBeNull();
    expect(run.stderr).toMatch(
      /^WARNING: 0 records: .* is empty or has only a header; nothing was imported$/,
    );
  });

  it('is a warning when every record was set aside', async () => {
    const run = await imported('sacct', sacctLine({ nodelist: 'None assigned' }));
    expect(run.stdout).toContain('Set aside   NEVER_STARTED 1');
    expect(run.stderr).toContain('WARNING: 0 of 1 records are runs');
  });
});

describe('flags that change how a file is read', () => {
  it('are those of the trace of a GPU cluster: pairs in one --map, instants in the zone of the books', async () => {
    const text =
      'instance_sn,role,app_name,gpu_request,creation_time,scheduled_time,deletion_time\ni1,HN,app_1,0.5,,,\ni2,CN,app_2,1,60,61.5,3600.25\n';
    const run = await imported('csv', text, [
      '--source',
      'trace',
      '--map',
      'job_id=instance_sn,user=app_name,pool=role,gpus=gpu_request,submit=creation_time,start=scheduled_time,end=deletion_time',
      ...['--time-unit', 's', '--time-origin', '2025-01-01'],
      ...['--missing-start', '2025-01-01T00:00:00+08:00', '--missing-end', '2025-02-01T00:00:00'],
      ...['--set', 'space=dlrm, 2025', '-o', 'json'],
    ]);
    expect(run.error).toBeNull();
    expect(JSON.parse(run.stdout)).toMatchObject({ new: 2, estimated_ends: 1 });
    const runs = await test.query(
      `select job_id, milli_gpus, started_at_ms::text, ended_at_ms::text, s.name as space
       from run join usage_key k on k.id = usage_key join dim_space s on s.id = k.space_id
       where source = (select id from source where name = 'trace') order by job_id`,
    );
    const origin = Date.UTC(2024, 11, 31, 16);
    expect(runs).toEqual([
      {
        job_id: 'i1',
        milli_gpus: 500,
        started_at_ms: String(origin),
        ended_at_ms: String(origin + 31 * 86_400_000),
        space: 'dlrm, 2025',
      },
      {
        job_id: 'i2',
        milli_gpus: 1000,
        started_at_ms: String(origin + 61_500),
        ended_at_ms: String(origin + 3_600_250),
        space: 'dlrm, 2025',
      },
    ]);
  });

  it('the demo books refuse imports', async () => {
    await test.query('update books set is_demo = true');
    const run = await imported('csv', HEADER + GOOD, ['--source', 'demo']);
    await test.query('update books set is_demo = false');
    expect(run.error).toMatch(/^DEMO_BOOKS: the demo books refuse imports/);
  });
});
