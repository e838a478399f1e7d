import { describe, expect, it } from '@jest/globals';
import type { StaleReason } from '../../domain/ledger.js';
import type { Granularity, Period } from '../../domain/period.js';
import { periodKey, plan, type Plan } from '../../domain/plan.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { at, PlannerLedger } from '../support/planner-ledger.js';

const names = (periods: readonly Period[]): string[] =>
  periods.map(({ granularity, label }) => `${granularity} ${label.replace('+00:00', '')}`);
const labels = (made: Plan, granularity: Granularity): string[] =>
  made.build.filter((period) => period.granularity === granularity).map(({ label }) => label);
const hourSpan = (fromText: string, toText: string) => ({
  startAtMs: at(fromText),
  endAtMs: at(toText),
});
const NOTHING: Plan = { build: [], blocked: [], beyondReach: [] };

/** Wednesday. The last due month is February, 28 days; 45 days back is 2026-01-18T10:30Z. */
const NOW = at('2026-03-04T10:30:00Z');
const complete = (originText = '2025-11-01T00:00:00Z', nowMs = NOW) =>
  PlannerLedger.complete({ originAtMs: at(originText), nowMs });

describe('what is due', () => {
  it('expects nothing while the origin is null: the first run builds nothing', () => {
    const ledger = new PlannerLedger({ originAtMs: 0, nowMs: NOW });
    ledger.spoil('hour', NOW - MS_PER_DAY);
    expect(plan(ledger.input({ originAtMs: null }))).toEqual(NOTHING);
  });

  it('builds nothing in the hour in which the origin was set, and that hour once it is due', () => {
    const originAtMs = at('2026-03-04T10:00:00Z');
    const planAt = (text: string) =>
      names(plan(new PlannerLedger({ originAtMs, nowMs: at(text) }).input()).build);
    expect(planAt('2026-03-04T10:30:00Z')).toEqual([]);
    expect(planAt('2026-03-04T11:01:59.999Z')).toEqual([]);
    expect(planAt('2026-03-04T11:02:00Z')).toEqual(['hour 2026-03-04T10:00']);
  });

  it('builds nothing when the origin lies in the future', () => {
    const ledger = new PlannerLedger({ originAtMs: NOW + 40 * MS_PER_DAY, nowMs: NOW });
    expect(plan(ledger.input())).toEqual(NOTHING);
  });

  it('builds nothing when every expected period is good', () => {
    expect(plan(complete().input())).toEqual(NOTHING);
  });

  it('waits for the grace at the end of a month, then builds hour, day and month', () => {
    const month = (nowText: string) => {
      const nowMs = at(nowText);
      const ledger = PlannerLedger.complete(
        { originAtMs: at('2026-02-10T00:00:00Z'), nowMs },
        at('2026-02-28T23:00:00Z'),
      );
      return names(plan(ledger.input()).build);
    };
    expect(month('2026-03-01T00:01:59.999Z')).toEqual([]);
    expect(month('2026-03-01T00:02:00Z')).toEqual([
      'hour 2026-02-28T23:00',
      'day 2026-02-28',
      'month 2026-02',
    ]);
  });

  it('builds a period that contains the origin from the hours that end after it', () => {
    const ledger = new PlannerLedger({
      originAtMs: at('2026-02-28T21:30:00Z'),
      nowMs: at('2026-03-02T00:05:00Z'),
    });
    const { build, blocked } = plan(ledger.input());
    expect(blocked).toEqual([]);
    expect(names(build).slice(0, 6)).toEqual([
      'hour 2026-03-01T23:00',
      'hour 2026-02-28T21:00',
      'hour 2026-02-28T22:00',
      'hour 2026-02-28T23:00',
      'day 2026-02-28',
      'month 2026-02',
    ]);
    expect(names(build).slice(-2)).toEqual(['day 2026-03-01', 'week 2026-W09']);
    expect(build).toHaveLength(3 + 24 + 2 + 1 + 1);
  });

  it('expects no hour that ends exactly at the origin', () => {
    const originAtMs = at('2026-03-04T09:00:00Z');
    const ledger = new PlannerLedger({ originAtMs, nowMs: NOW });
    expect(names(plan(ledger.input()).build)).toEqual(['hour 2026-03-04T09:00']);
  });
});

describe('missing periods', () => {
  it('builds the newest due hour first, then the oldest, parts before the periods made of them', () => {
    const nowMs = at('2026-03-04T10:30:00Z');
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2026-01-05T00:00:00Z'), nowMs },
      at('2026-03-02T22:00:00Z'),
    );
    const order = names(plan(ledger.input()).build);
    expect(order.slice(0, 5)).toEqual([
      'hour 2026-03-04T09:00',
      'hour 2026-03-02T22:00',
      'hour 2026-03-02T23:00',
      'day 2026-03-02',
      'hour 2026-03-03T00:00',
    ]);
    expect(order.at(-1)).toBe('hour 2026-03-04T08:00');
    expect(order).toHaveLength(2 + 24 + 10 + 2);
  });

  it('says why a period is missing, in words', () => {
    const ledger = complete().remove('hour', {
      startAtMs: NOW - MS_PER_DAY,
      endAtMs: NOW - MS_PER_DAY + 1,
    });
    expect(plan(ledger.input()).build).toEqual([
      {
        granularity: 'hour',
        startAtMs: at('2026-03-03T10:00:00Z'),
        endAtMs: at('2026-03-03T11:00:00Z'),
        label: '2026-03-03T10:00+00:00',
        reason: 'missing',
        because: 'it is not in the ledger',
        fingerprint: 'missing',
      },
    ]);
  });

  it('mends an outage of a week, through all levels', () => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW },
      NOW - 7 * MS_PER_DAY,
    );
    const made = plan(ledger.input());
    expect(labels(made, 'hour')).toHaveLength(7 * 24);
    expect(labels(made, 'day')).toHaveLength(7);
    expect(labels(made, 'week')).toEqual(['2026-W09']);
    expect(labels(made, 'month')).toEqual(['2026-02']);
    expect(made.beyondReach).toEqual([]);
    expect(made.blocked).toEqual([]);
  });

  it('goes on with an outage although the newest hour, built first, is good already', () => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW },
      NOW - 40 * MS_PER_DAY,
    );
    const before = plan(ledger.input({ coarsest: 'hour' })).build;
    for (const period of before.slice(0, 50)) ledger.add(period);
    expect(plan(ledger.input({ coarsest: 'hour' })).build).toEqual(before.slice(50));
  });

  it.each([46, 60])('mends 45 days of an outage of %i days and names the rest', (days) => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW },
      at('2026-03-04T10:00:00Z') - days * MS_PER_DAY,
    );
    const made = plan(ledger.input());
    const [hours, dayGap] = made.beyondReach;
    expect(labels(made, 'hour')[1]).toBe('2026-01-18T11:00+00:00');
    expect(labels(made, 'hour')).toHaveLength(45 * 24 - 1);
    expect(hours).toEqual({
      granularity: 'hour',
      span: {
        startAtMs: at('2026-03-04T10:00:00Z') - days * MS_PER_DAY,
        endAtMs: at('2026-01-18T11:00:00Z'),
      },
      periods: (days - 45) * 24 + 1,
    });
    expect(dayGap).toMatchObject({ granularity: 'day', periods: days - 45 + 1 });
    expect(made.beyondReach.at(-1)).toMatchObject({ granularity: 'month' });
    expect(labels(made, 'month')).toEqual(['2026-02']);
    expect(made.blocked).toEqual([]);
  });

  it('treats an empty ledger with an origin as a reset: the catch-up, and a report of the rest', () => {
    const ledger = new PlannerLedger({ originAtMs: at('2025-06-01T00:00:00Z'), nowMs: NOW });
    const made = plan(ledger.input());
    expect(labels(made, 'hour')).toHaveLength(45 * 24 - 1);
    expect(made.beyondReach).toEqual([
      {
        granularity: 'hour',
        span: hourSpan('2025-06-01T00:00:00Z', '2026-01-18T11:00:00Z'),
        periods: 231 * 24 + 11,
      },
      {
        granularity: 'day',
        span: hourSpan('2025-06-01T00:00:00Z', '2026-01-19T00:00:00Z'),
        periods: 232,
      },
      {
        granularity: 'week',
        span: hourSpan('2025-05-26T00:00:00Z', '2026-01-19T00:00:00Z'),
        periods: 34,
      },
      {
        granularity: 'month',
        span: hourSpan('2025-06-01T00:00:00Z', '2026-02-01T00:00:00Z'),
        periods: 8,
      },
    ]);
  });

  it('mends everything, the month of the origin too, when the origin lies within the catch-up', () => {
    const nowMs = at('2026-03-01T00:30:00Z');
    const ledger = new PlannerLedger({ originAtMs: at('2026-01-17T05:30:00Z'), nowMs });
    const made = plan(ledger.input());
    expect(labels(made, 'month')).toEqual(['2026-01', '2026-02']);
    expect(labels(made, 'hour')[1]).toBe('2026-01-17T05:00+00:00');
    expect(made.beyondReach).toEqual([]);
  });

  it('mends a hole in the middle, and what was built over it', () => {
    const hole = hourSpan('2026-02-11T03:00:00Z', '2026-02-11T05:00:00Z');
    const ledger = complete().remove('hour', hole);
    ledger.spoil('day', hole.startAtMs, 'parts');
    expect(names(plan(ledger.input()).build)).toEqual([
      'hour 2026-02-11T03:00',
      'hour 2026-02-11T04:00',
      'day 2026-02-11',
    ]);
  });

  it('names a hole beyond the catch-up, hours merged, and does not touch it', () => {
    const hole = hourSpan('2025-12-11T03:00:00Z', '2025-12-11T05:00:00Z');
    const made = plan(complete().remove('hour', hole).input());
    expect(made).toEqual({
      build: [],
      blocked: [],
      beyondReach: [{ granularity: 'hour', span: hole, periods: 2 }],
    });
  });
});

describe('the look-back, when the catch-up is shorter', () => {
  const hours = (coarsest: Granularity) => {
    const ledger = new PlannerLedger({ originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW });
    return plan(ledger.input({ coarsest, catchUpMs: 0 }));
  };

  it.each<[Granularity, string, number]>([
    ['hour', '2026-03-03T10:00+00:00', 24],
    ['day', '2026-02-27T00:00+00:00', 5 * 24 + 10],
    ['week', '2026-02-16T00:00+00:00', 16 * 24 + 10],
    ['month', '2026-02-01T00:00+00:00', 31 * 24 + 10],
  ])('reaches from a %s tick to the hour %s', (coarsest, first, count) => {
    const made = hours(coarsest);
    expect(labels(made, 'hour')).toHaveLength(count);
    expect(labels(made, 'hour')[1]).toBe(first);
    expect(made.blocked).toEqual([]);
  });

  it('covers 24 hours, 5 days, 2 weeks and 1 month, each with all that it is made of', () => {
    expect(labels(hours('day'), 'day')).toHaveLength(5);
    expect(labels(hours('week'), 'week')).toEqual(['2026-W08', '2026-W09']);
    expect(labels(hours('week'), 'day')).toHaveLength(16);
    expect(labels(hours('month'), 'month')).toEqual(['2026-02']);
    expect(labels(hours('month'), 'day')).toHaveLength(31);
  });

  it('reports only what no tick would mend', () => {
    for (const coarsest of ['hour', 'month'] as const) {
      expect(hours(coarsest).beyondReach[0]?.span.endAtMs).toBe(at('2026-02-01T00:00:00Z'));
    }
  });
});

describe('the coarsest granularity asked for', () => {
  it('plans hours only for an hour tick, and no stale day', () => {
    const ledger = complete().remove(
      'hour',
      hourSpan('2026-03-03T10:00:00Z', '2026-03-03T12:00:00Z'),
    );
    ledger.spoil('day', at('2026-03-03T10:00:00Z'), 'parts');
    const { build, blocked } = plan(ledger.input({ coarsest: 'hour' }));
    expect(names(build)).toEqual(['hour 2026-03-03T10:00', 'hour 2026-03-03T11:00']);
    expect(blocked).toEqual([]);
  });

  it('plans hours, days and weeks for a week tick', () => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: at('2026-03-02T00:30:00Z') },
      at('2026-02-28T00:00:00Z'),
    );
    const granularities = plan(ledger.input({ coarsest: 'week' })).build.map(
      (period) => period.granularity,
    );
    expect(new Set(granularities)).toEqual(new Set(['hour', 'day', 'week']));
  });
});

describe('stale periods', () => {
  it.each<[StaleReason, Granularity, RegExp]>([
    ['mark', 'hour', /usage in it changed/],
    ['carry', 'hour', /hour before it/],
    ['hole', 'hour', /missing hours before it/],
    ['parts', 'day', /parts changed/],
  ])('says in words why a period is stale: %s', (reason, granularity, words) => {
    const ledger = complete();
    const { fingerprint } = ledger.spoil(granularity, NOW - 2 * MS_PER_DAY, reason);
    const [period] = plan(ledger.input()).build;
    expect(period).toMatchObject({ granularity, reason: 'stale', fingerprint });
    expect(period?.because).toMatch(words);
  });

  it('are mended however old, finer before coarser, with the newest due hour first', () => {
    const ledger = complete('2020-01-01T00:00:00Z');
    for (const granularity of ['month', 'week', 'day', 'hour'] as const) {
      ledger.spoil(
        granularity,
        at('2020-05-31T23:00:00Z'),
        granularity === 'hour' ? 'mark' : 'parts',
      );
    }
    ledger.spoil('hour', at('2026-03-04T09:00:00Z'));
    expect(names(plan(ledger.input()).build)).toEqual([
      'hour 2026-03-04T09:00',
      'hour 2020-05-31T23:00',
      'day 2020-05-31',
      'week 2020-W22',
      'month 2020-05',
    ]);
  });

  it('are mended before the origin too: staleness is over all ledger rows (P1)', () => {
    const ledger = complete();
    ledger.spoil('hour', at('2025-03-01T05:00:00Z'));
    ledger.spoil('day', at('2025-03-01T05:00:00Z'), 'parts');
    expect(names(plan(ledger.input()).build)).toEqual(['hour 2025-03-01T05:00', 'day 2025-03-01']);
  });

  it('wait until they are due', () => {
    const ledger = complete();
    ledger.spoil('hour', NOW);
    expect(plan(ledger.input())).toEqual(NOTHING);
  });
});

describe('blocked periods', () => {
  it('a failed hour blocks its day and what is made of it, and nothing else', () => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW },
      at('2026-02-27T00:00:00Z'),
    );
    const failed = ledger.calendar.periodAt('hour', at('2026-02-28T15:00:00Z'));
    const made = plan(ledger.input({ failed: new Set([periodKey(failed)]) }));
    expect(labels(made, 'hour')).not.toContain(failed.label);
    expect(labels(made, 'hour')).toHaveLength(5 * 24 + 10 - 1);
    expect(labels(made, 'day')).toEqual(['2026-02-27', '2026-03-01', '2026-03-02', '2026-03-03']);
    const root = 'hour 2026-02-28T15:00+00:00 failed in this pass';
    expect(made.blocked.map(({ period, because }) => [period.label, because])).toEqual([
      ['2026-02-28', root],
      ['2026-W09', `day 2026-02-28 is blocked: ${root}`],
      ['2026-02', `day 2026-02-28 is blocked: ${root}`],
    ]);
  });

  it('a failed day is left, its week and month blocked, its hours built', () => {
    const ledger = complete();
    const day = ledger.spoil('day', at('2026-02-10T00:00:00Z'), 'parts');
    ledger.spoil('hour', at('2026-02-10T07:00:00Z'));
    ledger.spoil('month', at('2026-02-10T00:00:00Z'), 'parts');
    const made = plan(ledger.input({ failed: new Set([periodKey(day)]) }));
    expect(names(made.build)).toEqual(['hour 2026-02-10T07:00']);
    expect(made.blocked).toEqual([
      {
        period: ledger.calendar.periodAt('month', at('2026-02-10T00:00:00Z')),
        because: 'day 2026-02-10 failed in this pass',
      },
    ]);
  });

  it('a stale day is blocked by a part that is missing beyond the catch-up', () => {
    const hole = hourSpan('2025-12-11T03:00:00Z', '2025-12-11T05:00:00Z');
    const ledger = complete().remove('hour', hole);
    const day = ledger.spoil('day', hole.startAtMs, 'parts');
    const made = plan(ledger.input());
    expect(made.build).toEqual([]);
    expect(made.blocked).toEqual([
      {
        period: ledger.calendar.periodAt('day', day.startAtMs),
        because: 'hour 2025-12-11T03:00+00:00 is missing and beyond the catch-up',
      },
    ]);
  });

  it('leaves out the range of an open backfill, and blocks what it only touches', () => {
    const ledger = PlannerLedger.complete(
      { originAtMs: at('2025-11-01T00:00:00Z'), nowMs: NOW },
      at('2026-02-24T00:00:00Z'),
    );
    const leftOut = [hourSpan('2026-02-26T12:00:00Z', '2026-02-28T00:00:00Z')];
    const made = plan(ledger.input({ leftOut }));
    expect(labels(made, 'day')).not.toContain('2026-02-27');
    expect(labels(made, 'hour')).toHaveLength(8 * 24 + 10 - 36);
    expect(made.blocked.map(({ period, because }) => [period.label, because])).toEqual([
      ['2026-02-26', 'hour 2026-02-26T12:00+00:00 is left to an open backfill'],
      ['2026-W09', 'day 2026-02-26 is left to an open backfill'],
      ['2026-02', 'day 2026-02-26 is left to an open backfill'],
    ]);
  });

  it('does not report what an open backfill is mending, nor plan stale periods in it', () => {
    const ledger = new PlannerLedger({ originAtMs: at('2025-06-01T00:00:00Z'), nowMs: NOW });
    const leftOut = [hourSpan('2025-08-01T00:00:00Z', '2026-03-04T00:00:00Z')];
    ledger.spoil('hour', at('2025-09-01T00:00:00Z'));
    const made = plan(ledger.input({ leftOut }));
    expect(labels(made, 'hour')).toHaveLength(10);
    expect(made.beyondReach).toEqual([
      {
        granularity: 'hour',
        span: hourSpan('2025-06-01T00:00:00Z', '2025-08-01T00:00:00Z'),
        periods: 61 * 24,
      },
      {
        granularity: 'day',
        span: hourSpan('2025-06-01T00:00:00Z', '2025-08-01T00:00:00Z'),
        periods: 61,
      },
      {
        granularity: 'week',
        span: hourSpan('2025-05-26T00:00:00Z', '2025-07-28T00:00:00Z'),
        periods: 9,
      },
      {
        granularity: 'month',
        span: hourSpan('2025-06-01T00:00:00Z', '2025-08-01T00:00:00Z'),
        periods: 2,
      },
    ]);
  });
});

describe('changes of the clocks', () => {
  it.each<[string, string, string, number]>([
    ['America/New_York', '2026-11-01T04:00:00Z', '2026-11-02T05:30:00Z', 25],
    ['America/New_York', '2026-03-08T05:00:00Z', '2026-03-09T04:30:00Z', 23],
    // Half an hour: 01:30 to 02:00 comes twice, or 02:00 to 02:30 never.
    ['Australia/Lord_Howe', '2026-04-04T13:00:00Z', '2026-04-05T14:00:00Z', 25],
    ['Australia/Lord_Howe', '2026-10-03T13:30:00Z', '2026-10-04T13:30:00Z', 24],
    // The day begins at 01:00, and midnight comes twice.
    ['America/Havana', '2026-03-08T05:00:00Z', '2026-03-09T04:30:00Z', 23],
    ['America/Havana', '2026-11-01T04:00:00Z', '2026-11-02T05:30:00Z', 25],
    ['Asia/Shanghai', '2026-03-07T16:00:00Z', '2026-03-08T16:30:00Z', 24],
  ])('in %s the day from %s has all its hours in the plan', (zone, origin, now, hours) => {
    const ledger = new PlannerLedger({ zone, originAtMs: at(origin), nowMs: at(now) });
    const made = plan(ledger.input());
    const [day] = made.build.filter((period) => period.granularity === 'day');
    const parts = made.build.filter(
      (period) => period.granularity === 'hour' && period.endAtMs <= (day?.endAtMs ?? 0),
    );
    expect(day?.startAtMs).toBe(at(origin));
    expect(parts).toHaveLength(hours);
    expect(parts.reduce((sum, part) => sum + part.endAtMs - part.startAtMs, 0)).toBe(
      (day?.endAtMs ?? 0) - (day?.startAtMs ?? 0),
    );
    expect(made.blocked).toEqual([]);
  });
});

describe('the cost, against walking the hours of three years once', () => {
  const threeYears = { originAtMs: at('2023-03-01T00:00:00Z'), nowMs: NOW };
  const fastestMs = (run: () => void): number => {
    let fastest = Infinity;
    for (let round = 0; round < 3; round += 1) {
      const startedAtMs = performance.now();
      run();
      fastest = Math.min(fastest, performance.now() - startedAtMs);
    }
    return fastest;
  };
  const walk = (): number => {
    const { calendar, originAtMs, nowMs } = new PlannerLedger(threeYears);
    const span = { startAtMs: originAtMs, endAtMs: nowMs };
    return [...calendar.periodsTouching('hour', span)].length;
  };

  it.each([
    ['a good ledger', NOW, 0.05],
    ['a gap of 44 days', NOW - 44 * MS_PER_DAY, 1.5],
    ['an empty ledger', 0, 6],
  ])('of a plan over three years with %s', (_, untilMs, most) => {
    const input = PlannerLedger.complete(threeYears, untilMs).input();
    expect(fastestMs(() => plan(input)) / fastestMs(walk)).toBeLessThan(most);
  });
});

it('the key of a period is its granularity and its start', () => {
  expect(periodKey({ granularity: 'hour', startAtMs: MS_PER_HOUR })).toBe('hour/3600000');
});
