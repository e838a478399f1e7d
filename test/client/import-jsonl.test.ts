/** jsonl: types of members, the grammar, and numbers that never become floats (B16 to B21, B34, B35, B41 to B44). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { csv, importInput, importText, inputOf, jsonl, runsOf } from '../support/imports.js';
import { seededRandom } from '../support/seeded-random.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
beforeEach(() => test.query('delete from run'));
afterAll(() => test.close());

const MEMBERS = {
  user: '"anna"',
  job_id: '"j1"',
  gpus: '1',
  start: '"2026-01-01T10:00:00Z"',
  end: '"2026-01-01T11:00:00Z"',
};

/** A line in which the values are JSON text; null leaves a member out. */
function line(changes: Readonly<Record<string, string | null>> = {}): string {
  const members = Object.entries({ ...MEMBERS, ...changes })
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  return `{${members.join(',')}}`;
}

/** What becomes of one line beside a good one. */
async function told(text: string, changes: Parameters<typeof jsonl>[0] = {}): Promise<string> {
  const { rejects, summary } = await importText(
    test,
    jsonl(changes),
    `${line({ job_id: '"good"' })}\n${text}\n`,
  );
  const [first] = rejects;
  if (first !== undefined) return `${first.line} ${first.code}: ${first.detail}`;
  return `${summary.runs} runs, set aside ${JSON.stringify(summary.setAside)}`;
}

describe('a line of jsonl', () => {
  it('is a run with the fields of csv; other members are kept as text', async () => {
    const text = line({
      space: '"lab"',
      pool: 'null',
      attempt: '2',
      gpus: '0.5',
      note: '"caf\\u00e9 \\"x\\" \\ud83d\\ude00"',
      queue: '3',
      spot: 'true',
      nothing: 'null',
      ['__proto__']: '1.50',
    });
    const { summary } = await importText(test, jsonl(), ` ${text} \r\n\n`);
    expect(summary).toMatchObject({
      ...{ format: 'jsonl', new: 1, rejected: {} },
      keptColumns: ['note', 'queue', 'spot', 'nothing', '__proto__'],
    });
    const [run] = await runsOf(test);
    expect(run).toMatchObject({
      ...{ source: 'jsonl', record_key: 'j1/2', user: 'anna', space: 'lab', pool: '-' },
      ...{ milli_gpus: 500, attempt: 2, started_at_ms: String(Date.UTC(2026, 0, 1, 10)) },
    });
    expect(JSON.stringify(run?.['facts'])).toBe(
      '{"note":"café \\"x\\" 😀","spot":"true","queue":"3","__proto__":"1.50"}',
    );
  });

  it('keeps the decimal text of numbers: no float is made of them (B16)', async () => {
    expect(await told(line({ gpus: '0.30000000000000004' }))).toMatch(
      /^2 GPUS_INVALID: gpus "0.3000/,
    );
    expect(await told(line({ gpus: '1e0' }))).toMatch(/^2 GPUS_INVALID: gpus "1e0"/);
    const origin = { timeUnit: 's', missingEnd: 'open' } as const;
    const numbers = { start: '1767261600.0016', end: '1767265200.9999' };
    await importText(test, jsonl(origin), line({ ...numbers, gpus: '0.143' }));
    expect((await runsOf(test))[0]).toMatchObject({
      milli_gpus: 143,
      started_at_ms: '1767261600001',
      ended_at_ms: '1767265200999',
    });
  });

  it('takes whole numbers for names, and text for amounts', async () => {
    const text = line({ job_id: '9007199254740991', user: '12', gpus: '"2"', space: '-3' });
    await importText(test, jsonl(), text);
    expect((await runsOf(test))[0]).toMatchObject({
      job_id: '9007199254740991',
      user: '12',
      space: '-3',
      milli_gpus: 2000,
    });
  });

  it.each<[string, string, RegExp]>([
    [
      'B17: a name twice',
      '{"user":"a","gpus":1,"gpus":8}',
      /^2 JSON_DUPLICATE_KEY: line 2, column 22: "gpus" stands twice/,
    ],
    ['B17: a name twice, once escaped', '{"gp\\u0075s":1,"gpus":8}', /^2 JSON_DUPLICATE_KEY/],
    [
      'B18: a job id above 2^53',
      line({ job_id: '9007199254740993' }),
      /^2 ID_PRECISION: job_id 9007199254740993: .*send it as text/,
    ],
    ['B18: a job id of 2^53', line({ job_id: '9007199254740992' }), /^2 ID_PRECISION/],
    ['B18: a user above 2^53', line({ user: '-99999999999999999' }), /^2 ID_PRECISION: user/],
    ['B16: -1 GPUs', line({ gpus: '-1' }), /^2 GPUS_INVALID: gpus "-1"/],
    [
      'B16: NaN',
      line({ gpus: 'NaN' }),
      /^2 JSON_SYNTAX: line 2, column 37: expected a value, found "N"/,
    ],
    ['B19: an empty user', line({ user: '""' }), /^2 USER_INVALID: user "": empty/],
    ['B20: U+0000 in a user', line({ user: '"a\\u0000"' }), /^2 USER_INVALID: .*U\+0000/],
    ['B21: half of a surrogate pair', line({ user: '"a\\ud800"' }), /^2 USER_INVALID: .*U\+D800/],
    ['B28: a line feed in a user', line({ user: '"a\\nb"' }), /^2 USER_INVALID/],
    [
      'B34: cut off',
      '{"user":"anna","gpus":1',
      /^2 JSON_SYNTAX: line 2, column 24: expected a comma or }, found the end of the line/,
    ],
    ['B34: cut off in a text', '{"user":"an', /^2 JSON_SYNTAX: line 2, column 9/],
    [
      'B34: a trailing comma',
      '{"user":"anna",}',
      /^2 JSON_SYNTAX: line 2, column 16: expected a name in double quotes, found "}"/,
    ],
    ['B34: single quotes', "{'user':1}", /^2 JSON_SYNTAX: line 2, column 2/],
    ['B34: a comment', '{"user":1} // x', /^2 JSON_SYNTAX: .* expected the end of the line/],
    ['B34: a raw tab in a text', '{"user":"a\tb"}', /^2 JSON_SYNTAX/],
    ['B20: a raw U+0000', '{"user":"a\0"}', /^2 JSON_SYNTAX/],
    ['B34: two objects in one line', '{} {}', /^2 JSON_SYNTAX: line 2, column 4/],
    ['B34: a leading zero', line({ gpus: '01' }), /^2 JSON_SYNTAX/],
    [
      'B32: 200,000 levels',
      `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`,
      /^2 JSON_DEPTH: .*nested deeper than 64 levels/,
    ],
    ['B32: more than 1 MiB', `{"a":"${'x'.repeat(1_100_000)}"}`, /^2 RECORD_INVALID: .*1 MiB/],
    ['B42: an array', '[1]', /^2 TYPE: line 2, .*expected one object in each line, found an array/],
    ['B42: a text', '"x"', /^2 TYPE: .*found a text/],
    [
      'B42: an array for a text',
      line({ user: '["a","b"]' }),
      /^2 TYPE: "user": expected text or a whole number, found an array/,
    ],
    [
      'B42: an object for a number',
      line({ gpus: '{"count":1}' }),
      /^2 TYPE: "gpus": expected a number or text, found an object/,
    ],
    ['B42: true for a user', line({ user: 'true' }), /^2 TYPE: "user": .*found true/],
    ['B42: 1.5 for a job id', line({ job_id: '1.5' }), /^2 TYPE: "job_id": .*found 1.5/],
    ['B42: nested facts', line({ labels: '{"a":1}' }), /^2 TYPE: "labels": .*found an object/],
    [
      'B41: gpsu for gpus',
      line({ gpus: null, gpsu: '1' }),
      /^2 FIELD_UNKNOWN: field "gpsu" is unknown and gpus is absent: did you mean gpus\?/,
    ],
    ['B43: no user', line({ user: null }), /^2 FIELD_MISSING: user is absent/],
    ['B43: null for GPUs', line({ gpus: 'null' }), /^2 FIELD_MISSING: gpus is empty/],
    ['B44: an Invalid Date', line({ end: '"Invalid Date"' }), /^2 TIME_INVALID: end/],
    ['B7: no offset', line({ end: '"2026-01-01T11:00"' }), /^2 TIME_ZONE_MISSING: end/],
    [
      'B11: seconds where ISO is declared',
      line({ end: '1767265200' }),
      /^2 TIME_UNIT: end .*looks like seconds.*\(--time-unit iso\)$/,
    ],
    ['B2: no start', line({ start: null }), /^2 START_MISSING/],
  ])('is rejected, and named by line: %s', async (_, text, expected) => {
    expect(await told(text)).toMatch(expected);
  });

  it('of text where numbers are declared is rejected with the flag (B11)', async () => {
    const text = line({ start: '1767261600', end: '"2026-01-01T11:00:00Z"' });
    const { rejects } = await importText(test, jsonl({ timeUnit: 's' }), text);
    expect(rejects[0]?.detail).toBe(
      'end "2026-01-01T11:00:00Z" is not a plain decimal number of seconds (--time-unit s)',
    );
  });

  it('that is not UTF-8 is rejected by its byte (B34)', async () => {
    const bad = Buffer.from(line({ user: '"caf\u00e9"' }), 'latin1');
    const text = Buffer.concat([Buffer.from(`${line()}\n`), bad]);
    const { rejects } = await importText(test, jsonl(), text);
    expect(rejects[0]).toMatchObject({ line: 2, code: 'ENCODING' });
    expect(rejects[0]?.detail).toBe('the line is not UTF-8 at byte 12');
  });

  it('keeps halves of surrogate pairs out of the facts, and takes a megabyte of text', async () => {
    const long = 'x'.repeat(1_000_000);
    await importText(test, jsonl(), line({ note: '"\\udfff\\ud800"', long: `"${long}\\n"` }));
    expect((await runsOf(test))[0]).toMatchObject({
      facts: { note: '\ufffd\ufffd', long: `${long}\n` },
    });
  });
});

describe('a file of jsonl', () => {
  it('with one bad line of 10,000 applies nothing, and the others with --partial (B35)', async () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => line({ job_id: String(index) }));
    lines[4_321] = '{"user":';
    const all = await importText(test, jsonl(), lines.join('\n'));
    expect(all.summary).toMatchObject({ batch: null, rejected: { JSON_SYNTAX: 1 } });
    expect(await runsOf(test)).toHaveLength(0);
    const partial = await importText(test, jsonl(), lines.join('\n'), { partial: true });
    expect(partial.summary).toMatchObject({ new: 9_999, rejected: { JSON_SYNTAX: 1 } });
    expect(partial.rejects[0]).toMatchObject({ line: 4_322 });
  });

  it('in which no record has an end is refused as a whole, with what was probably meant (B41, B43)', async () => {
    const text = `${line({ end: null, ends: '1' })}\n${line({ end: null, job_id: '2' })}`;
    await expect(importText(test, jsonl(), text)).rejects.toThrow(
      'no record has a field end: say --map end=NAME, or give it, null where there is none; did you mean ends?',
    );
    const columns = { map: new Map(), set: new Map([['end', '']]), key: null };
    const open = await importText(test, jsonl({ columns }), text);
    expect(open.summary).toMatchObject({ new: 2, running: 2 });
  });

  it('tells 100 names of other members at most, cut when long, and keeps all of them (B32)', async () => {
    const others = Array.from({ length: 5_000 }, (_, index) => [`k${index}`, 'true'] as const);
    const text = line({ ['n'.repeat(5_000)]: '1', ...Object.fromEntries(others) });
    const { summary } = await importText(test, jsonl(), text);
    expect(summary.keptColumns).toHaveLength(100);
    expect(summary.keptColumns[0]).toBe('n'.repeat(100));
    expect(Object.keys((await runsOf(test))[0]?.['facts'] ?? {})).toHaveLength(5_001);
  });

  it('reads names by --map, constants by --set and keys by --key', async () => {
    const columns = {
      map: new Map([
        ['user', 'owner'],
        ['end', 'finished'],
      ]),
      set: new Map([['pool', 'a100']]),
      key: ['namespace', 'pod'],
    };
    const pod = (name: string): string =>
      line({
        ...{ user: null, end: null, owner: '"bob"', finished: '"2026-01-01T12:00:00Z"' },
        ...{ namespace: '"lab"', pod: name, pool: '"ignored"' },
      });
    const { summary, rejects } = await importText(
      test,
      jsonl({ columns, source: 'k8s' }),
      `${pod('"a/b"')}\n${pod('7')}\n${pod('null')}`,
      { partial: true },
    );
    expect(summary).toMatchObject({ new: 2, keptColumns: ['namespace', 'pod', 'pool'] });
    expect(rejects[0]?.detail).toBe('key column pod is empty; a value is required');
    expect((await runsOf(test)).map((run) => run['record_key'])).toEqual(['lab/7', 'lab/a%2Fb']);
    expect((await runsOf(test))[0]).toMatchObject({ user: 'bob', pool: 'a100', source: 'k8s' });
  });

  it('says the same as the csv file of the same records, in pieces of any size (seeds 1 to 5)', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const random = seededRandom(seed);
      const users = ['anna', 'caf\u00e9 "x"', '\u4e2d\u6587, b', "o'neil"];
      const records = Array.from({ length: 200 }, (_, job) => {
        const startAtMs = Date.UTC(2026, 0, 1) + random.integer(0, 9_999_999);
        const start = new Date(startAtMs).toISOString();
        const end = random.chance(0.1)
          ? ''
          : new Date(startAtMs + random.integer(0, 9_999_999)).toISOString();
        return {
          ...{ user: random.pick(users), space: random.pick(['', 'lab']), job_id: `j${job}` },
          ...{ gpus: random.pick(['0', '1', '0.5', '8']), start, end },
        };
      });
      const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`;
      const rows = records.map((record) => Object.values(record).map(cell).join(','));
      await importText(
        test,
        csv({ source: 's' }),
        ['user,space,job_id,gpus,start,end', ...rows].join('\r\n'),
      );
      const expected = await runsOf(test);
      await test.query('delete from run');
      const objects = records.map((record) =>
        JSON.stringify({ ...record, end: record.end === '' ? null : record.end }),
      );
      const input = inputOf(`\ufeff${objects.join('\r\n')}`, random.integer(1, 999));
      await importInput(test, jsonl({ source: 's' }), input);
      expect(await runsOf(test)).toEqual(expected);
      expect(expected).toHaveLength(200);
      await test.query('delete from run');
    }
  });
});
