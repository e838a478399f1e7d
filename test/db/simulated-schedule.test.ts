/**
 * Weeks of simulated schedules with runs that come in on time, late and corrected. Whether every tick fires on time,
 * some are doubled or missing for days, or two keepers work at once: the books are the same. Clocks change, months,
 * weeks and years end inside (F21). `npm test` takes the days around these, JOBHOURS_TORTURE=1 four weeks.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { buildPeriod } from '../../db/period-builder.js';
import { readLedgerState } from '../../db/ledger-store.js';
import { coarsePeriodsOf, lanesOf } from '../../domain/backfill-plan.js';
import { Calendar } from '../../domain/calendar.js';
import { intersection, type Span } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_SECOND } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import {
  aggregateAll,
  aggregateNow,
  insertRuns,
  ledgerDigests,
  setOrigin,
  type NewRun,
} from '../support/runs.js';
import { sample, seededRandom } from '../support/seeded-random.js';
import {
  addKept,
  arrivalsOf,
  dropBooks,
  GRACE_MS,
  Inbox,
  keep,
  ticksOf,
  type Kept,
  type Tick,
} from '../support/simulated-schedule.js';

const WHOLE = process.env['JOBHOURS_TORTURE'] === '1';
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);
const RUNS_A_DAY = 14;

interface Scene {
  readonly name: string;
  readonly zone: string;
  /** The first of four weeks. */
  readonly from: string;
  /** The days around what happens. */
  readonly around: readonly [from: string, days: number];
}

const SCENES: readonly Scene[] = [
  {
    name: 'Berlin, the night with 25 hours',
    zone: 'Europe/Berlin',
    from: '2025-10-13T00:00Z',
    around: ['2025-10-25T00:00Z', 2],
  },
  {
    name: 'Havana, a midnight that happens twice and the end of a month',
    zone: 'America/Havana',
    from: '2025-10-20T00:00Z',
    around: ['2025-10-31T00:00Z', 3],
  },
  {
    name: 'Lord Howe, a clock that goes forward by half an hour',
    zone: 'Australia/Lord_Howe',
    from: '2025-09-22T00:00Z',
    around: ['2025-10-04T00:00Z', 2],
  },
  {
    name: 'Berlin, a leap day (F21)',
    zone: 'Europe/Berlin',
    from: '2024-02-12T00:00Z',
    around: ['2024-02-28T12:00Z', 2],
  },
  {
    name: 'Berlin, the end of a year in its week 53 (F21)',
    zone: 'Europe/Berlin',
    from: '2020-12-14T00:00Z',
    around: ['2020-12-31T00:00Z', 3],
  },
];

/** Four weeks, or the days around what happens. */
function spanOf({ from, around }: Scene): Span {
  const [aroundFrom, days] = around;
  const startAtMs = Date.parse(WHOLE ? from : aroundFrom);
  return { startAtMs, endAtMs: startAtMs + (WHOLE ? 28 : days) * MS_PER_DAY };
}

describe.each(SCENES)('simulated schedules: $name', (scene) => {
  const calendar = Calendar.of(scene.zone);
  const span = spanOf(scene);
  const last: Tick = { atMs: span.endAtMs + MS_PER_HOUR, coarsest: 'month' };
  const dueEndMs = calendar.startOf('hour', last.atMs - GRACE_MS);
  // In the middle of a day, a week and a month: the first of each begin before the books.
  const originAtMs = calendar.startOf('hour', span.startAtMs + 5 * MS_PER_HOUR);
  const ticks = ticksOf(calendar, span);
  const days = (span.endAtMs - span.startAtMs) / MS_PER_DAY;
  const arrivals = arrivalsOf(span, days * RUNS_A_DAY, seededRandom(SEED));
  let test: TestDatabase;
  let onTime: readonly string[] = [];

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: scene.zone });
    await setOrigin(test, originAtMs);
  });
  afterAll(() => test.close());

  /** Empty books; `atTick` is told each tick with what has come in by then; then the last tick of all. */
  async function live(
    chosen: readonly Tick[],
    atTick: (tick: Tick, inbox: Inbox) => Promise<readonly Kept[]>,
  ): Promise<Kept> {
    await dropBooks(test, true);
    const inbox = new Inbox(test, arrivals);
    let total: Kept = { plans: 0, built: 0, failed: 0 };
    for (const tick of [...chosen, last]) {
      total = (await atTick(tick, inbox)).reduce(addKept, total);
    }
    return total;
  }

  const say = (how: string, count: number, kept: Kept): void =>
    void process.stdout.write(
      `${scene.zone}, ${days} days, ${how}: ${count} ticks, ${JSON.stringify(kept)}, seed ${SEED}\n`,
    );

  it('every tick on time: exact books after the last one, every due hour in the ledger (G1, I14)', async () => {
    const late: unknown[] = [];
    const kept = await live(ticks, async (tick, inbox) => {
      await inbox.takeUntil(tick.atMs);
      const did = await keep(test, calendar, tick);
      if (did.failed > 0) late.push(tick);
      return [did];
    });
    say('on time', ticks.length, kept);
    expect(late).toEqual([]);
    expect(await ledgerFaults(test, dueEndMs)).toEqual([]);
    onTime = await ledgerDigests(test);
    const hours = [...calendar.periodsWithin('hour', { startAtMs: originAtMs, endAtMs: dueEndMs })];
    expect(onTime.filter((line) => line.startsWith('hour')).length).toBe(hours.length);
  }, 900_000);

  it('doubled ticks, none for up to three days, and one every second for a minute: the same books (I10, I37)', async () => {
    const random = seededRandom(SEED + 1);
    let deafUntilMs = 0;
    const chosen = ticks.filter(({ atMs }) => {
      if (atMs < deafUntilMs) return false;
      if (random.chance(0.01)) {
        deafUntilMs = atMs + random.integer(1, Math.min(72, 3 * days)) * MS_PER_HOUR;
      }
      return true;
    });
    const minutes = new Set(sample(chosen, 3, SEED));
    const again: unknown[] = [];
    const kept = await live(chosen, async (tick, inbox) => {
      await inbox.takeUntil(tick.atMs);
      const did = [await keep(test, calendar, tick)];
      const repeats = minutes.has(tick) ? 59 : Number(random.chance(0.3));
      for (let n = 1; n <= repeats; n += 1) {
        const atMs = tick.atMs + (repeats === 1 ? 0 : n * MS_PER_SECOND);
        const repeated = await keep(test, calendar, { ...tick, atMs });
        if (repeated.plans !== 1 || repeated.built > 0) again.push({ tick, repeated });
        did.push(repeated);
      }
      return did;
    });
    say('doubled and skipped', chosen.length, kept);
    expect(again).toEqual([]);
    expect(await ledgerDigests(test)).toEqual(onTime);
  }, 900_000);

  it('two keepers at once while records come in: the same books (F5, I11)', async () => {
    const chosen = ticks.filter((_, n) => n % 7 === 0);
    const kept = await live(chosen, async (tick, inbox) => {
      const [one, other] = await Promise.all([
        keep(test, calendar, tick),
        keep(test, calendar, { ...tick, coarsest: 'month' }),
        inbox.takeUntil(tick.atMs),
      ]);
      if (tick !== last) return [one, other];
      // What came in during the very last tick is left to one more, as after any wake.
      return [one, other, await keep(test, calendar, last)];
    });
    say('two keepers', chosen.length, kept);
    expect(await ledgerDigests(test)).toEqual(onTime);
    expect(await ledgerFaults(test, dueEndMs)).toEqual([]);
  }, 900_000);

  it.each([1, 2, 4])(
    'everything dropped and aggregated again in %i lanes side by side: the same books (I11, I12)',
    async (lanes) => {
      await dropBooks(test, false);
      await backfill(test, calendar, { startAtMs: originAtMs, endAtMs: dueEndMs }, lanes);
      expect(await ledgerDigests(test)).toEqual(onTime);
    },
    300_000,
  );
});

/** As the workflow of a backfill: hours and days of each piece in lanes, then what lies across the pieces. */
async function backfill(
  test: TestDatabase,
  calendar: Calendar,
  range: Span,
  lanes: number,
): Promise<void> {
  const pieces = [...calendar.periodsTouching('day', range)].flatMap((day) => {
    const only = intersection(day, range);
    return only === null ? [] : [{ ...calendar.periodAt('month', day.startAtMs), only }];
  });
  await Promise.all(
    lanesOf(pieces, lanes).map(async (lane) => {
      for (const piece of lane)
        await aggregateNow(test, calendar, { ...piece, reprocess: 'stale' });
    }),
  );
  const ledger = await readLedgerState(test.database);
  const { build } = coarsePeriodsOf({
    ...{ calendar, originAtMs: range.startAtMs, graceMs: 0 },
    ...{ ledger: { ...ledger, nowMs: range.endAtMs }, range, reprocess: 'stale' },
  });
  for (const { partStartsAtMs, ...period } of build) {
    await buildPeriod(test.database, period, { expectedPartStarts: partStartsAtMs });
  }
}

describe('batches of records', () => {
  const calendar = Calendar.of('Europe/Berlin');
  const from = Date.parse('2025-10-25T00:00Z');
  const span = { startAtMs: from, endAtMs: from + 2 * MS_PER_DAY };
  let test: TestDatabase;
  let whole: readonly string[] = [];
  const runs: NewRun[] = arrivalsOf(span, 303, seededRandom(SEED)).flatMap((one) =>
    'run' in one ? [one.run] : [],
  );

  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: calendar.zone });
    await setOrigin(test, span.startAtMs);
    await insertRuns(test, runs);
    await aggregateAll(test, calendar, span);
    whole = await ledgerDigests(test);
  });
  afterAll(() => test.close());

  it.each([1, 7, 99, 100, 101])(
    'of %i, in another order, half of them late: the same books (I11)',
    async (size) => {
      await dropBooks(test, true);
      const shuffled = sample(runs, runs.length, SEED + size);
      const half = Math.floor(shuffled.length / 2);
      for (let at = 0; at < shuffled.length; at += size) {
        await insertRuns(test, shuffled.slice(at, at + size));
        if (at < half && at + size >= half) await aggregateAll(test, calendar, span);
      }
      await aggregateAll(test, calendar, span);
      expect(await ledgerDigests(test)).toEqual(whole);
      expect(await ledgerFaults(test, span.endAtMs)).toEqual([]);
    },
    120_000,
  );
});
