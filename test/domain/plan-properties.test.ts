import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  GRANULARITIES,
  intersection,
  PART_OF,
  type Period,
  type Span,
} from '../../domain/period.js';
import { periodKey, plan, type PlanInput } from '../../domain/plan.js';
import { compareGranularity, LOOK_BACK } from '../../domain/reach.js';
import { tasksOf } from '../../domain/task.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { at, GRACE_MS, PlannerLedger } from '../support/planner-ledger.js';

/** Each scene walks up to 100 days of hours: a sample here, many in `npm run torture`. */
const NUM_RUNS = process.env['JOBHOURS_TORTURE'] === '1' ? 500 : 5;

const FROM = at('2025-01-01T00:00:00Z');

interface Scene {
  readonly ledger: PlannerLedger;
  readonly changes: Pick<PlanInput, 'catchUpMs' | 'coarsest' | 'leftOut' | 'failed'>;
}

/** Fractions of the time from the origin to now, so that what is drawn lies where it matters. */
const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const stretch = fc.record({ from: fraction, hours: fc.integer({ min: 1, max: 80 }) });
const granularity = fc.constantFrom(...GRANULARITIES);

/** Ledgers of up to 100 days with holes, stale periods, failed periods and open backfills. */
function scenes(zone: string): fc.Arbitrary<Scene> {
  return fc
    .record({
      nowMs: fc.integer({ min: 0, max: 700 * 24 * 60 }).map((minutes) => FROM + minutes * 60_000),
      ageMs: fc.integer({ min: 1, max: 100 * 24 * 60 }).map((minutes) => minutes * 60_000),
      builtTo: fraction,
      holes: fc.array(fc.record({ stretch, granularity }), { maxLength: 4 }),
      stale: fc.array(fc.record({ at: fraction, granularity }), { maxLength: 6 }),
      failed: fc.array(fc.record({ at: fraction, granularity }), { maxLength: 3 }),
      leftOut: fc.array(stretch, { maxLength: 2 }),
      coarsest: granularity,
      catchUpDays: fc.constantFrom(0, 7, 45),
    })
    .map((drawn) => {
      const { nowMs, ageMs } = drawn;
      const originAtMs = nowMs - ageMs;
      const instant = (share: number): number => originAtMs + Math.floor(share * (ageMs - 1));
      const span = (one: { from: number; hours: number }): Span => ({
        startAtMs: instant(one.from),
        endAtMs: instant(one.from) + one.hours * MS_PER_HOUR,
      });
      const setting = { zone, originAtMs, nowMs };
      const ledger = PlannerLedger.complete(setting, instant(drawn.builtTo));
      for (const hole of drawn.holes) ledger.remove(hole.granularity, span(hole.stretch));
      // A few of them before the origin.
      for (const one of drawn.stale) {
        ledger.spoil(one.granularity, instant(one.at) - MS_PER_DAY, 'mark');
      }
      const failed = drawn.failed.map((one) =>
        periodKey(ledger.calendar.periodAt(one.granularity, instant(one.at))),
      );
      return {
        ledger,
        changes: {
          catchUpMs: drawn.catchUpDays * MS_PER_DAY,
          coarsest: drawn.coarsest,
          leftOut: drawn.leftOut.map(span),
          failed: new Set(failed),
        },
      };
    });
}

/** Parts of a period that must stand before it is built: those in the ledger and the expected ones. */
function neededParts(
  ledger: PlannerLedger,
  period: Period,
  expected: ReadonlySet<string>,
): Period[] {
  const part = PART_OF[period.granularity];
  if (part === null) return [];
  return [...ledger.calendar.periodsWithin(part, period)].filter(
    (one) => ledger.has(one) || expected.has(periodKey(one)),
  );
}

const keysOf = (periods: Iterable<Period>): Set<string> => new Set([...periods].map(periodKey));

describe.each(['UTC', 'Asia/Shanghai', 'America/New_York', 'Australia/Lord_Howe'])(
  'in %s',
  (zone) => {
    const check = (property: (scene: Scene) => void): void => {
      fc.assert(fc.property(scenes(zone), property), { numRuns: NUM_RUNS });
    };

    it('building in order never needs a part that is missing or stale (A5)', () => {
      check(({ ledger, changes }) => {
        const expected = keysOf(ledger.expected());
        for (const period of plan(ledger.input(changes)).build) {
          for (const part of neededParts(ledger, period, expected)) {
            expect({ part, stands: ledger.has(part) && !ledger.isStale(part) }).toEqual({
              part,
              stands: true,
            });
          }
          ledger.add(period);
        }
      });
    });

    it('a second plan after building the first is empty, and equal input gives an equal plan', () => {
      check(({ ledger, changes }) => {
        const first = plan(ledger.input(changes));
        expect(plan(ledger.input(changes))).toEqual(first);
        for (const period of first.build) ledger.add(period);
        const second = plan(ledger.input(changes));
        expect(second).toEqual({ ...first, build: [] });
      });
    });

    it('plan by plan, a few tasks each, everything of the first plan is built', () => {
      check(({ ledger, changes }) => {
        const first = plan(ledger.input(changes)).build;
        for (let rounds = 0; rounds <= first.length; rounds += 1) {
          const { build } = plan(ledger.input(changes));
          for (const task of tasksOf(build, 50)) {
            for (const period of build) if (isBuiltBy(period, task)) ledger.add(period);
          }
          if (build.length === 0) break;
        }
        expect(first.filter((period) => !ledger.has(period) || ledger.isStale(period))).toEqual([]);
        expect(plan(ledger.input(changes)).build).toEqual([]);
      });
    });

    it('what is stale, or missing within reach, and nothing else, is planned or blocked, unless it failed or is left out', () => {
      check(({ ledger, changes }) => {
        const made = plan(ledger.input(changes));
        const built = keysOf(made.build);
        const blocked = keysOf(made.blocked.map(({ period }) => period));
        expect(built.size).toBe(made.build.length);
        for (const period of ledger.expected()) {
          if (compareGranularity(period.granularity, changes.coarsest) > 0) continue;
          const key = periodKey(period);
          const isNeeded =
            ledger.isStale(period) ||
            (!ledger.has(period) && isWithinReach(period, ledger, changes));
          const isPlanned = built.has(key) || blocked.has(key);
          expect({ period, isPlanned: isPlanned || isExcused(period, changes) }).toEqual({
            period,
            isPlanned: isNeeded || isExcused(period, changes),
          });
          if (isExcused(period, changes)) expect(built).not.toContain(key);
          if (built.has(key)) expect(blocked).not.toContain(key);
        }
      });
    });

    it('a blocked period has a part that is neither good nor in the plan, or left out', () => {
      check(({ ledger, changes }) => {
        const made = plan(ledger.input(changes));
        const built = keysOf(made.build);
        const expected = keysOf(ledger.expected());
        for (const { period } of made.blocked) {
          const hindered = neededParts(ledger, period, expected).filter((part) => {
            const stands = ledger.has(part) && !ledger.isStale(part);
            return (!stands && !built.has(periodKey(part))) || touches(part, changes.leftOut);
          });
          expect({
            period,
            isHindered: hindered.length > 0 || touches(period, changes.leftOut),
          }).toEqual({
            period,
            isHindered: true,
          });
        }
      });
    });
  },
);

const touches = (period: Period, spans: readonly Span[]): boolean =>
  spans.some((span) => intersection(period, span) !== null);

const isExcused = (period: Period, { failed, leftOut }: Scene['changes']): boolean =>
  failed.has(periodKey(period)) || touches(period, leftOut);

/** Reach by its definition, period by period: the last due ones, the catch-up, and what those are made of. */
function isWithinReach(period: Period, ledger: PlannerLedger, changes: Scene['changes']): boolean {
  const { calendar, nowMs, originAtMs } = ledger;
  let oldest = calendar.periodAt(period.granularity, nowMs - GRACE_MS);
  for (let count = 0; count < LOOK_BACK[period.granularity]; count += 1) {
    oldest = calendar.previous(oldest);
  }
  const sinceMs = Math.min(oldest.startAtMs, nowMs - changes.catchUpMs);
  return (
    Math.max(period.startAtMs, originAtMs) >= sinceMs ||
    GRANULARITIES.filter((whole) => PART_OF[whole] === period.granularity)
      .filter((whole) => compareGranularity(whole, changes.coarsest) <= 0)
      .map((whole) => calendar.periodAt(whole, period.startAtMs))
      .some((whole) => isWithinReach(whole, ledger, changes))
  );
}

/** What the child workflow of a task builds: the period and all that it is made of. */
function isBuiltBy(period: Period, task: Period): boolean {
  const isInside = task.startAtMs <= period.startAtMs && period.endAtMs <= task.endAtMs;
  const isPart = period.granularity !== 'week' && period.granularity !== task.granularity;
  return (
    periodKey(period) === periodKey(task) || (isInside && isPart && task.granularity !== 'hour')
  );
}
