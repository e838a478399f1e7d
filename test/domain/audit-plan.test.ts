import { describe, expect, it } from '@jest/globals';
import { withMends, type AuditDifference } from '../../domain/audit.js';
import { chunksOf, isPeriod, sampleOf, type AuditedPeriod } from '../../domain/audit-plan.js';
import { Calendar } from '../../domain/calendar.js';
import { contains, GRANULARITIES, type Granularity, type Period } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';

const calendar = Calendar.of('America/New_York');
const YEAR = { startAtMs: Date.UTC(2025, 0, 1), endAtMs: Date.UTC(2026, 0, 1) };
const all: AuditedPeriod[] = GRANULARITIES.flatMap((granularity) =>
  [...calendar.periodsWithin(granularity, YEAR)].map((period) => ({
    ...period,
    fromAtMs: period.startAtMs,
  })),
);

describe('the chunks of an audit', () => {
  it.each([
    ['everything', all],
    ['a sample', sampleOf(all, 25, 1)],
    ['hours of a year', sampleOf(all, 25, 1).filter(({ granularity }) => granularity === 'hour')],
  ])('hold each period once, cover what they hold, and at most 38 days: %s', (_what, periods) => {
    const chunks = chunksOf(periods);
    const held = chunks.flatMap((chunk) => chunk.periods);
    expect(held).toHaveLength(periods.length);
    expect(new Set(held)).toEqual(new Set(periods));
    for (const { periods: inside, spans } of chunks) {
      const coveredMs = spans.reduce((sum, span) => sum + span.endAtMs - span.startAtMs, 0);
      expect(coveredMs).toBeLessThanOrEqual(38 * MS_PER_DAY);
      for (const period of inside) expect(spans.some((span) => contains(span, period))).toBe(true);
      for (const [n, span] of spans.entries()) {
        expect(span.startAtMs).toBeGreaterThan(spans[n - 1]?.endAtMs ?? 0);
      }
    }
  });

  it('are about one for each month, and one for hours far apart', () => {
    expect(chunksOf(all).length).toBeLessThanOrEqual(13);
    const hours = sampleOf(all, 25, 1).filter(({ granularity }) => granularity === 'hour');
    expect(chunksOf(hours)).toHaveLength(1);
  });
});

describe('the sample of an audit', () => {
  const counts = (periods: readonly Period[]): number[] =>
    GRANULARITIES.map((one) => periods.filter((period) => period.granularity === one).length);

  it('has so many of each granularity, each once, all when there are no more', () => {
    const drawn = sampleOf(all, 25, 3);
    expect(counts(drawn)).toEqual([25, 25, 25, 11]);
    expect(new Set(drawn).size).toBe(drawn.length);
  });

  it('is decided by the seed, and comes from the whole of the books', () => {
    expect(sampleOf(all, 25, 3)).toEqual(sampleOf(all, 25, 3));
    expect(sampleOf(all, 25, 4)).not.toEqual(sampleOf(all, 25, 3));
    const starts = sampleOf(all, 25, 3)
      .slice(0, 25)
      .map(({ startAtMs }) => startAtMs);
    const middle = (YEAR.startAtMs + YEAR.endAtMs) / 2;
    expect(starts.filter((atMs) => atMs < middle).length).toBeGreaterThan(5);
    expect(starts.filter((atMs) => atMs >= middle).length).toBeGreaterThan(5);
  });
});

describe('what mends a finding', () => {
  const of = (granularity: Granularity, atMs: number, change: Partial<AuditDifference> = {}) => ({
    ...calendar.periodAt(granularity, atMs),
    ...{ code: 'DIGEST_DIFFERS' as const, user: null, space: null, pool: null, column: null },
    ...{ stored: null, recomputed: null, rows: 0 },
    ...change,
  });
  const noon = Date.UTC(2025, 4, 7, 16);
  const originAtMs = calendar.startOf('hour', Date.UTC(2025, 4, 1, 9));
  const mendsOf = (differences: readonly AuditDifference[]): string[] =>
    withMends({ differences, calendar, originAtMs, nowMs: YEAR.endAtMs }).map(({ mend }) => mend);

  it('is one backfill for consecutive and nested periods, from the first hour on', () => {
    const hours = [of('hour', noon + MS_PER_HOUR), of('hour', noon)];
    const later = of('hour', noon + 40 * MS_PER_HOUR);
    const mends = mendsOf([...hours, later]);
    expect(mends[0]).toBe(
      'jobhours backfill create --start 2025-05-07T12:00-04:00 --end 2025-05-07T14:00-04:00 --reprocess all --wait',
    );
    expect(mends[1]).toBe(mends[0]);
    expect(mends[2]).not.toBe(mends[0]);
    expect(new Set(mendsOf([...hours, later, of('week', noon)])).size).toBe(1);
  });

  it('begins no earlier than the books', () => {
    expect(mendsOf([of('month', noon)])[0]).toContain(`--start ${calendar.localText(originAtMs)} `);
  });

  it('is the cleaning for what no backfill builds: other edges, the future, before the books, outside of time', () => {
    const future = of('day', YEAR.endAtMs + MS_PER_DAY, { code: 'IN_THE_FUTURE' });
    const shifted = of('day', noon, { code: 'NOT_A_PERIOD', startAtMs: noon });
    const before = of('day', originAtMs - 3 * MS_PER_DAY, { code: 'DIRTY_ROWS' });
    const outside = of('hour', noon, { code: 'DIRTY_ROWS', startAtMs: 5, endAtMs: 6 });
    const under = of('day', noon, { code: 'DIRTY_ROWS' });
    const mends = mendsOf([future, shifted, before, outside, under]);
    expect(mends).toHaveLength(5);
    for (const mend of mends) expect(mend).toMatch(/^jobhours periods clean/);
    expect(mends[0]).toBe('jobhours periods clean');
    expect(mendsOf([under])[0]).toMatch(/^jobhours backfill create /);
  });

  it('I15: a period is exactly one of the calendar', () => {
    const day = calendar.periodAt('day', noon);
    expect(isPeriod(calendar, day)).toBe(true);
    expect(isPeriod(calendar, { ...day, endAtMs: day.endAtMs + 1 })).toBe(false);
    expect(isPeriod(calendar, { ...day, startAtMs: day.startAtMs - 1 })).toBe(false);
    expect(isPeriod(calendar, { ...day, startAtMs: 5, endAtMs: 6 })).toBe(false);
  });
});
