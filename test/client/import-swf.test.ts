/** swf: a log with its header, GPUs from a file, and flags of all formats at the command (B33 to B44). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, importText, runsOf, sacctLine, swf } from '../support/imports.js';
import { seededRandom } from '../support/seeded-random.js';

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  folder = await mkdtemp(join(tmpdir(), 'jobhours-swf-'));
});
beforeEach(() => test.query('delete from run'));
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});

const ORIGIN = Date.UTC(2026, 0, 1);
const HEADER = [
  '; Version: 2.2',
  ';   UnixStartTime: 1767225600  ',
  '; TimeZoneString: Europe/Berlin',
  '; MaxProcs: 64',
  '; Note: nothing of value: 12',
].join('\n');

/** A line of 18 numbers: job, submit, wait, run time, processors, status, user, group, partition. */
function job(...values: readonly number[]): string {
  const [id = -1, submit = -1, wait = -1, run = -1, processors = -1, status = -1, ...who] = values;
  const [user = -1, group = -1, partition = -1] = who;
  const [before, after] = [
    [id, submit, wait, run, processors, -1, -1, processors, 3600, -1],
    [status, user, group, -1, 2, partition, -1, -1],
  ];
  return ` ${[...before, ...after].join('\t ')} `;
}

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function imported(
  format: string,
  content: string | Uint8Array,
  flags: readonly string[] = [],
): Promise<CommandRun> {
  const file = await fileOf('input', content);
  return runCommand(test, registerImport, ['import', format, file, ...flags], {
    wakeKeeper: () => Promise.resolve(null),
  });
}

describe('a log in the Standard Workload Format', () => {
  it('is counted to the second: every job that ran, against a plain sum (G7, seed 1)', async () => {
    const random = seededRandom(1);
    const lines = [HEADER];
    const [gpus, kinds] = [['job,gpus'], { ran: 0, ms: 0, gpuMs: 0, set: 0 }];
    for (let id = 1; id <= 500; id += 1) {
      const [submit, wait] = [id * 10, random.integer(0, 999)];
      const run = random.integer(0, 9_999);
      const status = random.pick([0, 1, 1, 1, 5, 2, 3]);
      const count = random.integer(0, 8);
      const isCancelled = status === 5 && random.chance(0.5);
      lines.push(job(id, submit, wait, isCancelled ? -1 : run, 8, status, id % 7, 3, 1));
      gpus.push(`${id},${count}`);
      const isRun = status < 2 || (status === 5 && !isCancelled && run > 0);
      if (!isRun) kinds.set += 1;
      else {
        const ms = Math.max(1, run * 1_000);
        kinds.ran += 1;
        kinds.ms += ms;
        kinds.gpuMs += ms * count;
      }
    }
    const gpusFile = await fileOf('gpus.csv.gz', gzipSync(`\ufeff${gpus.join('\r\n')}\r\n`));
    const run = await imported('swf', gzipSync(lines.join('\n')), [
      ...['--gpus-from', gpusFile, '--source', 'archive', '-o', 'json'],
    ]);
    expect(run.error).toBeNull();
    const { ran, ms, gpuMs, set } = kinds;
    const summary = JSON.parse(run.stdout) as Record<string, unknown>;
    expect(summary).toMatchObject({
      ...{ records: 500, runs: ran, new: ran, run_ms: String(ms) },
      milli_gpu_ms: String(gpuMs * 1_000),
      times:
        'counted in seconds from 2026-01-01T00:00:00.000Z (UnixStartTime); the log is of "Europe/Berlin"',
    });
    const setAside = summary['set_aside'] as Record<string, number>;
    expect(Object.keys(setAside)).toEqual(['NEVER_STARTED', 'PARTIAL']);
    expect(Object.values(setAside).reduce((a, b) => a + b)).toBe(set);
    expect(
      await countOf(test, "run where source = (select id from source where name = 'archive')"),
    ).toBe(ran);
    const again = await imported('swf', lines.join('\r\n'), [
      ...['--gpus-from', gpusFile, '--source', 'archive'],
    ]);
    expect(again.stdout).toContain(`0 new, 0 corrected, 0 ended, ${ran} unchanged`);
  });

  it('counts from --time-origin instead of its header, in the zone of the books', async () => {
    const text = `${HEADER}\n${job(1, 0, 0, 60, 8, 1, 12, 3, 1)}`;
    const flags = ['--set', 'gpus=1', '--time-origin', '2026-02-01'];
    expect((await imported('swf', text, flags)).stdout).toContain(
      'Times       counted in seconds from 2026-02-01T00:00:00.000Z (--time-origin)',
    );
    const [run] = await runsOf(test);
    expect(run).toMatchObject({
      source: 'swf',
      user: 'user:12',
      space: 'group:3',
      pool: 'partition:1',
    });
  });

  it('with more processors than the machine has, or a status that nobody knows, is a warning', async () => {
    const text = [HEADER, job(1, 0, 0, 60, 65, 1, 1), job(2, 0, 0, 60, 64, 9, 1)].join('\n');
    const run = await imported('swf', text, ['--set', 'gpus=1']);
    expect(run.stderr).toContain(
      'WARNING: states that are not known, counted as any other: status 9 1',
    );
    expect(run.stderr).toContain('WARNING: records with more processors than MaxProcs says: 64 1');
  });

  it.each<[string, string, string[], RegExp]>([
    [
      'B43: nothing says how many GPUs',
      HEADER,
      [],
      /^FIELD_MISSING: swf has no column for GPUs: give --gpus-from FILE \(columns job,gpus\) or --set gpus=N$/,
    ],
    [
      'GPUs given twice',
      HEADER,
      ['--set', 'gpus=1', '--gpus-from', 'x'],
      /^USAGE: gpus are given by --set and by --gpus-from/,
    ],
    ['GPUs from standard input', HEADER, ['--gpus-from', '-'], /^USAGE: --gpus-from needs a file/],
    [
      'B41: --set of another field',
      HEADER,
      ['--set', 'gpsu=1'],
      /^FIELD_UNKNOWN: --set "gpsu": the fields are user, space, pool, gpus; did you mean gpus\?/,
    ],
    [
      'B43: no UnixStartTime',
      job(1, 0, 0, 60, 8, 1, 1),
      ['--set', 'gpus=1'],
      /^FIELD_MISSING: no header line UnixStartTime: --time-origin says/,
    ],
    [
      'B4: UnixStartTime 0',
      `; UnixStartTime: 0\n${job(1, 0, 0, 60, 8, 1, 1)}`,
      ['--set', 'gpus=1'],
      /^TIME_RANGE: UnixStartTime \(or give --time-origin\) "0"/,
    ],
    [
      'B11: UnixStartTime in ms',
      `; UnixStartTime: 1767225600000\n${job(1, 0, 0, 60, 8, 1, 1)}`,
      ['--set', 'gpus=1'],
      /^TIME_UNIT: UnixStartTime .*looks like milliseconds/,
    ],
    [
      'an absent file of GPUs',
      HEADER,
      ['--gpus-from', '/absent/gpus.csv'],
      /^FILE_UNREADABLE: \/absent\/gpus.csv/,
    ],
  ])('is refused as a whole: %s', async (_, text, flags, expected) => {
    const run = await imported('swf', text, flags);
    expect(run.error).toMatch(expected);
    expect(await countOf(test, 'run')).toBe(0);
  });

  it.each([
    ['', /^CSV_SYNTAX: --gpus-from .*: it is empty$/],
    ['job;gpus\n1;2\n', /^FIELD_MISSING: --gpus-from .*: no column for job, gpus: .* not ";"$/],
    ['job,gpu\n1,2\n', /^FIELD_MISSING: .*: the columns are job,gpus; did you mean gpu\?$/],
    ['gpus,job\n2,1\n3,1\n', /^CSV_SYNTAX: --gpus-from .*: row 3: job "1" stands twice$/],
    ['job,gpus\n1,2,3\n', /^CSV_SYNTAX: .*: row 2: expected 2 columns, found 3$/],
    ['job,gpus\n"1,2\n', /^CSV_SYNTAX: .*: row 2: a quote opens in it and is never closed/],
  ])('refuses the file of GPUs %j (B36)', async (text, expected) => {
    const gpusFile = await fileOf('gpus.csv', text);
    const run = await imported('swf', HEADER, ['--gpus-from', gpusFile]);
    expect(run.error).toMatch(expected);
  });

  it('rejects lines by number: fewer fields, words, other bytes, jobs without GPUs (B34, B42, B43)', async () => {
    const gpusOfJob = new Map([['1', '1']]);
    const text = Buffer.concat([
      Buffer.from(`${HEADER}\n${job(1, 0, 0, 60, 8, 1, 1)}\n1 2 3\n`),
      Buffer.from(`${job(1, 0, 0, 60, 8, 1, 1).replace('3600', 'long')}\n`),
      Buffer.from(`${job(2, 0, 0, 60, 8, 1, 1)}\n`),
      Buffer.from('1 \u00e9\n', 'latin1'),
    ]);
    const { rejects, summary } = await importText(test, swf({ gpusOfJob }), text, {
      partial: true,
    });
    expect(rejects.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '7 RECORD_INVALID',
      '8 RECORD_INVALID',
      '9 FIELD_MISSING',
      '10 ENCODING',
    ]);
    expect(rejects[0]?.detail).toBe('expected 18 fields separated by blanks, found 3');
    expect(rejects[1]?.detail).toMatch(/^field 9, requested_time, "long": expected a number/);
    expect(summary).toMatchObject({ new: 1, firstAtMs: ORIGIN });
  });
});

describe('what an import prints', () => {
  it('has names in snake_case in json, as every other output', async () => {
    const text = 'user,gpus,job_id,start,end\na,1,j1,2026-01-01T10:00:00Z,\n';
    const run = await imported('csv', text, ['-o', 'json']);
    const summary = JSON.parse(run.stdout) as Record<string, unknown>;
    expect(Object.keys(summary).filter((name) => /[A-Z]/.test(name))).toEqual([]);
    expect(summary).toMatchObject({
      ...{ with_gpus: 1, set_aside: {}, first_at_ms: ORIGIN + 36_000_000, corrected_fields: {} },
      ...{ times: null, unknown_states: {}, unknown_gres: {}, suspended: 0, kept_columns: [] },
    });
  });

  it.each<[string, string, string[], string | null]>([
    ['sacct', sacctLine({}), [], 'Times       read as UTC'],
    ['sacct', sacctLine({}), ['--zone', 'europe/berlin'], 'Times       read as Europe/Berlin'],
    [
      'csv',
      'user,gpus,job_id,start,end\na,1,j1,2026-01-01T10:00,\n',
      ['--zone', 'Asia/Tokyo'],
      'Times       without offset read as Asia/Tokyo',
    ],
    ['csv', 'user,gpus,job_id,start,end\na,1,j1,2026-01-01T10:00Z,\n', [], null],
  ])('says for %s how its times were read', async (format, text, flags, expected) => {
    const run = await imported(format, text, flags);
    expect(run.error).toBeNull();
    expect(run.stdout.split('\n').find((line) => line.startsWith('Times')) ?? null).toBe(expected);
  });

  it('warns of unknown states and gres with their counts, and tells suspended runs', async () => {
    const lines = [
      sacctLine({ jobidraw: '1', state: 'MELTED', elapsed: '00:59:00' }),
      sacctLine({ jobidraw: '2', state: 'MELTED', alloctres: 'gres/shard=1' }),
      sacctLine({ jobidraw: '3', state: '\u001b[31mRED', alloctres: 'gres/gpu=1' }),
    ].join('\n');
    const run = await imported('sacct', lines, ['--pool', '{cluster}/{gputype}']);
    expect(run.stderr).toContain(
      'WARNING: states that are not known, counted as any other: "\\u001b[31mRED" 1, MELTED 2',
    );
    expect(run.stderr).toContain(
      'WARNING: records with gres of unknown worth, slices counted as whole GPUs, others not at all (--gres NAME=milli): gres/shard 1',
    );
    expect(run.stdout).toContain(
      'Suspended   1 run for a part of their time; their GPUs count all of it',
    );
    const weighed = await imported('sacct', lines, ['--gres', 'shard=250', '--gres', 'mps=0']);
    expect(weighed.stderr).not.toContain('gres of unknown worth');
  });

  it.each<[string, string[], RegExp]>([
    [
      'sacct',
      ['--pool', '{clustr}'],
      /^FIELD_UNKNOWN: --pool \{clustr\}: .*did you mean \{cluster\}\?/,
    ],
    ['sacct', ['--gres', 'shard'], /^USAGE: --gres "shard"/],
    ['sacct', ['--zone', 'Berlin'], /^ZONE_UNKNOWN: .*Europe\/Berlin/],
    ['sacct', ['--source', 'jobhours'], /^USAGE: --source jobhours/],
    ['jsonl', ['--map', 'gpsu=x'], /^FIELD_UNKNOWN: --map "gpsu"/],
    ['jsonl', ['--time-unit', 'm'], /^FIELD_UNKNOWN: --time-unit "m" is unknown: use iso, s, ms/],
    ['csv', ['--time-unit', 's', '--zone', 'UTC'], /^USAGE: --zone says how times are written/],
    ['jsonl', ['--time-origin', '2026-01-01'], /^USAGE: --time-origin needs --time-unit/],
    [
      'swf',
      ['--set', 'gpus=1', '--missing-end', 'opne'],
      /^FIELD_UNKNOWN: --missing-end "opne": .*open/,
    ],
    ['swf', ['--set', 'gpus=1', '--missing-start', '2099-01-01'], /^TIME_FUTURE: --missing-start/],
  ])('refuses for %s the flags %j (B13, B41)', async (format, flags, expected) => {
    const run = await imported(format, '', flags);
    expect(run.error).toMatch(expected);
  });

  it.each(['jsonl', 'swf'])('is a clear warning when a %s file has no records', async (format) => {
    const flags = format === 'swf' ? ['--set', 'gpus=1'] : [];
    for (const content of ['', '\n\n', gzipSync('')]) {
      const run = await imported(format, content, flags);
      expect(run.error).toBeNull();
      expect(run.stderr).toMatch(/^WARNING: 0 records: .* is empty or has only a header/);
    }
  });
});
