import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { databaseNowMs } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import type { Span } from '../../domain/period.js';
import { reportRows, STEPS } from '../../domain/report-pieces.js';
import type { Dimension } from '../../client/usage-groups.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { FiledAnswers } from '../support/filed-answers.js';
import { aggregateAll, insertRuns, setOrigin, type NewRun } from '../support/runs.js';
import { seededRandom, type SeededRandom } from '../support/seeded-random.js';
import { oracleLines } from '../support/usage-oracle.js';

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const SEED = 20_261;
const ROUNDS = IS_TORTURE ? 60 : 10;
const DAYS = 6;
// Formulas and the names of JavaScript's own; a collision of quoted formulas has a test of its own.
const USERS = ['anna', '=1+1', '__proto__', 'constructor', '李明', 'zoe'];
const SPACES = ['-', '@blue'];

type Changes = Record<string, string>;

/** Start and names -> amounts of the oracle's line. */
function figures(lines: readonly string[]): Map<string, readonly bigint[]> {
  return new Map(
    lines.map((line) => {
      const [start = '', , names = '', ...amounts] = line.split(' ');
      return [`${start} ${names}`, amounts.map(BigInt)];
    }),
  );
}

/** What changed between two answers of the oracle: key -> run_ms, milli-GPU-ms, started, ended, carried in. */
function oracleChanges(before: readonly string[], after: readonly string[]): Changes {
  const [old, now] = [figures(before), figures(after)];
  const nothing = [0n, 0n, 0n, 0n, 0n];
  const changes: Changes = {};
  for (const key of new Set([...old.keys(), ...now.keys()])) {
    const [a, b] = [old.get(key) ?? nothing, now.get(key) ?? nothing];
    const difference = b.map((amount, n) => amount - (a[n] ?? 0n));
    if (difference.some((amount) => amount !== 0n)) changes[key] = difference.join(' ');
  }
  return changes;
}

/** The same from the records of `usage verify -o jsonl`. */
function foundChanges(stdout: string): { groups: Changes; periods: Changes } {
  const found = { groups: {} as Changes, periods: {} as Changes };
  for (const line of stdout.split('\n').filter((text) => text !== '')) {
    const record = JSON.parse(line) as Record<string, string | null>;
    const start = Date.parse(record['period_start'] ?? '');
    const [whole = '', fraction = ''] = (record['gpu_ms_difference'] ?? '').split('.');
    const difference = [
      record['run_ms_difference'],
      BigInt(whole + fraction.padEnd(3, '0')),
      ...['started', 'ended', 'carried_in'].map((name) => record[`runs_${name}_difference`]),
    ].join(' ');
    const names = `${record['user']}/${record['space']}/${record['pool']}`;
    if (record['of'] === 'period') found.periods[String(start)] = difference;
    else found.groups[`${start} ${names}`] = difference;
  }
  return found;
}

/** Sums of changes by period. */
function byPeriod(changes: Changes): Changes {
  const sums = new Map<string, bigint[]>();
  for (const [key, text] of Object.entries(changes)) {
    const start = key.split(' ')[0] ?? '';
    const sum = sums.get(start) ?? [0n, 0n, 0n, 0n, 0n];
    sums.set(
      start,
      text.split(' ').map((amount, n) => BigInt(amount) + (sum[n] ?? 0n)),
    );
  }
  return Object.fromEntries([...sums].map(([start, sum]) => [start, sum.join(' ')]));
}

describe('usage verify after changes', () => {
  const calendar = Calendar.of('Australia/Lord_Howe');
  const random: SeededRandom = seededRandom(SEED);
  let test: TestDatabase;
  let filed: FiledAnswers;
  let nowMs: number;
  let serial = 0;

  const newRuns = (count: number): NewRun[] =>
    Array.from({ length: count }, () => {
      serial += 1;
      const startedAtMs = nowMs - random.integer(1, DAYS * MS_PER_DAY);
      const endedAtMs = startedAtMs + random.pick([0, 1, 60_000, 5_000_000, 90_000_000]);
      return {
        key: `r${serial}`,
        user: random.pick(USERS),
        space: random.pick(SPACES),
        milliGpus: random.pick([0, 125, 1_000, 8_000]),
        startedAtMs,
        endedAtMs: endedAtMs >= nowMs ? null : endedAtMs,
      };
    });

  /** Late, corrected and removed records; sometimes none. */
  async function change(): Promise<void> {
    if (random.chance(0.25)) return;
    await insertRuns(test, newRuns(random.integer(0, 3)));
    const [late, gone] = [random.integer(0, 1), random.integer(0, 1)];
    await test.query(
      `update run set ended_at_ms = started_at_ms + 7200001, milli_gpus = 250
       where id in (select id from run where started_at_ms < $1 order by md5(id::text || $2) limit $3)`,
      [nowMs - MS_PER_DAY, `${serial}`, late],
    );
    await test.query(
      `delete from run where id in (select id from run order by md5(record_key || $1) limit $2)`,
      [`${serial}`, gone],
    );
  }

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: 'Australia/Lord_Howe' });
    nowMs = await databaseNowMs(test.database);
    await insertRuns(test, newRuns(150));
    await setOrigin(test, calendar.startOf('hour', nowMs - (DAYS + 3) * MS_PER_DAY));
    filed = await FiledAnswers.create(test);
  });
  afterAll(async () => {
    await filed.remove();
    await test.close();
  });

  it('G6, G8: names exactly the periods and groups that changed, by the amounts of the overlap formula', async () => {
    let [changedAnswers, equalAnswers, changedPeriods] = [0, 0, 0];
    for (let round = 1; round <= ROUNDS; round += 1) {
      const step = random.pick(STEPS);
      const by = (['user', 'space'] as const).filter(() => random.chance(0.6)) as Dimension[];
      const span: Span = {
        startAtMs: nowMs - random.integer(3 * MS_PER_DAY, 6 * MS_PER_DAY),
        endAtMs: nowMs - random.integer(1, 2 * MS_PER_DAY),
      };
      const name = `${round}.${random.pick(['csv', 'json', 'jsonl'])}`;
      const asked = [
        ...['--start', instantText(span.startAtMs), '--end', instantText(span.endAtMs)],
        ...['--step', step, ...(by.length === 0 ? [] : ['--by', by.join(',')])],
      ];
      const spans = [...reportRows(step, span, calendar, nowMs)];
      if (random.chance(0.5)) {
        await aggregateAll(test, calendar, { startAtMs: span.startAtMs, endAtMs: nowMs });
      }
      const before = await oracleLines(test, { spans, by, nowMs });
      expect(await filed.file(name, asked)).toMatchObject({ error: null });
      await change();
      const after = await oracleLines(test, { spans, by, nowMs });
      const expected = oracleChanges(before, after);
      const expectedPeriods = byPeriod(expected);
      const verified = await filed.verify(name, ['-o', 'jsonl']);
      const found = foundChanges(verified.stdout);
      expect({ round, asked, name, ...found }).toEqual({
        ...{ round, asked, name },
        groups: by.length === 0 ? {} : expected,
        periods: expectedPeriods,
      });
      const count = Object.keys(expectedPeriods).length;
      expect(verified.exitCode).toBe(count === 0 ? 0 : 5);
      const again = await filed.verify(name, ['-o', 'jsonl']);
      expect(again.stdout).toBe(verified.stdout);
      if (count === 0) equalAnswers += 1;
      else changedAnswers += 1;
      changedPeriods += count;
    }
    process.stderr.write(
      `verify: seed ${SEED}, ${changedAnswers} changed and ${equalAnswers} equal answers, ${changedPeriods} periods\n`,
    );
    expect(changedAnswers).toBeGreaterThan(ROUNDS / 3);
    expect(changedPeriods).toBeGreaterThan(changedAnswers);
    expect(equalAnswers).toBeGreaterThan(0);
  }, 300_000);
});

describe('usage verify in a table', () => {
  const at = (text: string): number => Date.parse(`${text}Z`);
  const JANUARY = [
    '--start',
    '2026-01-01',
    '--end',
    '2026-02-01',
    '--step',
    'week',
    '--by',
    'user',
  ];
  let test: TestDatabase;
  let filed: FiledAnswers;

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await insertRuns(
      test,
      Array.from({ length: 30 }, (_, n) => ({
        key: `${n}`,
        user: `user${String(n).padStart(2, '0')}`,
        milliGpus: 1_000,
        startedAtMs: at('2026-01-06T00:00:00'),
        endedAtMs: at('2026-01-06T01:00:00'),
      })),
    );
    await setOrigin(test, at('2026-01-01T00:00:00'));
    filed = await FiledAnswers.create(test);
  });
  afterAll(async () => {
    await filed.remove();
    await test.close();
  });

  it('G6: says by how much each period changed, for the 20 groups that changed most and the others', async () => {
    await filed.file('weeks.csv', JANUARY);
    await filed.file('weeks.txt', JANUARY);
    // user00 loses its hour, user01 gains 1 h, user02 2 h, ... user24 24 h; the week after gains one run of 0 ms.
    await test.query(`delete from run where record_key = '0'`);
    await test.query(
      `update run set ended_at_ms = ended_at_ms + record_key::int * $1 where record_key::int between 1 and 24`,
      [MS_PER_HOUR],
    );
    await insertRuns(test, [
      {
        key: 'x',
        user: 'user30',
        milliGpus: 0,
        startedAtMs: at('2026-01-14T00:00:00'),
        endedAtMs: at('2026-01-14T00:00:00'),
      },
    ]);
    const { stdout, exitCode, stderr } = await filed.verify('weeks.csv');
    expect(exitCode).toBe(5);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/weeks\.csv: [\d ]+ bytes as filed, sha256 [0-9a-f]{64}$/);
    expect(lines[1]).toBe('[2026-01-01T00:00+00:00, 2026-02-01T00:00+00:00) UTC');
    expect(lines[2]).toMatch(/^Filed as of 20.*, asked again as of 20/);
    // 1 + 2 + ... + 24 - 1 = 299 hours.
    expect(lines[3]).toBe(
      'changed: 2 of 5 periods, by +299.000000 run hours and +299.000000 GPU-hours',
    );
    const cells = lines.slice(5).map((line) => line.trim().split(/ {2,}/));
    expect(cells[0]).toEqual([
      ...['week', 'user', 'run_ms', 'gpu_ms', 'started', 'ended', 'carried in', 'GPU-hours filed'],
      ...['now', 'filed as'],
    ]);
    expect(cells[1]).toEqual([
      ...['2026-W02', '+1076400000', '+1076400000', '-1', '-1', '0', '30.000000', '329.000000'],
      'complete',
    ]);
    expect(cells[2]).toEqual([
      ...['user24', '+86400000', '+86400000', '0', '0', '0', '1.000000', '25.000000'],
    ]);
    expect(cells[21]?.[0]).toBe('user05');
    // user01 to user04 gained 10 h, user00 lost one.
    expect(cells[22]).toEqual([
      ...['others (5)', '+32400000', '+32400000', '-1', '-1', '0', '5.000000', '14.000000'],
    ]);
    expect(cells[23]).toEqual([
      ...['2026-W03', '0', '0', '+1', '+1', '0', '0.000000', '0.000000', 'complete'],
    ]);
    expect(cells[24]?.slice(0, 5)).toEqual(['user30', '0', '0', '+1', '+1']);
    expect(cells).toHaveLength(25);
    expect(stderr).toBe('');
    const table = await filed.verify('weeks.txt');
    expect(table.exitCode).toBe(5);
    expect(table.stdout).toContain('changed: 2 of 5 periods, by +299.000000');
    expect(table.stdout).not.toContain('user24');
    expect(table.stderr).toContain('note: a table has rounded figures, so groups are not compared');
  });

  it('calls a free window by its start in the zone of the books', async () => {
    const free = ['--window', '2026-01-05T00:30,2026-01-07T00:15'];
    await filed.file('free.csv', free);
    await test.query(`update run set milli_gpus = 2000 where record_key = '3'`);
    const { stdout } = await filed.verify('free.csv');
    await test.query(`update run set milli_gpus = 1000 where record_key = '3'`);
    expect(stdout).toMatch(/^2026-01-05T00:30\+00:00 {2}/m);
  });

  it('names what moved between groups though the sums of the period are equal', async () => {
    await filed.file('moved.csv', JANUARY);
    await test.query(
      `update run set usage_key = (select usage_key from run where record_key = '26') where record_key = '25'`,
    );
    const { stdout, exitCode } = await filed.verify('moved.csv', ['-o', 'csv']);
    expect(exitCode).toBe(5);
    const rows = stdout
      .split('\n')
      .slice(1)
      .map((line) => line.split(','));
    expect(rows.map((row) => [row[3], row[4], row[9]])).toEqual([
      ['period', '', '0'],
      ['group', 'user25', '-3600000'],
      ['group', 'user26', '3600000'],
    ]);
  });

  it("B25: tells =x from '=x in every format, however csv guards them", async () => {
    const run = (key: string, user: string) => ({
      ...{ key, user, milliGpus: 1_000 },
      startedAtMs: at('2026-01-20T00:00:00'),
      endedAtMs: at('2026-01-20T01:00:00'),
    });
    await insertRuns(test, [run('q1', '=x'), run('q2', "'=x")]);
    await filed.file('quoted.csv', JANUARY);
    await filed.file('quoted.jsonl', JANUARY);
    await insertRuns(test, [run('q3', '=x')]);
    const groups = async (name: string): Promise<unknown[]> =>
      (await filed.verify(name, ['-o', 'jsonl'])).stdout
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ of }) => of === 'group')
        .map((one) => [one['user'], one['run_ms_filed'], one['run_ms_now']]);
    expect(await groups('quoted.csv')).toEqual([['=x', '3600000', '7200000']]);
    await test.query(`delete from run where record_key in ('q1', 'q2', 'q3')`);
    // Gone altogether, it is known from the file alone.
    expect(await groups('quoted.csv')).toEqual([
      ["'=x", '3600000', '0'],
      ['=x', '3600000', '0'],
    ]);
    await insertRuns(test, [run('q1', '=x'), run('q2', "'=x"), run('q3', '=x')]);
    expect(await groups('quoted.jsonl')).toEqual([['=x', '3600000', '7200000']]);
  });
});
