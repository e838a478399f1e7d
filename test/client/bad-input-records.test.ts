/**
 * Bad records through `import`, by number (B1 to B28, B41 to B44): each is told in full by line, code, field, value and
 * rule, and the good record beside it is not applied. What may look bad and is none stands at the end.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { registerRun } from '../../client/commands/run.js';
import { registerUsage } from '../../client/commands/usage.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { contentsOf } from '../support/contents.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { runsOf, sacctLine } from '../support/imports.js';

let test: TestDatabase;
let folder: string;

beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Europe/Berlin' });
  folder = await mkdtemp(join(tmpdir(), 'jobhours-bad-'));
  expect((await imported('csv', csv({ job_id: 'before' }))).error).toBeNull();
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});

async function imported(
  format: string,
  content: string | Uint8Array,
  flags: readonly string[] = [],
): Promise<CommandRun> {
  const file = join(folder, 'input');
  await writeFile(file, content);
  return runCommand(test, registerImport, ['import', format, file, ...flags], {
    wakeKeeper: () => Promise.resolve(null),
  });
}

type Field = 'user' | 'space' | 'pool' | 'job_id' | 'attempt' | 'gpus' | 'start' | 'end';
type Fields = Partial<Record<Field, string>>;

const GOOD: Record<Field, string> = {
  ...{ user: 'anna', space: 'lab', pool: 'a100', job_id: 'j', attempt: '', gpus: '1' },
  ...{ start: '2026-01-01T10:00:00Z', end: '2026-01-01T11:00:00Z' },
};

/** A file of one row for each of `rows`: what it has otherwise than the good record. */
function csv(...rows: readonly Fields[]): string {
  const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const lines = rows.map((row) => Object.values({ ...GOOD, ...row }).map(cell));
  return [Object.keys(GOOD), ...lines].map((cells) => `${cells.join(',')}\n`).join('');
}

/** Rows for `it.each`: number and rule first, for the title. */
function titled<T>(rows: readonly (readonly [string, T, string])[]): [string, T, string][] {
  return rows.map(([number, bad, rule]) => [`${number}: ${rule}`, bad, rule]);
}

/** The refusal of a file in which the second record is bad: its line on stderr, without `line N: `. */
async function refusal(
  format: string,
  content: string | Uint8Array,
  flags: readonly string[] = [],
): Promise<string> {
  const before = await contentsOf(test);
  const run = await imported(format, content, flags);
  expect(run.error).toBe(
    'RECORDS_REJECTED: 1 of 2 records were rejected, so nothing was applied: correct them, or give --partial',
  );
  expect(run.stdout).toContain('nothing applied');
  expect(await contentsOf(test)).toEqual(before);
  const [line = '', ...more] = run.stderr.split('\n');
  expect(more).toEqual([]);
  return line;
}

const NO_ISO = 'is no ISO 8601 time such as 2026-01-31T15:00:00+08:00';
const OUTSIDE = 'lies outside the years 1990 to 2100';
const NO_DATE = 'names a date that does not exist';
const NO_TIME = 'has no time of day from 00:00:00 to 23:59:59';
const GPUS = 'expected a decimal from 0 to 100000 with at most 3 digits after the point';
const LONG = 'longer than 1000 characters or 2600 bytes';
const CUT = `"${'a'.repeat(60)}"... (1001 characters)`;

describe('a bad record of csv', () => {
  it.each(
    titled<Fields>([
      [
        'B1',
        { end: '2026-01-01T09:59:59.999Z' },
        'TIME_ORDER: end 2026-01-01T09:59:59.999Z lies before start 2026-01-01T10:00:00.000Z',
      ],
      [
        'B2',
        { start: '' },
        'START_MISSING: start is empty; --missing-start says what stands for it',
      ],
      [
        'B4',
        { start: '1969-12-31T23:59:59Z' },
        `TIME_RANGE: start "1969-12-31T23:59:59Z" ${OUTSIDE}`,
      ],
      [
        'B5',
        { start: '0001-01-01T00:00:00Z' },
        `TIME_RANGE: start "0001-01-01T00:00:00Z" ${OUTSIDE}`,
      ],
      [
        'B5',
        { end: '10000-01-01T00:00:00Z' },
        `TIME_RANGE: end "10000-01-01T00:00:00Z" ${OUTSIDE}`,
      ],
      [
        'B5',
        { end: '275760-09-13T00:00:00Z' },
        `TIME_RANGE: end "275760-09-13T00:00:00Z" ${OUTSIDE}`,
      ],
      ['B5', { end: 'infinity' }, `TIME_RANGE: end "infinity" ${OUTSIDE}`],
      ['B5', { start: '-infinity' }, `TIME_RANGE: start "-infinity" ${OUTSIDE}`],
      ['B6', { start: '2026-02-30' }, `TIME_INVALID: start "2026-02-30" ${NO_DATE}`],
      [
        'B6',
        { end: '2025-02-29T00:00:00Z' },
        `TIME_INVALID: end "2025-02-29T00:00:00Z" ${NO_DATE}`,
      ],
      [
        'B7',
        { start: '2026-01-01T10:00' },
        'TIME_ZONE_MISSING: start "2026-01-01T10:00" has no offset: add one such as +08:00, or give --zone',
      ],
      [
        'B10',
        { start: '2016-12-31T23:59:60Z' },
        'TIME_LEAP_SECOND: start "2016-12-31T23:59:60Z" is a leap second, which has no instant: give second 59',
      ],
      [
        'B11',
        { start: '2026-01-01T24:00:00Z' },
        `TIME_INVALID: start "2026-01-01T24:00:00Z" ${NO_TIME}`,
      ],
      ['B11', { start: '24:00:00' }, `TIME_INVALID: start "24:00:00" ${NO_ISO}`],
      ['B11', { end: '12:60' }, `TIME_INVALID: end "12:60" ${NO_ISO}`],
      ['B11', { end: '1e12' }, `TIME_INVALID: end "1e12" ${NO_ISO}`],
      [
        'B11',
        { start: '1767225600' },
        'TIME_UNIT: start "1767225600" looks like seconds since 1970, expected was an ISO 8601 time (--time-unit iso)',
      ],
      ['B16', { gpus: '-1' }, `GPUS_INVALID: gpus "-1": ${GPUS}`],
      ['B16', { gpus: '1.2345' }, `GPUS_INVALID: gpus "1.2345": ${GPUS}`],
      ['B16', { gpus: 'NaN' }, `GPUS_INVALID: gpus "NaN": ${GPUS}`],
      ['B16', { gpus: 'Infinity' }, `GPUS_INVALID: gpus "Infinity": ${GPUS}`],
      ['B16', { gpus: '0x8' }, `GPUS_INVALID: gpus "0x8": ${GPUS}`],
      ['B16', { gpus: '2147483648' }, `GPUS_INVALID: gpus "2147483648": ${GPUS}`],
      ['B19', { user: '' }, 'USER_INVALID: user "": empty'],
      ['B19', { user: '  ' }, 'USER_INVALID: user "": empty'],
      ['B19', { user: 'a'.repeat(1_001) }, `USER_INVALID: user ${CUT}: ${LONG}`],
      ['B19', { space: 'a'.repeat(1_001) }, `SPACE_INVALID: space ${CUT}: ${LONG}`],
      ['B19', { pool: 'a'.repeat(1_001) }, `POOL_INVALID: pool ${CUT}: ${LONG}`],
      ['B19', { job_id: 'a'.repeat(1_001) }, `JOB_ID_INVALID: job_id ${CUT}: ${LONG}`],
      [
        'B20',
        { user: 'a\0b' },
        String.raw`USER_INVALID: user "a\u0000b": control character U+0000 is not allowed`,
      ],
      [
        'B23',
        { user: 'a\u202eb' },
        String.raw`USER_INVALID: user "a\u202eb": invisible character U+202E is not allowed`,
      ],
      [
        'B23',
        { space: 'a\u200bb' },
        String.raw`SPACE_INVALID: space "a\u200bb": invisible character U+200B is not allowed`,
      ],
      [
        'B23',
        { user: 'anna\u3164' },
        String.raw`USER_INVALID: user "anna\u3164": invisible character U+3164 is not allowed`,
      ],
      [
        'B28',
        { user: 'a\r\nINFO paid' },
        String.raw`USER_INVALID: user "a\r\nINFO paid": control character U+000D is not allowed`,
      ],
      [
        'B28',
        { job_id: 'a\u009b31mb' },
        String.raw`JOB_ID_INVALID: job_id "a\u009b31mb": control character U+009B is not allowed`,
      ],
      [
        'B42',
        { attempt: 'first' },
        'LIMIT_INVALID: attempt "first": expected a whole number from 0 to 2147483647',
      ],
      ['B43', { gpus: '' }, 'FIELD_MISSING: gpus is empty; a value is required'],
      ['B43', { job_id: '' }, 'FIELD_MISSING: job_id is empty; a value is required'],
      ['B44', { start: 'Invalid Date' }, `TIME_INVALID: start "Invalid Date" ${NO_ISO}`],
      [
        'B44',
        { end: '0NaN-NaN-NaNTNaN:NaN:NaN.NaN+NaN:NaN' },
        `TIME_INVALID: end "0NaN-NaN-NaNTNaN:NaN:NaN.NaN+NaN:NaN" ${NO_ISO}`,
      ],
    ]),
  )('is refused by field, value and rule, and nothing is changed. %s', async (_, fields, rule) => {
    expect(await refusal('csv', csv({}, { job_id: 'bad', ...fields }))).toBe(`line 3: ${rule}`);
  });

  it('that lies 6 minutes in the future is refused with the clock of the database (B3)', async () => {
    const start = new Date(Date.now() + 360_000).toISOString();
    const line = await refusal('csv', csv({}, { job_id: 'bad', start, end: '' }));
    expect(line).toMatch(
      new RegExp(
        `^line 3: TIME_FUTURE: start ${start}: more than 5 minutes in the future; the database clock says 20\\S+Z$`,
      ),
    );
  });

  it.each(
    titled<Fields>([
      [
        'B8',
        { start: '2025-10-26T02:30', end: '2025-10-26T05:00' },
        'TIME_AMBIGUOUS: start "2025-10-26T02:30" happens twice in Europe/Berlin: give +02:00 or +01:00',
      ],
      [
        'B9',
        { start: '2026-03-29T02:30', end: '2026-03-29T05:00' },
        'TIME_NONEXISTENT: start "2026-03-29T02:30" was skipped by a change of the clocks in Europe/Berlin (2026-03-29 02:00 to 2026-03-29 03:00)',
      ],
    ]),
  )('is refused when its zone has the time twice or never. %s', async (_, fields, rule) => {
    const text = csv({}, { job_id: 'bad', ...fields });
    expect(await refusal('csv', text, ['--zone', 'Europe/Berlin'])).toBe(`line 3: ${rule}`);
  });
});

describe('a bad line of jsonl', () => {
  const members = { user: '"anna"', gpus: '1', job_id: '"j"', start: '"2026-01-01T10:00:00Z"' };
  const object = (changes: Readonly<Record<string, string | null>>): string =>
    `{${Object.entries({ ...members, end: 'null', ...changes })
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `"${name}":${value}`)
      .join(',')}}`;

  it.each(
    titled<string>([
      [
        'B17',
        '{"user":"a","gpus":1,"gpus":8}',
        'JSON_DUPLICATE_KEY: line 2, column 22: "gpus" stands twice',
      ],
      [
        'B18',
        object({ job_id: '9007199254740993' }),
        'ID_PRECISION: job_id 9007199254740993: a number above 2^53 may have been rounded on its way; send it as text',
      ],
      [
        'B21',
        object({ user: String.raw`"a\ud800"` }),
        String.raw`USER_INVALID: user "a\ud800": not well-formed Unicode: U+D800 is not allowed`,
      ],
      [
        'B41',
        object({ gpus: null, gpsu: '1' }),
        'FIELD_UNKNOWN: field "gpsu" is unknown and gpus is absent: did you mean gpus?',
      ],
      [
        'B42',
        object({ user: '["a","b"]' }),
        'TYPE: "user": expected text or a whole number, found an array',
      ],
      [
        'B42',
        object({ gpus: '{"n":1}' }),
        'TYPE: "gpus": expected a number or text, found an object',
      ],
      ['B42', object({ start: 'true' }), 'TYPE: "start": expected a number or text, found true'],
      ['B43', object({ user: null }), 'FIELD_MISSING: user is absent; a value is required'],
      ['B43', object({ gpus: 'null' }), 'FIELD_MISSING: gpus is empty; a value is required'],
      ['B44', object({ start: '"Invalid Date"' }), `TIME_INVALID: start "Invalid Date" ${NO_ISO}`],
    ]),
  )('is refused by field, value and rule, and nothing is changed. %s', async (_, bad, rule) => {
    expect(await refusal('jsonl', `${object({})}\n${bad}\n`)).toBe(`line 2: ${rule}`);
  });
});

describe('a bad line of sacct', () => {
  it.each(
    titled<Parameters<typeof sacctLine>[0]>([
      [
        'B1',
        { end: '2026-01-01T09:59:59' },
        'TIME_ORDER: end 2026-01-01T09:59:59.000Z lies before start 2026-01-01T10:00:00.000Z',
      ],
      [
        'B6',
        { submit: '2026-02-30T00:00:00' },
        `TIME_INVALID: submit "2026-02-30T00:00:00" ${NO_DATE}`,
      ],
      ['B16', { alloctres: 'gres/gpu=many' }, `GPUS_INVALID: alloctres "many": ${GPUS}`],
      [
        'B23',
        { account: 'a\u2066b' },
        String.raw`SPACE_INVALID: account "a\u2066b": invisible character U+2066 is not allowed`,
      ],
    ]),
  )('is refused by field, value and rule, and nothing is changed. %s', async (_, fields, rule) => {
    const text = `${sacctLine({})}\n${sacctLine({ jobidraw: '2', ...fields })}\n`;
    expect(await refusal('sacct', text)).toBe(`line 2: ${rule}`);
  });
});

describe('what may look bad and is none', () => {
  const JANUARY = ['--start', '2026-01-01', '--end', '2026-02-01'];
  const usage = (...argv: readonly string[]): Promise<CommandRun> =>
    runCommand(test, registerUsage, ['usage', ...JANUARY, ...argv]);

  it('a time finer than a ms at the edge of an hour is cut off, never rounded up (B12)', async () => {
    const times = { start: '2026-01-02T11:59:59.9996Z', end: '2026-01-02T12:59:59.9999Z' };
    const { error } = await imported('csv', csv({ job_id: 'fine', user: 'fine', ...times }));
    expect(error).toBeNull();
    const { stdout } = await usage('--user', 'fine', '--step', 'hour', '--by', 'user', '-o', 'csv');
    expect(stdout.split('\n').map((line) => line.split(',').slice(2, 7).join(' '))).toEqual([
      'label user space pool run_ms',
      '2026-01-02T12:00+01:00 fine   1',
      '2026-01-02T13:00+01:00 fine   3599999',
    ]);
  });

  it.each(['Asia/Kolkata', 'Asia/Calcutta', 'asia/kolkata'])(
    'a zone under another of its names is the same zone: %s (B14)',
    async (zone) => {
      const local = { start: '2026-01-03T05:30', end: '2026-01-03T06:30' };
      const run = await imported('csv', csv({ job_id: 'zoned', ...local }), ['--zone', zone]);
      expect(run.error).toBeNull();
      expect(run.stdout).toContain('Times       without offset read as Asia/Kolkata');
      const zoned = (await runsOf(test)).find(({ job_id: job }) => job === 'zoned');
      expect(zoned?.['started_at_ms']).toBe(String(Date.UTC(2026, 0, 3)));
    },
  );

  it('a user in another normal form is the same user (B22)', async () => {
    const rows = ['cafe\u0301', 'caf\u00e9'].map((user, row) => ({ user, job_id: `nf${row}` }));
    expect((await imported('csv', csv(...rows))).stdout).toContain('Who         1 user,');
  });

  it.each([
    ['B23', 'p\u0430yments', 'p\u0430yments (U+0430)'],
    ['B24', "'; drop table jobs;--", "'; drop table jobs;--"],
    ['B24', '%', '%'],
    ['B24', '_', '_'],
    ['B24', '\\', '\\'],
    ['B25', "=cmd|'/c calc'!A1", "=cmd|'/c calc'!A1"],
    ['B25', '@SUM(1)', '@SUM(1)'],
    ['B25', '-1+1', '-1+1'],
    ['B26', '<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['B27', 'constructor', 'constructor'],
    ['B27', '__proto__', '__proto__'],
    ['B27', 'hasOwnProperty', 'hasOwnProperty'],
  ])(
    'a user is plain text in every answer, and found by it alone. %s: %s',
    async (_, user, shown) => {
      const { error } = await imported('csv', csv({ user, job_id: `of ${user}` }));
      expect(error).toBeNull();
      const one = await usage('--by', 'user', '--user', user, '-o', 'json');
      expect(JSON.parse(one.stdout)).toMatchObject([{ user, run_ms: '3600000' }]);
      expect((await usage('--by', 'user', '--user', user)).stdout).toContain(`\n${shown} `);
      const quoted = /^[=+\-@]/.test(user) ? `'${user}` : user;
      const asCsv = await usage('--by', 'user', '--user', user, '-o', 'csv');
      expect(asCsv.stdout.split('\n')[1]).toContain(`,${quoted},`);
      const listed = await runCommand(test, registerRun, [
        'run',
        'list',
        '--user',
        user,
        '-o',
        'csv',
      ]);
      expect(listed.stdout.split('\n')).toHaveLength(2);
      expect(listed.stdout).toContain(`,${quoted},`);
    },
  );

  it('a run below the minimum countable duration counts for it, its reported end kept, and both are told (B65)', async () => {
    const other = await createTestDatabase();
    await openTestBooks(other, { minimumRunMs: 60_000 });
    const ends = ['10:00:00Z', '10:00:59.999Z', '10:01:00Z'];
    const rows = ends.map((end, row) => ({ job_id: `m${row}`, end: `2026-01-01T${end}` }));
    const file = join(folder, 'short');
    await writeFile(file, csv(...rows));
    const { stdout } = await runCommand(other, registerImport, ['import', 'csv', file], {
      wakeKeeper: () => Promise.resolve(null),
    });
    expect(stdout).toContain(
      'Minimum     2 runs lengthened to the minimum countable duration, by 60001 ms in all',
    );
    const report = await runCommand(other, registerUsage, ['usage', ...JANUARY]);
    expect(report.stdout).toContain(
      'The minimum of 60000 ms per run lengthened 2 runs, by 60001 ms in all',
    );
    const listed = await runCommand(other, registerRun, ['run', 'list', '-o', 'json']);
    const runs = JSON.parse(listed.stdout) as Record<string, string>[];
    expect(runs.map(({ end, reported_end: reported }) => `${end} ${reported}`).sort()).toEqual([
      '2026-01-01T10:01:00.000Z 2026-01-01T10:00:00.000Z',
      '2026-01-01T10:01:00.000Z 2026-01-01T10:00:59.999Z',
      '2026-01-01T10:01:00.000Z 2026-01-01T10:01:00.000Z',
    ]);
    await other.close();
  });

  it('a run of ten years on 100,000 GPUs is exact to the ms in each of its days (B66)', async () => {
    const [start, end] = ['2015-01-01T00:00:00Z', '2025-01-01T00:00:00Z'];
    const row = { user: 'ten', job_id: 'ten', gpus: '100000', start, end };
    expect((await imported('csv', csv(row))).error).toBeNull();
    const days = ['--start', '2014-12-01', '--end', '2025-02-01', '--step', 'day'];
    const { stdout } = await runCommand(test, registerUsage, [
      ...['usage', ...days, '--user', 'ten', '-o', 'json'],
    ]);
    const rows = JSON.parse(stdout) as { run_ms: string; gpu_ms: string }[];
    const runMs = rows.reduce((sum, { run_ms: ms }) => sum + BigInt(ms), 0n);
    expect(runMs).toBe(BigInt(Date.parse(end) - Date.parse(start)));
    const gpuMs = rows.reduce((sum, { gpu_ms: ms }) => sum + BigInt(ms), 0n);
    expect(gpuMs).toBe(100_000n * runMs);
    expect(rows.filter(({ run_ms: ms }) => ms !== '0')).toHaveLength(3_654);
  });

  it('a column called nearly as an optional field is kept, and asked about (B41)', async () => {
    const text =
      'user,gpus,job_id,start,end,spaec\nanna,1,near,2026-01-04T10:00:00Z,2026-01-04T11:00:00Z,lab\n';
    const run = await imported('csv', text);
    expect(run.error).toBeNull();
    expect(run.stderr).toContain(
      'WARNING: no record has a space: did you mean the column spaec? Say --map space=COLUMN',
    );
    const mapped = await imported('csv', text, ['--map', 'space=spaec']);
    expect(mapped.stderr).not.toContain('WARNING');
  });
});
