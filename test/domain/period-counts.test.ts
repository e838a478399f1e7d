import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Calendar } from '../../domain/calendar.js';
import { GRANULARITIES, type Granularity, type PeriodKey } from '../../domain/period.js';
import {
  COUNTED_STATES,
  countPeriods,
  newestGoodHourLagMs,
  type CountsInput,
} from '../../domain/period-counts.js';
import { PeriodJudge } from '../../domain/period-state.js';
import { periodKey } from '../../domain/plan.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { at, GRACE_MS, PlannerLedger } from '../support/planner-ledger.js';

const NUM_RUNS = process.env['JOBHOURS_TORTURE'] === '1' ? 500 : 10;
const DAYS = 40;

type Counts = Record<Granularity, Record<string, number>>;

/** The oracle: `periods check` judges every period by itself. */
function judgedOneByOne(input: CountsInput): Counts {
  const judge = new PeriodJudge({
    ...input,
    catchUpMs: 45 * MS_PER_DAY,
    leftOut: [],
    failures: new Map(input.failed.map((one) => [periodKey(one), 'CHECK_FAILED'])),
    locked: new Set(),
  });
  const counts = GRANULARITIES.map((granularity) => {
    const states: Record<string, number> = { good: 0, missing: 0, stale: 0, failed: 0 };
    for (const { startAtMs, endAtMs } of judge.known(granularity)) {
      const span = { startAtMs, endAtMs: Math.min(endAtMs, input.state.nowMs) };
      for (const period of input.calendar.periodsWithin(granularity, span)) {
        const { state } = judge.judge(period);
        if (state !== 'provisional') states[state] = (states[state] ?? 0) + 1;
      }
    }
    return [granularity, states];
  });
  return Object.fromEntries(counts) as Counts;
}

function inputOf(ledger: PlannerLedger, failed: readonly PeriodKey[] = []): CountsInput {
  const { stale, ledger: ranges } = ledger.input({});
  return {
    state: { nowMs: ledger.nowMs, ranges, stale },
    calendar: ledger.calendar,
    originAtMs: ledger.originAtMs,
    graceMs: GRACE_MS,
    failed,
  };
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const place = fc.record({ at: share, granularity: fc.constantFrom(...GRANULARITIES) });

/** Ledgers of up to 40 days with holes, stale and failed periods, a few of them before the origin or not due. */
function inputs(zone: string): fc.Arbitrary<CountsInput> {
  return fc
    .record({
      nowMinutes: fc.integer({ min: 0, max: 400 * 24 * 60 }),
      ageMinutes: fc.integer({ min: 1, max: DAYS * 24 * 60 }),
      builtTo: share,
      holes: fc.array(place, { maxLength: 4 }),
      stale: fc.array(place, { maxLength: 4 }),
      failed: fc.array(place, { maxLength: 4 }),
    })
    .map((drawn) => {
      const nowMs = at('2025-03-01T00:00:00Z') + drawn.nowMinutes * MS_PER_MINUTE;
      const ageMs = drawn.ageMinutes * MS_PER_MINUTE;
      const originAtMs = nowMs - ageMs;
      const instant = (of: number): number => originAtMs + Math.floor(of * ageMs);
      const setting = { zone, originAtMs, nowMs };
      const ledger = PlannerLedger.complete(setting, instant(drawn.builtTo));
      for (const hole of drawn.holes) {
        const startAtMs = instant(hole.at);
        ledger.remove(hole.granularity, { startAtMs, endAtMs: startAtMs + 5 * MS_PER_HOUR });
      }
      for (const one of drawn.stale)
        ledger.spoil(one.granularity, instant(one.at) - MS_PER_DAY / 2);
      const failed = drawn.failed.map(({ granularity, at: of }) => ({
        granularity,
        startAtMs: ledger.calendar.startOf(granularity, instant(of)),
      }));
      const keys = new Map(failed.map((one) => [periodKey(one), one]));
      return inputOf(ledger, [...keys.values()]);
    });
}

describe('the counts of periods', () => {
  it.each(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu'])(
    'are those of a judgement of each period by itself, in %s',
    (zone) => {
      fc.assert(
        fc.property(inputs(zone), (input) => {
          expect(countPeriods(input)).toEqual(judgedOneByOne(input));
        }),
        { numRuns: NUM_RUNS },
      );
    },
  );

  it('are nothing when the books have not begun', () => {
    const ledger = new PlannerLedger({
      originAtMs: at('2026-01-01T00:00:00Z'),
      nowMs: at('2026-01-03T00:00:00Z'),
    });
    const input = { ...inputOf(ledger), originAtMs: null };
    const none = Object.fromEntries(COUNTED_STATES.map((state) => [state, 0]));
    expect(countPeriods(input).hour).toEqual(none);
    expect(newestGoodHourLagMs(input)).toBe(0);
  });

  it.each(['UTC', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns', 'Pacific/Apia'])(
    'begin with as many periods as a walk finds in any span, in %s',
    (zone) => {
      const calendar = Calendar.of(zone);
      const from = at('1990-01-02T00:00:00Z');
      const minutes = fc.integer({ min: 0, max: 36 * 365 * 24 * 60 });
      const length = fc.integer({ min: -2, max: 40 * 24 * 60 });
      fc.assert(
        fc.property(minutes, length, fc.constantFrom(...GRANULARITIES), (start, long, one) => {
          const startAtMs = from + start * MS_PER_MINUTE;
          const span = { startAtMs, endAtMs: startAtMs + long * MS_PER_MINUTE };
          expect(calendar.countWithin(one, span)).toBe(
            [...calendar.periodsWithin(one, span)].length,
          );
        }),
        { numRuns: 20 * NUM_RUNS },
      );
    },
  );

  it('cost less than 100 ms of CPU time for ten years of hours', () => {
    const [originAtMs, nowMs] = [at('2016-01-01T00:00:00Z'), at('2026-01-01T12:00:00Z')];
    const small = inputOf(new PlannerLedger({ zone: 'Europe/Berlin', originAtMs, nowMs }));
    const whole = { startAtMs: originAtMs, endAtMs: at('2026-01-01T00:00:00Z') };
    const ranges = { ...small.state.ranges, hour: [whole] };
    const input = { ...small, state: { ...small.state, ranges } };
    countPeriods(input);
    const before = process.cpuUsage();
    const { hour } = countPeriods(input);
    const { user, system } = process.cpuUsage(before);
    process.stdout.write(`counts of ten years of hours: ${(user + system) / 1000} ms of CPU\n`);
    expect(hour).toEqual({ good: 87_672, missing: 11, stale: 0, failed: 0 });
    expect(user + system).toBeLessThan(100_000);
  });
});

describe('the lag of the newest good hour', () => {
  const originAtMs = at('2026-01-01T00:00:00Z');
  const nowMs = at('2026-01-01T10:30:00Z');

  it.each([
    ['half an hour when all due hours are good', nowMs, null, 30],
    ['from the end of the newest hour that was built', at('2026-01-01T07:00:00Z'), null, 210],
    ['from the first stale hour of the chain', nowMs, at('2026-01-01T03:00:00Z'), 450],
    ['from the first expected hour when none is good', originAtMs, null, 630],
  ] as const)('is counted %s', (_, untilMs, staleAtMs, minutes) => {
    const ledger = PlannerLedger.complete({ originAtMs, nowMs }, untilMs);
    if (staleAtMs !== null) ledger.spoil('hour', staleAtMs);
    expect(newestGoodHourLagMs(inputOf(ledger))).toBe(minutes * MS_PER_MINUTE);
  });

  it('is 0 as long as no hour is due', () => {
    const early = { originAtMs, nowMs: originAtMs + MS_PER_HOUR + GRACE_MS - 1 };
    expect(newestGoodHourLagMs(inputOf(new PlannerLedger(early)))).toBe(0);
    const due = { originAtMs, nowMs: originAtMs + MS_PER_HOUR + GRACE_MS };
    expect(newestGoodHourLagMs(inputOf(new PlannerLedger(due)))).toBe(MS_PER_HOUR + GRACE_MS);
  });
});
