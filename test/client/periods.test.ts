import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerPeriods } from '../../client/commands/periods.js';
import { databaseNowMs } from '../../db/books-store.js';
import { recordFailure } from '../../db/ledger-store.js';
import { lockPeriod } from '../../db/period-lock.js';
import { Calendar } from '../../domain/calendar.js';
import type { Period } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateNow, insertRuns, setOrigin } from '../support/runs.js';
import { runCommand, type CommandRun } from '../support/command-run.js';

interface Listed {
  granularity: string;
  label: string;
  period_start: string;
  period_end: string;
  state: string;
  source_state: string;
  because: string;
  mend: string;
  periods: number;
  last_label: string;
  mend_at: string | null;
}

const calendar = Calendar.of('Asia/Shanghai');

describe('jobhours periods', () => {
  let test: TestDatabase;
  let nowMs: number;
  let originAtMs: number;
  /** A whole day of the books, two days ago. */
  let day: Period;

  const periods = (...argv: string[]): Promise<CommandRun> =>
    runCommand(test, registerPeriods, ['periods', ...argv]);
  const rows = (run: CommandRun): Listed[] => JSON.parse(run.stdout) as Listed[];
  const list = async (...argv: string[]): Promise<Listed[]> =>
    rows(await periods('list', ...argv, '-o', 'json'));
  const check = async (...argv: string[]) => {
    const run = await periods('check', ...argv, '-o', 'json');
    return { ...run, findings: rows(run) };
  };
  const local = (atMs: number): string => calendar.localText(atMs);
  const ofDay = (): string[] => ['--start', local(day.startAtMs), '--end', local(day.endAtMs)];
  const hourOfDay = (n: number): Period =>
    calendar.periodAt('hour', day.startAtMs + n * MS_PER_HOUR);

  async function aggregateDays(): Promise<void> {
    const span = { startAtMs: originAtMs, endAtMs: nowMs };
    for (const one of calendar.periodsTouching('day', span)) {
      await aggregateNow(test, calendar, { ...one, reprocess: 'stale' });
    }
  }

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: calendar.zone });
    nowMs = await databaseNowMs(test.database);
    day = calendar.periodAt('day', nowMs - 2 * MS_PER_DAY);
    // In the middle of the day before, so that this day, its week and its month contain the origin.
    originAtMs = day.startAtMs - 9 * MS_PER_HOUR;
    await insertRuns(test, [
      {
        key: 'first',
        user: 'a',
        milliGpus: 1_000,
        startedAtMs: day.startAtMs - 10 * MS_PER_HOUR,
        endedAtMs: day.startAtMs + 90 * MS_PER_MINUTE,
      },
    ]);
  });
  afterAll(() => test.close());

  it('say that nothing is expected while the books have not begun', async () => {
    const listed = await periods('list', '-o', 'csv');
    expect(listed.stdout.split('\n')).toHaveLength(1);
    expect(listed.stderr).toContain('jobhours backfill create --start oldest');
    const checked = await periods('check');
    expect(checked.stdout).toContain('checked 0 hours, 0 days, 0 weeks, 0 months');
    expect(checked.stdout).toContain('nothing to judge');
    expect(checked).toMatchObject({ exitCode: 0, error: null });
    expect(checked.stderr).toContain('the books have not begun');
  });

  it('list missing periods within the look-back, and the present ones as provisional', async () => {
    await setOrigin(test, originAtMs);
    const listed = await list();
    const hours = listed.filter((one) => one.granularity === 'hour');
    expect(hours).toHaveLength(25);
    expect(hours.at(-1)).toMatchObject({
      state: 'provisional',
      source_state: 'jobNotExecute',
      because: 'it is not over yet',
      mend: '',
    });
    expect(hours[0]).toMatchObject({
      label: calendar.periodAt('hour', nowMs - MS_PER_DAY).label,
      state: 'missing',
      source_state: 'jobNotExecute',
      because: 'it is not in the ledger',
      mend: 'by itself',
      periods: 1,
    });
    // The books began in the day before, so of five days back four are there.
    const days = listed.filter((one) => one.granularity === 'day');
    expect(days.map((one) => one.state)).toEqual([
      'missing',
      'missing',
      // Yesterday, in the first minutes of today.
      expect.stringMatching(/^(missing|provisional)$/),
      'provisional',
    ]);
    expect(await list('--granularity', 'week', '--state', 'provisional')).toHaveLength(1);
  });

  it('check: one line for consecutive periods whose reasons name different hours', async () => {
    const reasons = ['2026-01-01T05', '2026-01-01T06', '2026-01-01T07:30+05:45'];
    const failures = reasons.map((label) => `hour ${label} in it is not good`);
    await setOrigin(test, originAtMs);
    for (const [n, detail] of failures.entries()) {
      await recordFailure(test.database, {
        ...hourOfDay(n),
        code: 'X',
        sqlstate: null,
        detail,
        workflowId: null,
        runId: null,
      });
    }
    const { findings } = await check(...ofDay());
    await test.query('delete from period_failure');
    const failed = findings.filter(({ state }) => state === 'failed');
    expect(failed.map(({ periods: count }) => count)).toEqual([3]);
    expect(failed[0]?.because).toMatch(/: hour 2026-01-01T05 in it is not good; and alike$/);
  });

  it('check: exit status 5 and one line for consecutive missing periods', async () => {
    const { findings, exitCode, stderr } = await check(...ofDay());
    expect(exitCode).toBe(5);
    expect(findings).toHaveLength(2);
    expect(findings[0]).toMatchObject({
      granularity: 'hour',
      state: 'missing',
      periods: 24,
      label: hourOfDay(0).label,
      last_label: hourOfDay(23).label,
      period_start: new Date(day.startAtMs).toISOString(),
      period_end: new Date(day.endAtMs).toISOString(),
    });
    expect(findings[1]).toMatchObject({ granularity: 'day', label: day.label, periods: 1 });
    expect(stderr).toContain('checked 24 hours, 1 day, 0 weeks, 0 months as of');
    expect(stderr).toContain('25 not good');
  });

  it('are good once aggregated, also the day in which the books begin', async () => {
    await aggregateDays();
    const whole = await periods('check', ...ofDay());
    expect(whole).toMatchObject({ exitCode: 0, error: null });
    expect(whole.stdout).toContain('checked 24 hours, 1 day, 0 weeks, 0 months as of');
    expect(whole.stdout).toContain('all good');
    const first = await list('--granularity', 'day', '--end', local(day.startAtMs));
    expect(first).toHaveLength(1);
    expect(first[0]).toMatchObject({
      state: 'good',
      source_state: 'jobCompleted',
      because: '',
      mend: '',
    });
    const all = await check('--end', local(calendar.startOf('hour', nowMs - 10 * MS_PER_MINUTE)));
    expect(
      all.findings.filter((one) => one.granularity !== 'week' && one.granularity !== 'month'),
    ).toEqual([]);
  });

  it('check judges only periods that lie wholly in the range', async () => {
    const start = local(day.startAtMs + 1);
    const { stderr } = await check('--start', start, '--end', local(day.endAtMs));
    expect(stderr).toContain('checked 23 hours, 0 days, 0 weeks, 0 months');
  });

  it('G8: are stale from a late run on, for the whole chain of hours, and say why and what mends it', async () => {
    await insertRuns(test, [
      {
        key: 'late',
        user: 'b',
        milliGpus: 1_000,
        startedAtMs: day.startAtMs + 10.5 * MS_PER_HOUR,
        endedAtMs: day.startAtMs + 13.5 * MS_PER_HOUR,
      },
    ]);
    const hours = await list(...ofDay(), '--granularity', 'hour');
    expect(hours.map((one) => one.state)).toEqual([
      ...Array.from({ length: 10 }, () => 'good'),
      ...Array.from({ length: 14 }, () => 'stale'),
    ]);
    expect(hours[10]).toMatchObject({
      because: 'usage in it changed since it was aggregated',
      mend: 'by itself',
      source_state: 'jobNotExecute',
    });
    expect(hours[11]).toMatchObject({
      because: `hour ${hourOfDay(10).label} before it is stale, and what it carries on may change`,
      mend: 'by itself',
    });
    const [staleDay] = await list(...ofDay(), '--granularity', 'day');
    expect(staleDay).toMatchObject({
      state: 'stale',
      because: `hour ${hourOfDay(10).label} in it is not good`,
      mend: 'by itself',
    });
    const { findings, exitCode } = await check(...ofDay());
    expect(exitCode).toBe(5);
    expect(findings.map((one) => [one.granularity, one.periods])).toEqual([
      ['hour', 1],
      ['hour', 2],
      ['hour', 1],
      ['hour', 10],
      ['day', 1],
    ]);
    await aggregateDays();
    expect((await check(...ofDay())).exitCode).toBe(0);
  });

  it('show a failure with its code, and a period that is being built', async () => {
    const { startAtMs, label } = hourOfDay(3);
    await recordFailure(test.database, {
      granularity: 'hour',
      startAtMs,
      label,
      code: 'DATABASE_FULL',
      sqlstate: '53100',
      detail: 'no space left',
      workflowId: null,
      runId: null,
    });
    const failed = await list(...ofDay(), '--state', 'failed');
    expect(failed).toHaveLength(1);
    expect(failed[0]).toMatchObject({ label, state: 'failed', source_state: 'jobFailed' });
    expect(failed[0]?.because).toMatch(/^DATABASE_FULL at 20.*\+08:00: no space left$/);
    expect(failed[0]?.mend).toMatch(/^jobhours backfill create --start .* --reprocess all --wait$/);
    expect((await check(...ofDay())).exitCode).toBe(5);
    await test.database.transaction({}, async (builder) => {
      await lockPeriod(builder, 'hour', startAtMs);
      const [building] = await list(...ofDay(), '--state', 'building');
      expect(building).toMatchObject({ label, source_state: 'jobProcessing', mend: '' });
      expect((await check(...ofDay())).exitCode).toBe(0);
    });
    await test.query('delete from period_failure');
  });

  it('name the backfill for what is missing beyond the catch-up', async () => {
    await setOrigin(test, originAtMs - 200 * MS_PER_DAY);
    const start = local(day.startAtMs - 100 * MS_PER_DAY);
    const end = local(day.startAtMs - 98 * MS_PER_DAY);
    const { findings } = await check('--start', start, '--end', end);
    expect(findings.map((one) => [one.granularity, one.periods, one.mend])).toEqual([
      ['hour', 48, `jobhours backfill create --start ${start} --end ${end} --wait`],
      ['day', 2, `jobhours backfill create --start ${start} --end ${end} --wait`],
    ]);
    // A backfill from the start of the month would move the origin.
    const firstMonth = calendar.periodAt('month', originAtMs - 200 * MS_PER_DAY);
    const [missing] = await list('--period', firstMonth.label, '--granularity', 'month');
    const begin = local(originAtMs - 200 * MS_PER_DAY);
    expect(missing?.mend).toContain(`--start ${begin} --end ${local(firstMonth.endAtMs)}`);
    await setOrigin(test, originAtMs);
  });

  it('print csv with the columns in order, and a table', async () => {
    const csv = await periods('list', ...ofDay(), '--granularity', 'day', '-o', 'csv');
    expect(csv.stdout.split('\n')).toEqual([
      'granularity,label,period_start,period_end,state,source_state,because,mend,periods,last_label,mend_at',
      [
        `day,${day.label}`,
        new Date(day.startAtMs).toISOString(),
        new Date(day.endAtMs).toISOString(),
        `good,jobCompleted,,,1,${day.label},`,
      ].join(','),
    ]);
    expect(await periods('list', '--period', day.label, '-o', 'csv')).toEqual(csv);
    const table = await periods('list', ...ofDay(), '--granularity', 'day');
    expect(table.stdout).toMatch(
      /^Periods as of 20.*\+08:00 Asia\/Shanghai\n\ngranularity +period +state/,
    );
    expect(table.stdout).toMatch(new RegExp(`day +${day.label} +good +jobCompleted$`));
  });

  it('say until when the schedules look at what mends itself', async () => {
    const [lost] = await test.query<{ label: string }>(
      `delete from period where granularity = 'hour' and start_at_ms = $1 returning label`,
      [hourOfDay(20).startAtMs],
    );
    const [missing] = await list('--period', lost?.label ?? '');
    const atMs = Date.parse(missing?.mend_at ?? '');
    expect(missing?.mend).toBe('by itself');
    // The hourly tick: two minutes of grace and a margin after the hour.
    expect((atMs - 125_000) % MS_PER_HOUR).toBe(0);
    expect(atMs - nowMs).toBeGreaterThan(0);
    expect(atMs - nowMs).toBeLessThan(MS_PER_HOUR + 60_000);
    const table = await periods('list', '--period', lost?.label ?? '');
    expect(table.stdout).toContain(`by itself, by ${local(atMs)}`);
  });

  it('plan prints what would be built next and why, and builds nothing', async () => {
    const before = await test.query('select * from period order by 1, 2');
    const hour = hourOfDay(20).label;
    const table = await periods('plan');
    expect(table.stdout).toMatch(
      /^Plan as of 20.* Asia\/Shanghai: \d+ periods? to build, next tick for hours at 20/,
    );
    expect(table.stdout).toMatch(
      new RegExp(`hour +${hour.replace('+', '\\+')} +it is not in the ledger`),
    );
    const { stdout } = await periods('plan', '-o', 'jsonl');
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.find((line) => line['label'] === hour)).toMatchObject({
      ...{ action: 'build', granularity: 'hour', because: 'it is not in the ledger', periods: 1 },
    });
    expect(lines.map((line) => line['order'])).toEqual(lines.map((_, index) => index + 1));
    expect(await test.query('select * from period order by 1, 2')).toEqual(before);
  });

  it('plan names what is beyond the catch-up, and the command that mends it', async () => {
    await setOrigin(test, originAtMs - 500 * MS_PER_DAY);
    const { stdout } = await periods('plan');
    expect(stdout).toMatch(/Beyond the catch-up, missing and not mended by itself: \d+ hours, /);
    expect(stdout).toContain('jobhours backfill create --start 20');
    const csv = await periods('plan', '-o', 'csv');
    expect(csv.stdout).toMatch(/^,beyond reach,hour,/m);
    expect(csv.stdout.split('\n').filter((line) => /^,beyond/.test(line))).toHaveLength(4);
    await setOrigin(test, originAtMs);
  });

  it('name the open backfill that mends a period, and what lets a paused one go on', async () => {
    await test.query(
      `insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms)
       values ('night', $1, $2, 1, 'stale', 0, null)`,
      [day.startAtMs, day.endAtMs],
    );
    const { label } = hourOfDay(20);
    expect((await list('--period', label))[0]).toMatchObject({
      ...{ mend: 'by backfill night', mend_at: null },
    });
    const { stdout } = await periods('plan', '-o', 'csv');
    expect(stdout).not.toContain(label);
    expect((await periods('plan')).stdout).toContain('Left to backfill night (running): [20');
    await test.query('update backfill set paused_at_ms = 1');
    expect((await list('--period', label))[0]).toMatchObject({
      mend: 'jobhours backfill unpause night',
    });
    await test.query('delete from backfill');
    await aggregateDays();
  });

  it('B39: refuse to list more than 10,000 periods', async () => {
    await setOrigin(test, originAtMs - 500 * MS_PER_DAY);
    const { error } = await periods('list', '--start', local(originAtMs - 499 * MS_PER_DAY));
    expect(error).toMatch(/^RANGE_TOO_LARGE: the list has more than 10000 periods/);
    await setOrigin(test, originAtMs);
  });

  it.each([
    ['B39', ['list', '--start', '2026-02-01', '--end', '2026-01-01'], /^RANGE_INVALID: /],
    ['B41', ['list', '--granularity', 'hours'], /^FIELD_UNKNOWN: .* did you mean hour\?/],
    ['B41', ['list', '--state', 'god'], /^FIELD_UNKNOWN: .* did you mean good\?/],
    ['B6', ['check', '--start', '2026-02-30'], /^TIME_INVALID: /],
    ['B67', ['list', '--period', '2026-W54'], /^PERIOD_INVALID: /],
    ['B67', ['check', '--period', '2026-13'], /^PERIOD_INVALID: /],
    ['B41', ['list', '--period', '2026-01', '--end', '2026-01-03'], /^USAGE: /],
  ])('%s: refuse %p', async (_, argv, expected) => {
    expect((await periods(...argv)).error).toMatch(expected);
  });
});

describe('jobhours periods in Apia', () => {
  it('B67: a day that the zone skipped does not exist', async () => {
    const test = await createTestDatabase();
    try {
      await openTestBooks(test, { zone: 'Pacific/Apia' });
      const { error } = await runCommand(test, registerPeriods, [
        ...['periods', 'list', '--period', '2011-12-30'],
      ]);
      expect(error).toMatch(
        /^PERIOD_DOES_NOT_EXIST: day "2011-12-30" was skipped in Pacific\/Apia/,
      );
    } finally {
      await test.close();
    }
  });
});
