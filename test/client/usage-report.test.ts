import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { withUsageReport } from '../../client/usage-report.js';
import { databaseNowMs } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import { randomOf } from '../../domain/random.js';
import { GRANULARITIES } from '../../domain/period.js';
import { STEPS } from '../../domain/report-pieces.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, insertRuns, setOrigin, type NewRun } from '../support/runs.js';
import { NO_FILTER, reportAndOracle, type Asked } from '../support/usage-oracle.js';

/** Integers in [0, limit): the same numbers for the same seed. */
function generator(seed: number): (limit: number) => number {
  const random = randomOf(seed);
  return (limit) => Math.floor(random() * limit);
}

// Latin and Cyrillic a, names of JavaScript's own, a formula, and a pair that UTF-16 sorts the other way round.
const USERS = ['anna', 'аnna', '__proto__', 'constructor', '=1+1', '\uff5eu', '\u{1f600}u', 'zoe'];
const SPACES = ['-', 'blue', 'red'];
const POOLS = ['a100', 'h100'];
const DAYS = 9;

type Random = (limit: number) => number;

function randomRun(random: Random, key: string, nowMs: number): NewRun {
  const lengths = [
    0,
    1,
    40_000,
    MS_PER_MINUTE,
    50 * MS_PER_MINUTE,
    7 * MS_PER_HOUR,
    60 * MS_PER_HOUR,
  ];
  const anywhere = nowMs - random(DAYS * 24 * 60) * MS_PER_MINUTE - random(60_000);
  const startedAtMs = random(4) === 0 ? Math.floor(anywhere / MS_PER_HOUR) * MS_PER_HOUR : anywhere;
  const length = lengths[random(lengths.length)] ?? 0;
  const end = startedAtMs + length + (random(2) === 0 ? random(1_000) : 0);
  const isRunning = end >= nowMs || random(25) === 0;
  return {
    key,
    user: USERS[random(USERS.length)] ?? '',
    space: SPACES[random(SPACES.length)] ?? '',
    pool: POOLS[random(POOLS.length)] ?? '',
    milliGpus: [0, 125, 1_000, 8_000][random(4)] ?? 0,
    startedAtMs,
    endedAtMs: isRunning ? null : end,
  };
}

function randomRuns(random: Random, prefix: string, count: number, nowMs: number): NewRun[] {
  return Array.from({ length: count }, (_, n) => randomRun(random, `${prefix}${n}`, nowMs));
}

/** Compares one report with the oracle, row by row and in order; returns how many rows there were. */
async function compare(test: TestDatabase, calendar: Calendar, asked: Asked): Promise<number> {
  const { lines, expected } = await reportAndOracle(test, calendar, asked);
  expect({ ...asked, lines }).toEqual({ ...asked, lines: expected });
  return lines.length;
}

function randomAsked(random: Random, calendar: Calendar, nowMs: number): Asked {
  const instant = (): number => {
    const atMs = nowMs + MS_PER_HOUR - random((DAYS + 2) * 24 * 60) * MS_PER_MINUTE;
    const kind = random(4);
    if (kind === 0) return calendar.startOf('hour', atMs);
    if (kind === 1) return calendar.startOf('day', atMs);
    return atMs + random(60_000);
  };
  const [a, b] = [instant(), instant()];
  const window = {
    startAtMs: Math.min(a, b, nowMs - 1),
    endAtMs: Math.max(a, b, Math.min(a, b, nowMs - 1) + 1),
  };
  const filter = {
    user: random(4) === 0 ? (USERS[random(USERS.length)] ?? null) : null,
    space: random(5) === 0 ? (SPACES[random(SPACES.length)] ?? null) : null,
    pool: random(6) === 0 ? (POOLS[random(POOLS.length)] ?? null) : null,
  };
  const by = (['user', 'space', 'pool'] as const).filter(() => random(2) === 0);
  return { window, step: STEPS[random(STEPS.length)] ?? 'none', by, filter };
}

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const ZONES = ['Asia/Shanghai', 'Australia/Lord_Howe'];
const MORE_ZONES = ['UTC', 'America/New_York', 'Asia/Kathmandu', 'America/St_Johns'];
/** Random reports for each state of the ledger. */
const REPORTS = IS_TORTURE ? 60 : 12;

describe.each(IS_TORTURE ? [...ZONES, ...MORE_ZONES] : ZONES)('Reports in %s', (zone) => {
  const calendar = Calendar.of(zone);
  const random = generator(zone.length * 7 + 1);
  let test: TestDatabase;
  let nowMs: number;
  let originAtMs: number;

  /** Random reports, and one of each step over everything. */
  async function compareMany(reports: number): Promise<void> {
    let rows = 0;
    for (let n = 0; n < reports; n += 1) {
      rows += await compare(test, calendar, randomAsked(random, calendar, nowMs));
    }
    const window = { startAtMs: nowMs - (DAYS + 2) * MS_PER_DAY, endAtMs: nowMs + MS_PER_DAY };
    for (const step of STEPS) {
      rows += await compare(test, calendar, { window, step, by: ['user'], filter: NO_FILTER });
    }
    expect(rows).toBeGreaterThan(reports);
  }

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone });
    nowMs = await databaseNowMs(test.database);
    originAtMs = calendar.startOf('hour', nowMs - (DAYS - 2) * MS_PER_DAY);
    await insertRuns(test, randomRuns(random, 'first', 500, nowMs));
  });
  afterAll(() => test.close());

  it('G6: with nothing aggregated every figure is computed from the runs, exactly', async () => {
    await compareMany(REPORTS);
  });

  it('G6: with a complete ledger, from before the origin to the present hour, every figure is exact', async () => {
    await setOrigin(test, originAtMs);
    const summaries = await aggregateAll(test, calendar, {
      startAtMs: originAtMs,
      endAtMs: nowMs,
    });
    expect(summaries.flatMap((summary) => summary.failed)).toEqual(
      expect.not.arrayContaining([expect.objectContaining({ granularity: 'hour' })]),
    );
    const [counted] = await test.query<{ hours: string }>(
      `select count(*) as hours from period where granularity = 'hour'`,
    );
    expect(Number(counted?.hours)).toBeGreaterThan((DAYS - 3) * 24);
    await compareMany(REPORTS);
  });

  it('G6, G8: with stale hours, days and weeks, late and changed runs are counted at once', async () => {
    await insertRuns(test, randomRuns(random, 'late', 15, nowMs - 2 * MS_PER_DAY));
    await test.query(
      `update run set ended_at_ms = started_at_ms + 5000000
         where id in (select id from run where ended_at_ms is null and started_at_ms < $1 order by id limit 3)`,
      [nowMs - MS_PER_DAY],
    );
    await test.query(
      `delete from run where id in (select id from run order by md5(record_key) limit 5)`,
    );
    await compareMany(REPORTS);
  });

  it('G6: with holes in the ledger every figure is exact', async () => {
    await aggregateAll(test, calendar, { startAtMs: originAtMs, endAtMs: nowMs });
    for (const granularity of GRANULARITIES) {
      await test.query(
        `with gone as (
             delete from period where granularity = $1 and start_at_ms in (
               select start_at_ms from period where granularity = $1
               order by md5(start_at_ms::text) limit (select count(*) / 5 from period where granularity = $1)
             ) returning start_at_ms
           ) delete from usage_${granularity} where period_start_at_ms in (select start_at_ms from gone)`,
        [granularity],
      );
    }
    await compareMany(REPORTS);
  });

  it('I4: users, spaces and pools of one window add up to the same total', async () => {
    const window = { startAtMs: nowMs - 8 * MS_PER_DAY + 123, endAtMs: nowMs - 12_345 };
    const totals = [];
    for (const by of [[], ['user'], ['space'], ['pool'], ['user', 'space', 'pool']] as const) {
      const asked = { window, step: 'day', by, filter: NO_FILTER } as const;
      const { rows } = await reportAndOracle(test, calendar, asked);
      const total = { runMs: 0n, milliGpuMs: 0n, runsStarted: 0n, runsEnded: 0n };
      for (const row of rows) {
        total.runMs += row.runMs;
        total.milliGpuMs += row.milliGpuMs;
        total.runsStarted += row.runsStarted;
        total.runsEnded += row.runsEnded;
      }
      totals.push(total);
    }
    expect(totals[0]?.milliGpuMs).toBeGreaterThan(0n);
    for (const total of totals) expect(total).toEqual(totals[0]);
  });

  it('I35: reads one snapshot: what one transaction moves between users is in every report once', async () => {
    const startedAtMs = nowMs - 3 * MS_PER_DAY;
    const moving = { milliGpus: 8_000, startedAtMs, endedAtMs: startedAtMs + 30 * MS_PER_HOUR };
    await insertRuns(test, [
      { ...moving, key: 'here', user: 'anna' },
      { ...moving, key: 'there', user: 'zoe', endedAtMs: startedAtMs + 1 },
    ]);
    const window = { startAtMs: startedAtMs - MS_PER_DAY, endAtMs: nowMs - MS_PER_DAY };
    const asked = { step: 'hour', by: ['user'], filter: NO_FILTER } as const;
    const total = (): Promise<bigint> =>
      withUsageReport(
        test.database,
        calendar,
        { ...asked, windowAt: () => window },
        async ({ rows }) => {
          let sum = 0n;
          for await (const row of rows) sum += row.milliGpuMs;
          return sum;
        },
      );
    const before = await total();
    let isOver = false;
    let moved = 0;
    const moves = async (): Promise<void> => {
      try {
        for (; !isOver; moved += 1) {
          await test.query(
            `update run set ended_at_ms = case when ended_at_ms = $1 then $2::bigint else $1::bigint end
             where record_key in ('here', 'there')`,
            [startedAtMs + 1, moving.endedAtMs],
          );
          await aggregateAll(test, calendar, {
            startAtMs: startedAtMs,
            endAtMs: startedAtMs + 4 * MS_PER_HOUR,
          });
        }
      } finally {
        isOver = true;
      }
    };
    const writing = moves();
    for (let n = 0; !isOver && (n < 20 || moved < 3); n += 1) expect(await total()).toBe(before);
    isOver = true;
    await writing;
  }, 60_000);

  it('G1, I5: hours, days, weeks and months of one window add up to the window, per user', async () => {
    const window = { startAtMs: nowMs - 8 * MS_PER_DAY + 123, endAtMs: nowMs - 12_345 };
    const totals = [];
    for (const step of STEPS) {
      const { rows } = await reportAndOracle(test, calendar, {
        window,
        step,
        by: ['user'],
        filter: NO_FILTER,
      });
      const byUser = new Map<string | null, [bigint, bigint, bigint, bigint]>();
      for (const row of rows) {
        const [a, b, c, d] = byUser.get(row.user) ?? [0n, 0n, 0n, 0n];
        byUser.set(row.user, [
          a + row.runMs,
          b + row.milliGpuMs,
          c + row.runsStarted,
          d + row.runsEnded,
        ]);
      }
      const sorted = [...byUser].sort(([a], [b]) => String(a).localeCompare(String(b)));
      totals.push(sorted.filter(([, sums]) => sums.some((sum) => sum > 0n)));
    }
    expect(totals[0]?.length).toBe(USERS.length);
    for (const total of totals) expect(total).toEqual(totals[0]);
  });
});
