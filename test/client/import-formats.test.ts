/** From bytes to runs: both formats through staging, with the counts that an import prints (G7). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';
import {
  countOf,
  csv,
  importInput,
  importText,
  inputOf,
  runsOf,
  sacct,
  sacctLine,
} from '../support/imports.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
beforeEach(() => test.query('delete from run'));
afterAll(() => test.close());

const HEADER = 'user,space,pool,job_id,attempt,gpus,submit,start,end\n';
const HOUR = '2026-01-01T10:00:00Z,2026-01-01T11:00:00Z';

describe('sacct', () => {
  const lines = [
    SACCT_FIELDS.join('|').toUpperCase(),
    sacctLine({ jobidraw: '1', jobname: 'a|b "quoted", \\ and\ttab' }),
    sacctLine({ jobidraw: '2', user: '', account: '' }),
    sacctLine({ jobid: '2.batch', jobidraw: '2.batch' }),
    sacctLine({ jobidraw: '3', nodelist: 'None assigned', state: 'CANCELLED by 5' }),
    sacctLine({ jobidraw: '4', end: 'Unknown', state: 'RUNNING', alloctres: '' }),
    '',
    SACCT_FIELDS.join('|'),
    sacctLine({ jobidraw: '5', cluster: 'hpc2' }),
  ];

  it('counts each line once, as a run or under the rule that set it aside (G7)', async () => {
    const { summary, rejects } = await importText(test, sacct, lines.join('\n'));
    expect(rejects).toEqual([]);
    expect(summary).toMatchObject({
      records: 6,
      runs: 4,
      new: 4,
      setAside: { NEVER_STARTED: 1, STEP: 1 },
      rejected: {},
      running: 1,
      withGpus: 3,
      users: 2,
      spaces: 1,
      pools: 1,
      firstAtMs: Date.UTC(2026, 0, 1, 10),
      lastAtMs: Date.UTC(2026, 0, 1, 11),
      runMs: String(3 * 3_600_000),
      milliGpuMs: String(3 * 3_600_000 * 4000),
      beforeOrigin: 4,
    });
    expect(
      (await runsOf(test)).map(
        (run) => `${String(run['source'])} ${String(run['record_key'])} ${String(run['user'])}`,
      ),
    ).toEqual([
      'hpc1 1@2026-01-01T09:00:00 anna',
      'hpc1 2@2026-01-01T09:00:00 uid:1001',
      'hpc1 4@2026-01-01T09:00:00 anna',
      'hpc2 5@2026-01-01T09:00:00 anna',
    ]);
    const [detail] = await test.query<{ facts: unknown }>(
      "select facts from run_detail join run on run.id = run where job_id = '1'",
    );
    expect(detail?.facts).toMatchObject({
      jobname: 'a|b "quoted", \\ and\ttab',
      state: 'COMPLETED',
    });
  });

  it.each([1, 3, 7, 64, 4096])(
    'reads the same from pieces of %d bytes, CR LF and bars at the ends of lines',
    async (size) => {
      const text = `\ufeff${lines.map((line) => (line === '' ? line : `${line}|`)).join('\r\n')}\r\n`;
      const { summary } = await importInput(test, sacct, inputOf(text, size));
      expect(summary).toMatchObject({ records: 6, runs: 4, rejected: {} });
      expect((await runsOf(test))[0]).toMatchObject({
        facts: { jobname: 'a|b "quoted", \\ and\ttab' },
      });
    },
  );

  it('replaces bytes that are not UTF-8 in the job name, and U+0000', async () => {
    const latin = Buffer.from(`${sacctLine({ jobname: 'r\u00e9sum\u00e9' })}\n`, 'latin1');
    const nul = Buffer.from(sacctLine({ jobidraw: '2', jobname: 'a\0b\\u0000' }));
    const { summary } = await importText(test, sacct, Buffer.concat([latin, nul]));
    expect(summary).toMatchObject({ records: 2, runs: 2, rejected: {} });
    const names = await test.query<{ name: string }>(
      "select facts->>'jobname' as name from run_detail order by run",
    );
    expect(names.map(({ name }) => name)).toEqual(['r\ufffdsum\ufffd', 'a\ufffdb\\u0000']);
  });

  it('rejects a line of too few fields, one with other bytes than UTF-8, and one above 1 MiB, by line', async () => {
    const content = Buffer.concat([
      Buffer.from(`${sacctLine({ jobidraw: '1' })}\n1|2|3\n`),
      Buffer.from(`${sacctLine({ jobidraw: '2', user: '\u00e9' })}\n`, 'latin1'),
      Buffer.from(`${sacctLine({ jobidraw: '3', jobname: 'x'.repeat(1_100_000) })}\n`),
      Buffer.from(sacctLine({ jobidraw: '4' })),
    ]);
    const { summary, rejects } = await importInput(test, sacct, inputOf(content), {
      partial: true,
    });
    expect(rejects.map(({ line, code }) => `${line} ${code}`)).toEqual([
      '2 RECORD_INVALID',
      '3 ENCODING',
      '4 RECORD_INVALID',
    ]);
    expect(rejects[1]?.detail).toMatch(/^the line is not UTF-8 at byte \d+$/);
    expect(rejects.every(({ record }) => record.length <= 1000)).toBe(true);
    expect(summary).toMatchObject({ records: 5, new: 2 });
  });
});

describe('csv', () => {
  it('takes canonical columns, quotes, a byte order mark and CR LF, and keeps other columns (B24, B25, B26, B27)', async () => {
    const text =
      '\ufeffuser,gpus,job_id,start,end,note,__proto__\r\n' +
      `"=cmd|'/c calc'!A1",0.5,"j ""1""",${HOUR},"two\r\nlines",x\r\n` +
      `__proto__,1,j2,${HOUR},,\r\n` +
      `"'; drop table run;--",1,<b>,${HOUR},,y\r\n`;
    const { summary } = await importText(test, csv(), text);
    expect(summary).toMatchObject({ records: 3, new: 3, keptColumns: ['note', '__proto__'] });
    const runs = await runsOf(test);
    expect(runs.map((run) => run['user'])).toEqual([
      "'; drop table run;--",
      "=cmd|'/c calc'!A1",
      '__proto__',
    ]);
    const facts = runs.map((run) => JSON.stringify(run['facts']));
    expect(facts).toEqual([
      '{"__proto__":"y"}',
      '{"note":"two\\r\\nlines","__proto__":"x"}',
      'null',
    ]);
  });

  it.each([1, 2, 5, 1000])('reads characters that are cut by pieces of %d bytes', async (size) => {
    const text = `user,gpus,job_id,start,end\n\u4e2d\u6587\u{1F600}\u00e9,1,j,${HOUR}\n`;
    await importInput(test, csv(), inputOf(text, size));
    expect((await runsOf(test)).map((run) => run['user'])).toEqual(['\u4e2d\u6587\u{1F600}\u00e9']);
  });

  it('maps columns, sets constants, and makes keys of other columns', async () => {
    const text = `owner,n,host,pid,from,to,pool\nanna,2,n1,7,${HOUR},ignored\nanna,1,n1,8,${HOUR},ignored\n`;
    const columns = {
      map: new Map([
        ['user', 'owner'],
        ['gpus', 'n'],
        ['start', 'from'],
        ['end', 'to'],
      ]),
      set: new Map([
        ['pool', 'a100'],
        ['space', 'lab'],
      ]),
      key: ['host', 'pid'],
    };
    const { summary } = await importText(test, csv({ columns, source: 'lab-1' }), text);
    expect(summary).toMatchObject({ new: 2, keptColumns: ['host', 'pid', 'pool'] });
    expect((await runsOf(test))[0]).toMatchObject({
      source: 'lab-1',
      record_key: 'n1/7',
      job_id: 'n1/7',
      user: 'anna',
      space: 'lab',
      pool: 'a100',
      facts: { host: 'n1', pid: '7', pool: 'ignored' },
    });
  });

  it('reads decimal seconds from an origin, assumes given starts and ends, and says how many', async () => {
    const at = (text: string): number => Date.parse(text);
    const format = csv({
      timeUnit: 's',
      timeOriginAtMs: at('2025-01-01T00:00:00Z'),
      missingStart: at('2025-01-01T00:00:00Z'),
      missingEnd: at('2025-02-01T00:00:00Z'),
    });
    const text = `user,gpus,job_id,start,end\na,1,1,475.00000000000006,476\na,0,2,,500.5\na,1,3,500,\na,1,4,,\n`;
    const { summary } = await importText(test, format, text);
    expect(summary).toMatchObject({
      new: 4,
      estimatedEnds: 2,
      withGpus: 3,
      running: 0,
      setAside: {},
    });
    expect(
      (await runsOf(test)).map((run) => [
        Number(run['started_at_ms']) - format.timeOriginAtMs,
        Number(run['ended_at_ms']) - format.timeOriginAtMs,
        run['reported_ended_at_ms'] === null,
      ]),
    ).toEqual([
      [475_000, 476_000, false],
      [0, 500_500, false],
      [500_000, 2_678_400_000, true],
      [0, 2_678_400_000, true],
    ]);
  });

  it('says how many runs the minimum lengthened, and by how much (B65)', async () => {
    const text = `${HEADER}a,,,1,,1,,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z\na,,,2,,1,,2026-01-01T10:00:00Z,2026-01-01T10:00:00.001Z\n`;
    const { summary } = await importText(test, csv(), text);
    expect(summary).toMatchObject({ lengthened: 1, lengthenedMs: '1', runMs: '2' });
  });

  it('without records says 0 records and leaves no import behind', async () => {
    const before = await countOf(test, 'import_batch');
    for (const text of ['', '\ufeff', HEADER, '\n\n']) {
      const { summary } = await importText(test, csv(), text);
      expect(summary).toMatchObject({ records: 0, runs: 0, batch: null });
    }
    expect(await countOf(test, 'import_batch')).toBe(before);
  });
});

describe('an import', () => {
  it('reports bytes and records while it reads and applies', async () => {
    const steps: string[] = [];
    const rows = Array.from({ length: 1200 }, (_, row) => `a,,,${row},,1,,${HOUR}\n`);
    await importText(test, csv(), HEADER + rows.join(''), {
      batchSize: 500,
      onProgress: ({ step, records, bytes, totalBytes }) =>
        steps.push(`${step} ${records} ${bytes === totalBytes ? 'all bytes' : ''}`.trim()),
    });
    expect(steps.at(0)).toMatch(/^read 500/);
    expect(steps.slice(-5)).toEqual([
      'read 1200 all bytes',
      'judge 0 all bytes',
      'apply 500 all bytes',
      'apply 1000 all bytes',
      'apply 1200 all bytes',
    ]);
  });

  it('counts runs that start before the origin', async () => {
    await test.query('update books set origin_at_ms = $1', [Date.UTC(2026, 0, 1, 10)]);
    const text = `${HEADER}a,,,1,,1,,${HOUR}\na,,,2,,1,,2026-01-01T09:59:59.999Z,2026-01-01T11:00:00Z\n`;
    const { summary } = await importText(test, csv(), text);
    await test.query('update books set origin_at_ms = null');
    expect(summary.beforeOrigin).toBe(1);
  });

  it('uses the text of COPY safely: backslashes, tabs and line feeds arrive as they were', async () => {
    const value = 'back\\slash \\N \\. tab\t line\n end\\';
    const text = `user,gpus,job_id,start,end,note\na,1,1,${HOUR},"${value}"\n`;
    await importText(test, csv(), text);
    expect((await runsOf(test))[0]).toMatchObject({ facts: { note: value } });
  });
});
