import { describe, expect, it } from '@jest/globals';
import type { CoarseInput } from '../../domain/backfill-plan.js';
import { backfillPreview } from '../../domain/backfill-preview.js';
import { Calendar } from '../../domain/calendar.js';
import type { LedgerState, StalePeriod } from '../../domain/ledger.js';
import type { Span } from '../../domain/period.js';

const calendar = Calendar.of('UTC');
const span = (start: string, end: string): Span => ({
  startAtMs: Date.parse(`${start}Z`),
  endAtMs: Date.parse(`${end}Z`),
});
const ledger = (
  ranges: Partial<LedgerState['ranges']>,
  stale: StalePeriod[] = [],
): LedgerState => ({
  nowMs: Date.parse('2026-06-01Z'),
  ranges: { hour: [], day: [], week: [], month: [], ...ranges },
  stale,
});
const february = span('2026-02-01', '2026-03-01');
const told = (input: Partial<CoarseInput>): string[] =>
  backfillPreview({
    ...{ calendar, graceMs: 0, range: february, originAtMs: february.startAtMs },
    ...{ reprocess: 'stale', ledger: ledger({}) },
    ...input,
  }).map(
    ({ granularity, label, lastLabel, periods, action, because }) =>
      `${action} ${periods} ${granularity} ${label} ${lastLabel}: ${because}`,
  );
const stale: StalePeriod = {
  ...calendar.periodAt('hour', Date.parse('2026-02-10T05:00Z')),
  reason: 'carry',
  fingerprint: 'x',
};
const whole = { hour: [february], day: [february] };

describe('the preview of a backfill', () => {
  it('of a month that is missing builds its hours and days, the weeks of them, and the month', () => {
    expect(told({})).toEqual([
      'build 672 hour 2026-02-01T00:00+00:00 2026-02-28T23:00+00:00: it is not in the ledger',
      'build 28 day 2026-02-01 2026-02-28: it is not in the ledger',
      'build 4 week 2026-W05 2026-W08: it is not in the ledger',
      'blocked 1 week 2026-W09 2026-W09: day 2026-03-01 in it is missing or stale',
      'build 1 month 2026-02 2026-02: it is not in the ledger',
    ]);
  });

  it('of a month that is good leaves it', () => {
    const weeks = [span('2026-01-26', '2026-02-23')];
    expect(told({ ledger: ledger({ ...whole, week: weeks, month: [february] }) })).toEqual([
      'leave 672 hour 2026-02-01T00:00+00:00 2026-02-28T23:00+00:00: it is in the ledger and fits',
      'blocked 1 week 2026-W09 2026-W09: day 2026-03-01 in it is missing or stale',
    ]);
  });

  it('names why an hour is stale, and what is made of it', () => {
    const range = span('2026-02-10T04:00', '2026-02-10T07:00');
    const one = { range, ledger: ledger({ ...whole, month: [february] }, [stale]) };
    expect(told(one).filter((line) => !line.includes('week'))).toEqual([
      'leave 1 hour 2026-02-10T04:00+00:00 2026-02-10T04:00+00:00: it is in the ledger and fits',
      'build 1 hour 2026-02-10T05:00+00:00 2026-02-10T05:00+00:00: the hour before it now ends with other running runs',
      'leave 1 hour 2026-02-10T06:00+00:00 2026-02-10T06:00+00:00: it is in the ledger and fits',
      'build 1 day 2026-02-10 2026-02-10: its parts are built, or changed',
      'build 1 month 2026-02 2026-02: its parts are built, or changed',
    ]);
    expect(told({ ...one, reprocess: 'missing' })).toContain(
      'leave 1 hour 2026-02-10T05:00+00:00 2026-02-10T05:00+00:00: the hour before it now ends with other running runs',
    );
  });

  it('of all builds every hour again', () => {
    const range = span('2026-02-10T04:00', '2026-02-10T07:00');
    expect(told({ range, reprocess: 'all', ledger: ledger(whole) })[0]).toBe(
      'build 3 hour 2026-02-10T04:00+00:00 2026-02-10T06:00+00:00: every period is built again',
    );
  });

  it('names the part outside of the range that blocks a coarser period', () => {
    const range = span('2026-02-10T04:00', '2026-02-10T07:00');
    expect(told({ range })).toContain(
      'blocked 1 day 2026-02-10 2026-02-10: hour 2026-02-10T00:00+00:00 in it is missing or stale',
    );
  });
});
