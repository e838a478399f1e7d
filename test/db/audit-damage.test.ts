// Audits of books that somebody damaged by hand: each kind of damage is found, named and mended.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { aggregateCoarse } from '../../activities/aggregate-coarse.js';
import { cleanPeriods } from '../../client/period-audit.js';
import type { Books } from '../../db/books-store.js';
import { auditBooks } from '../../db/period-audit.js';
import type { AuditFinding } from '../../domain/audit.js';
import { piecesOf } from '../../domain/backfill-plan.js';
import { Calendar } from '../../domain/calendar.js';
import { parseInstant } from '../../domain/instant-text.js';
import type { Period, Span } from '../../domain/period.js';
import { MS_PER_DAY } from '../../domain/units.js';
import { usageDoor } from '../../workers/usage-door.js';
import { deepCheck, oddRuns, silent } from '../support/audits.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import {
  aggregateAll,
  aggregateNow,
  differences,
  insertRuns,
  ledgerDigests,
  setOrigin,
} from '../support/runs.js';

describe('an audit of books that were damaged by hand', () => {
  const calendar = Calendar.of('Asia/Shanghai');
  const originAtMs = calendar.startOf('hour', Date.UTC(2025, 10, 27, 3));
  const now = calendar.periodAt('month', Date.UTC(2025, 11, 15)).endAtMs;
  const hour = calendar.periodAt('hour', Date.UTC(2025, 11, 10, 5));
  const day = calendar.periodAt('day', hour.startAtMs);
  const week = calendar.periodAt('week', hour.startAtMs);
  const month = calendar.periodAt('month', hour.startAtMs);
  const firstMonth = calendar.periodAt('month', originAtMs);
  let test: TestDatabase;
  let books: Books;
  let clean: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
    books = await openTestBooks(test, { zone: calendar.zone });
    await setOrigin(test, originAtMs);
    await insertRuns(test, [
      ...oddRuns(originAtMs, 34 * MS_PER_DAY, 300, 99),
      {
        ...{ key: 'long', user: 'jay', space: 'lab', pool: 'a100', milliGpus: 2_000 },
        ...{
          startedAtMs: hour.startAtMs - 10 * MS_PER_DAY + 1,
          endedAtMs: hour.endAtMs + 1_234_567,
        },
      },
    ]);
    await aggregateAll(test, calendar, { startAtMs: originAtMs, endAtMs: now });
    clean = await ledgerDigests(test);
    expect((await deepCheck(test, calendar)).findings).toEqual([]);
  });
  afterAll(() => test.close());

  /** What the command does, without Temporal: the pieces of a backfill, then its coarse periods; or the cleaning. */
  async function mend(command: string): Promise<void> {
    const [, start, end] = / --start (\S+) --end (\S+)/.exec(command) ?? [];
    const at = (text = ''): number => parseInstant(text, { zone: 'UTC', field: 'mend' });
    const range = start === undefined ? {} : { startAtMs: at(start), endAtMs: at(end) };
    if (command.startsWith('jobhours periods clean')) {
      await cleanPeriods(test.database, calendar, () => range);
      return;
    }
    expect(command).toMatch(
      /^jobhours backfill create --start .* --end .* --reprocess all --wait$/,
    );
    const span = { startAtMs: at(start), endAtMs: at(end) };
    for (const { only, ...piece } of piecesOf(calendar, span)) {
      await aggregateNow(test, calendar, { ...piece, only, reprocess: 'all' });
    }
    const door = usageDoor({ database: test.database, books, graceMs: 0, catchUpMs: 0 });
    const store = door.aggregateStore({ workflowId: null, runId: null, onFailure: silent });
    const request = { booksName: books.name, range: span, reprocess: 'all' as const };
    await aggregateCoarse(door, request, store, { heartbeat: silent, isCancelled: () => false });
  }

  /** Finds the damage, mends it by the commands that are named, and has the first books again. */
  async function findAndMend(): Promise<readonly AuditFinding[]> {
    const { findings, periodsWrong } = await deepCheck(test, calendar);
    expect(periodsWrong).toBeGreaterThan(0);
    for (const command of new Set(findings.map((finding) => finding.mend))) await mend(command);
    // What the keeper does by itself after that.
    await aggregateAll(test, calendar, { startAtMs: originAtMs, endAtMs: now });
    expect((await deepCheck(test, calendar)).findings).toEqual([]);
    expect(await ledgerDigests(test)).toEqual(clean);
    expect(await differences(test)).toEqual([]);
    return findings;
  }

  const damageDigest = ({ granularity, startAtMs }: Period): Promise<unknown> =>
    test.query(
      `update period set digest = sha256('x') where granularity = $1 and start_at_ms = $2`,
      [granularity, startAtMs],
    );
  const local = (atMs: number): string => calendar.localText(atMs);
  const backfillOf = (span: Span): string =>
    `jobhours backfill create --start ${local(span.startAtMs)} --end ${local(span.endAtMs)} --reprocess all --wait`;
  const ofLong = `usage_key = (select usage_key from run where record_key = 'long')`;

  it.each([
    ['hour', hour],
    ['day', day],
    ['week', week],
    ['month', month],
  ] as const)(
    'I2: names a changed value in a row of a %s, with user, column, both values and the command',
    async (granularity, period) => {
      const [row] = await test.query<{ run_ms: string }>(
        `select run_ms from usage_${granularity} where period_start_at_ms = $1 and ${ofLong}`,
        [period.startAtMs],
      );
      const stored = String(BigInt(row?.run_ms ?? '0') + 1n);
      await test.query(
        `update usage_${granularity} set run_ms = $2 where period_start_at_ms = $1 and ${ofLong}`,
        [period.startAtMs, stored],
      );
      const findings = await findAndMend();
      expect(findings.map((one) => [one.granularity, one.label, one.code])).toEqual([
        [granularity, period.label, 'ROW_DIFFERS'],
        [granularity, period.label, 'DIGEST_DIFFERS'],
      ]);
      expect(findings[0]).toMatchObject({
        ...{ user: 'jay', space: 'lab', pool: 'a100', column: 'run_ms', rows: 1 },
        ...{ stored, recomputed: row?.run_ms, mend: backfillOf(period) },
      });
    },
  );

  it.each(['milli_gpu_ms', 'milli_gpus_out'])('I2: names a changed %s', async (column) => {
    await test.query(
      `update usage_hour set ${column} = ${column} + 1 where period_start_at_ms = $1 and ${ofLong}`,
      [hour.startAtMs],
    );
    const [finding] = await findAndMend();
    expect(finding).toMatchObject({ code: 'ROW_DIFFERS', column, label: hour.label });
  });

  it('I2: names changed counts, each in its column', async () => {
    await test.query(
      `update usage_hour set runs_started = runs_started + 1, runs_out = runs_out + 1
       where period_start_at_ms = $1 and ${ofLong}`,
      [hour.startAtMs],
    );
    const findings = await findAndMend();
    expect(findings.flatMap(({ column }) => column ?? [])).toEqual([
      ...['runs_started', 'runs_out', 'digest', 'carry_out_digest'],
    ]);
  });

  it('I2: names a removed row, a row of nobody and the wrong counts of rows', async () => {
    await test.query(`delete from usage_day where period_start_at_ms = $1 and ${ofLong}`, [
      day.startAtMs,
    ]);
    await test.query(
      `insert into usage_week values ($1, 4711, 5, 6, 1, 1, 0, 0, 0), ($1, 4712, 7, 8, 0, 0, 0, 0, 0)`,
      [week.startAtMs],
    );
    const findings = await findAndMend();
    const named = findings.map(({ label, code, user, stored, rows }) => ({
      label,
      code,
      user,
      stored,
      rows,
    }));
    expect(named).toEqual([
      expect.objectContaining({ label: day.label, code: 'ROW_MISSING', user: 'jay', stored: null }),
      expect.objectContaining({ label: day.label, code: 'ROW_COUNT_DIFFERS' }),
      expect.objectContaining({ label: day.label, code: 'DIGEST_DIFFERS' }),
      { label: week.label, code: 'ROW_SURPLUS', user: 'usage key 4711', stored: '5', rows: 2 },
      { label: week.label, code: 'ROW_SURPLUS', user: 'usage key 4712', stored: '7', rows: 2 },
      expect.objectContaining({ label: week.label, code: 'ROW_COUNT_DIFFERS' }),
      expect.objectContaining({ label: week.label, code: 'DIGEST_DIFFERS' }),
    ]);
    // The day lies in the week: one backfill for both.
    expect(new Set(findings.map((finding) => finding.mend))).toEqual(new Set([backfillOf(week)]));
  });

  it('tells five wrong rows of a period and counts all', async () => {
    await test.query('update usage_month set run_ms = run_ms + 7 where period_start_at_ms = $1', [
      month.startAtMs,
    ]);
    const findings = (await findAndMend()).filter(({ code }) => code === 'ROW_DIFFERS');
    const [{ rows } = { rows: 0 }] = findings;
    expect(findings).toHaveLength(5);
    expect(rows).toBeGreaterThan(5);
  });

  it.each([
    ['digest', 'DIGEST_DIFFERS', `sha256('x')`],
    ['carry_out_digest', 'CARRY_DIGEST_DIFFERS', `sha256('x')`],
    ['row_count', 'ROW_COUNT_DIFFERS', 'row_count + 1'],
  ])('names a changed %s of an hour', async (column, code, value) => {
    await test.query(
      `update period set ${column} = ${value} where granularity = 'hour' and start_at_ms = $1`,
      [hour.startAtMs],
    );
    const findings = await findAndMend();
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ code, column, label: hour.label, mend: backfillOf(hour) });
  });

  it('names a changed digest of a month that contains the origin; the backfill begins at the origin', async () => {
    await damageDigest(firstMonth);
    const findings = await findAndMend();
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      ...{ code: 'DIGEST_DIFFERS', granularity: 'month', label: firstMonth.label },
      mend: backfillOf({ startAtMs: originAtMs, endAtMs: firstMonth.endAtMs }),
    });
  });

  it.each([
    ['hour', hour],
    ['week', week],
  ] as const)(
    'I13, I14: a %s that was taken out of the ledger leaves dirty rows',
    async (granularity, period) => {
      await test.query('delete from period where granularity = $1 and start_at_ms = $2', [
        granularity,
        period.startAtMs,
      ]);
      const findings = await findAndMend();
      expect(findings).toHaveLength(1);
      expect(findings[0]).toMatchObject({
        ...{ code: 'DIRTY_ROWS', granularity, label: period.label, mend: backfillOf(period) },
      });
      expect(findings[0]?.rows).toBeGreaterThan(0);
    },
  );

  it('I13: rows of no period of the calendar are cleaned', async () => {
    const atMs = hour.startAtMs + 7;
    for (const startAtMs of [atMs, 5, 2 * now]) {
      await test.query('insert into usage_hour values ($1, 1, 1, 1, 0, 0, 1, 1, 1)', [startAtMs]);
    }
    const findings = await findAndMend();
    expect(findings.map(({ code, label, mend: command }) => [code, label, command])).toEqual([
      ['DIRTY_ROWS', '1970-01-01T00:00:00.005Z', 'jobhours periods clean'],
      [
        'DIRTY_ROWS',
        local(atMs),
        `jobhours periods clean --start ${local(atMs)} --end ${local(hour.endAtMs)}`,
      ],
      [
        'DIRTY_ROWS',
        expect.stringMatching(/^20/),
        expect.stringMatching(/^jobhours periods clean/),
      ],
    ]);
  });

  it.each([
    ['the start of an hour', `start_at_ms = start_at_ms + 60000`, 'hour', hour],
    ['the end of an hour', `end_at_ms = end_at_ms - 60000`, 'hour', hour],
    [
      'both edges of a day',
      `start_at_ms = start_at_ms + 120000, end_at_ms = end_at_ms + 60000`,
      'day',
      day,
    ],
    ['the start of a month', `start_at_ms = start_at_ms - 60000`, 'month', month],
  ] as const)(
    'I15: a ledger row that was shifted is no period: %s',
    async (_what, change, granularity, period) => {
      await test.query(`update period set ${change} where granularity = $1 and start_at_ms = $2`, [
        granularity,
        period.startAtMs,
      ]);
      const findings = await findAndMend();
      expect(findings.map((one) => `${one.granularity} ${one.code}`)).toContain(
        `${granularity} NOT_A_PERIOD`,
      );
      for (const { mend: command } of findings)
        expect(command).toMatch(/^jobhours periods clean --start /);
    },
  );

  it('I15: a ledger row that ends after now is found and cleaned', async () => {
    const future = calendar.periodAt('day', Date.UTC(2098, 5, 1));
    await test.query(
      `insert into period select granularity, $1, $2, $3, mark_from_ms, carry_in_digest, carry_out_digest,
         inputs_digest, digest, row_count, aggregated_at_ms
       from period where granularity = 'day' and start_at_ms = $4`,
      [future.startAtMs, future.endAtMs, future.label, day.startAtMs],
    );
    const findings = await findAndMend();
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ code: 'IN_THE_FUTURE', label: future.label });
  });

  it('an error that a late build carried on is mended from where it began, in one backfill', async () => {
    const next = calendar.next(hour);
    await test.query(
      `update usage_hour set milli_gpus_out = milli_gpus_out + 1000 where period_start_at_ms = $1 and ${ofLong}`,
      [hour.startAtMs],
    );
    await aggregateNow(test, calendar, { ...next, reprocess: 'all' });
    await aggregateAll(test, calendar, { startAtMs: originAtMs, endAtMs: now });
    const findings = await findAndMend();
    expect(findings.map((one) => `${one.granularity} ${one.label}`)).toContain(
      `hour ${hour.label}`,
    );
  });

  it('a sample finds what it draws, and the same seed draws the same periods', async () => {
    await test.query('update usage_hour set run_ms = run_ms + 1');
    const draw = async (seed: number): Promise<string[]> => {
      const { findings, checked } = await deepCheck(test, calendar, { sample: 4, seed });
      expect(checked.hour).toBe(4);
      return [...new Set(findings.map(({ label }) => label))];
    };
    const first = await draw(7);
    expect(await draw(7)).toEqual(first);
    expect(await draw(8)).not.toEqual(first);
    await test.query('update usage_hour set run_ms = run_ms - 1');
    expect((await deepCheck(test, calendar)).findings).toEqual([]);
  });

  it('writes what it was asked and what it found, and nothing when it is stopped', async () => {
    await test.query('delete from audit');
    await damageDigest(month);
    await deepCheck(test, calendar);
    await deepCheck(test, calendar, { sample: 2, seed: 5, range: { endAtMs: day.endAtMs } });
    const rows = await test.query(
      'select asked_by, sample, seed, from_at_ms, to_at_ms, periods_wrong, findings from audit order by id',
    );
    expect(rows).toEqual([
      {
        ...{ asked_by: 'command', sample: null, seed: expect.any(String) },
        ...{ from_at_ms: null, to_at_ms: null, periods_wrong: '1' },
        findings: [
          {
            ...{ granularity: 'month', startAtMs: month.startAtMs, label: month.label },
            ...{ code: 'DIGEST_DIFFERS', mend: backfillOf(month) },
            detail: expect.stringMatching(/^month 2025-12 DIGEST_DIFFERS digest: stored 2d7/),
          },
        ],
      },
      {
        ...{ asked_by: 'command', sample: 2, seed: '5', from_at_ms: null },
        ...{ to_at_ms: String(day.endAtMs), periods_wrong: '0', findings: [] },
      },
    ]);
    const request = { askedBy: 'command', rangeAt: () => ({}), sample: null, seed: null } as const;
    const stopped = { onProgress: silent, isCancelled: () => true };
    await expect(auditBooks(test.database, calendar, request, stopped)).rejects.toMatchObject({
      code: 'INTERRUPTED',
    });
    expect(await test.query('select id from audit')).toHaveLength(2);
    await findAndMend();
  });
});
