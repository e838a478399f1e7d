import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  coarsePeriodsOf,
  lanesOf,
  piecesOf,
  type CoarseInput,
} from '../../domain/backfill-plan.js';
import { Calendar } from '../../domain/calendar.js';
import type { LedgerState } from '../../domain/ledger.js';
import type { Granularity, Period, Span } from '../../domain/period.js';

const DAY_MS = 86_400_000;
const calendar = Calendar.of('America/New_York');
const at = (text: string): number => Date.parse(text);

describe('the pieces of a backfill', () => {
  it('are the months of the range, cut at its edges', () => {
    const range = {
      startAtMs: at('2026-01-31T20:00-05:00'),
      endAtMs: at('2026-04-01T01:00-04:00'),
    };
    const pieces = piecesOf(calendar, range);
    expect(pieces.map(({ label }) => label)).toEqual(['2026-01', '2026-02', '2026-03', '2026-04']);
    expect(pieces[0]?.only.startAtMs).toBe(range.startAtMs);
    expect(pieces.at(-1)?.only.endAtMs).toBe(range.endAtMs);
  });

  it('tile the range without gap or overlap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: at('1995-01-01Z'), max: at('2040-01-01Z') }),
        fc.integer({ min: 1, max: 900 * DAY_MS }),
        (startAtMs, lengthMs) => {
          const range = { startAtMs, endAtMs: startAtMs + lengthMs };
          const only = piecesOf(calendar, range).map((piece) => piece.only);
          expect(only[0]?.startAtMs).toBe(range.startAtMs);
          expect(only.at(-1)?.endAtMs).toBe(range.endAtMs);
          for (const [index, one] of only.slice(1).entries()) {
            expect(one.startAtMs).toBe(only[index]?.endAtMs);
          }
        },
      ),
    );
  });
});

describe('lanes', () => {
  it.each([
    [5, 2, [3, 2]],
    [2, 4, [1, 1]],
    [7, 3, [3, 2, 2]],
    [1, 1, [1]],
    [0, 3, []],
  ])('of %i pieces in %i lanes hold %j', (count, lanes, lengths) => {
    const pieces = Array.from({ length: count }, (_, number) => number);
    const cut = lanesOf(pieces, lanes);
    expect(cut.map((lane) => lane.length)).toEqual(lengths);
    expect(cut.flat()).toEqual(pieces);
  });
});

describe('the coarser periods at the end of a backfill', () => {
  const utc = Calendar.of('UTC');
  const span = (start: string, end: string): Span => ({
    startAtMs: at(`${start}Z`),
    endAtMs: at(`${end}Z`),
  });
  const february = span('2026-02-01', '2026-03-01');
  const ledger = (state: Partial<LedgerState> & { hours: Span[]; days?: Span[] }): LedgerState => ({
    nowMs: state.nowMs ?? at('2026-06-01Z'),
    ranges: { hour: state.hours, day: state.days ?? [], week: [], month: [] },
    stale: state.stale ?? [],
  });
  const input = (more: Partial<CoarseInput> & Pick<CoarseInput, 'ledger'>): CoarseInput => ({
    ...{ calendar: utc, originAtMs: february.startAtMs, graceMs: 0 },
    ...{ range: february, reprocess: 'stale' },
    ...more,
  });
  const built = (one: CoarseInput, granularity: Granularity): string[] =>
    coarsePeriodsOf(one)
      .build.filter((period) => period.granularity === granularity)
      .map(({ label }) => label);
  /** The last week, which ends behind the range. */
  const withoutHole = 1;
  const stalePeriod = (period: Period) => ({ ...period, reason: 'mark' as const, fingerprint: '' });

  it('are days first, then the weeks and months that they fill', () => {
    const one = input({ ledger: ledger({ hours: [february] }) });
    expect(built(one, 'day')).toHaveLength(28);
    // The first week contains the origin; the last one ends a day behind the range and lacks that day.
    expect(built(one, 'week')).toEqual(['2026-W05', '2026-W06', '2026-W07', '2026-W08']);
    expect(built(one, 'month')).toEqual(['2026-02']);
    expect(coarsePeriodsOf(one).build.map(({ granularity }) => granularity)).toEqual([
      ...Array.from({ length: 28 }, () => 'day'),
      ...Array.from({ length: 4 }, () => 'week'),
      'month',
    ]);
  });

  it('leave out what lacks an expected part, and count it', () => {
    const hours = [span('2026-02-01', '2026-02-10'), span('2026-02-10T01:00', '2026-03-01')];
    const one = input({ ledger: ledger({ hours }) });
    expect(built(one, 'day')).not.toContain('2026-02-10');
    expect(built(one, 'week')).not.toContain('2026-W07');
    expect(built(one, 'month')).toEqual([]);
    expect(coarsePeriodsOf(one).blocked).toHaveLength(withoutHole + 3);
  });

  it('leave out what has a stale part', () => {
    const stale = [stalePeriod(utc.periodAt('hour', at('2026-02-10T05:00Z')))];
    const { blocked } = coarsePeriodsOf(input({ ledger: ledger({ hours: [february], stale }) }));
    expect(blocked).toHaveLength(withoutHole + 3);
    expect(blocked[0]).toMatchObject({
      label: '2026-02-10',
      lacking: { label: '2026-02-10T05:00+00:00' },
    });
  });

  it('leave out what is good already; all asked for are weeks and months', () => {
    const full = ledger({ hours: [february], days: [february] });
    expect(built(input({ ledger: full }), 'day')).toEqual([]);
    // The pieces have built the days again.
    expect(built(input({ ledger: full, reprocess: 'all' }), 'day')).toEqual([]);
    expect(built(input({ ledger: full, reprocess: 'all' }), 'month')).toHaveLength(1);
  });

  it('leave stale ones as they are when only missing ones are asked for', () => {
    const stale = [stalePeriod(utc.periodAt('day', at('2026-02-10Z')))];
    const state = ledger({ hours: [february], days: [february], stale });
    expect(built(input({ ledger: state }), 'day')).toEqual(['2026-02-10']);
    expect(built(input({ ledger: state, reprocess: 'missing' }), 'day')).toEqual([]);
  });

  it('are not built before they are due', () => {
    const one = input({
      ledger: ledger({ hours: [february], nowMs: at('2026-03-01T00:01Z') }),
      graceMs: 120_000,
    });
    expect(built(one, 'month')).toEqual([]);
    expect(built(one, 'day')).toHaveLength(27);
  });
});
