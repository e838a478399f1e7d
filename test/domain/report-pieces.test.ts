import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Calendar } from '../../domain/calendar.js';
import { contains, GRANULARITIES, type Granularity, type Span } from '../../domain/period.js';
import {
  reportRows,
  STEPS,
  tileRow,
  type GoodSpans,
  type Piece,
} from '../../domain/report-pieces.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';

const calendar = Calendar.of('Asia/Shanghai');
const at = (text: string): number => Date.parse(`${text}+08:00`);
const span = (start: string, end: string): Span => ({ startAtMs: at(start), endAtMs: at(end) });
const NONE: GoodSpans = { hour: [], day: [], week: [], month: [] };
const all = (good: Span): GoodSpans => ({ hour: [good], day: [good], week: [good], month: [good] });

/** `month 2026-01-01T00:00 .. 2026-02-01T00:00`, for computed ones the start of the hour behind it. */
function lineOf(piece: Piece): string {
  const text = (atMs: number): string => calendar.localText(atMs).slice(0, 16);
  const edges = `${text(piece.startAtMs)} .. ${text(piece.endAtMs)}`;
  if (piece.kind === 'ledger') return `${piece.granularity} ${edges}`;
  return `computed ${edges} from ${text(piece.hourStartAtMs)}${piece.isAfterGoodHour ? ' carried' : ''}`;
}

describe('Tiling a row of a report', () => {
  const year = span('2025-12-01T00:00', '2027-01-01T00:00');

  it('takes months first, then weeks, days and hours at the edges', () => {
    const row = span('2026-01-09T22:15', '2026-04-02T01:30');
    expect(tileRow(row, 'none', all(year), calendar).map(lineOf)).toEqual([
      'computed 2026-01-09T22:15 .. 2026-01-09T23:00 from 2026-01-09T22:00 carried',
      'hour 2026-01-09T23:00 .. 2026-01-10T00:00',
      'day 2026-01-10T00:00 .. 2026-01-12T00:00',
      'week 2026-01-12T00:00 .. 2026-01-26T00:00',
      'day 2026-01-26T00:00 .. 2026-02-01T00:00',
      'month 2026-02-01T00:00 .. 2026-04-01T00:00',
      'day 2026-04-01T00:00 .. 2026-04-02T00:00',
      'hour 2026-04-02T00:00 .. 2026-04-02T01:00',
      'computed 2026-04-02T01:00 .. 2026-04-02T01:30 from 2026-04-02T01:00 carried',
    ]);
  });

  it('takes nothing coarser than the step', () => {
    const row = span('2026-02-02T00:00', '2026-02-09T00:00');
    expect(tileRow(row, 'week', all(year), calendar).map(lineOf)).toEqual([
      'week 2026-02-02T00:00 .. 2026-02-09T00:00',
    ]);
    expect(tileRow(row, 'hour', all(year), calendar).map(lineOf)).toEqual([
      'hour 2026-02-02T00:00 .. 2026-02-09T00:00',
    ]);
  });

  it('computes hours that are not good, and takes what the good hour before them carries on', () => {
    const good = {
      ...NONE,
      hour: [
        span('2026-01-01T00:00', '2026-01-01T05:00'),
        span('2026-01-01T07:00', '2026-01-01T09:00'),
      ],
    };
    const row = span('2026-01-01T00:00', '2026-01-01T10:00');
    expect(tileRow(row, 'day', good, calendar).map(lineOf)).toEqual([
      'hour 2026-01-01T00:00 .. 2026-01-01T05:00',
      'computed 2026-01-01T05:00 .. 2026-01-01T07:00 from 2026-01-01T05:00 carried',
      'hour 2026-01-01T07:00 .. 2026-01-01T09:00',
      'computed 2026-01-01T09:00 .. 2026-01-01T10:00 from 2026-01-01T09:00 carried',
    ]);
  });

  it('cuts what is computed where months begin, so that no sum leaves bigint', () => {
    const row = span('2026-01-31T23:59', '2026-03-01T00:01');
    expect(tileRow(row, 'none', NONE, calendar).map(lineOf)).toEqual([
      'computed 2026-01-31T23:59 .. 2026-02-01T00:00 from 2026-01-31T23:00',
      'computed 2026-02-01T00:00 .. 2026-03-01T00:00 from 2026-02-01T00:00',
      'computed 2026-03-01T00:00 .. 2026-03-01T00:01 from 2026-03-01T00:00',
    ]);
  });

  it.each(['UTC', 'America/New_York', 'Australia/Lord_Howe', 'America/Havana'])(
    'G4: tiles any row without gap or overlap, from whole good periods and what is left, in %s',
    (zone) => {
      const local = Calendar.of(zone);
      // Both changes of the clocks of 2026 lie inside.
      const [from, to] = [Date.UTC(2026, 0, 1), Date.UTC(2026, 11, 1)];
      const instant = fc.integer({ min: from, max: to });
      const edges = fc.uniqueArray(instant, { minLength: 0, maxLength: 8 });
      fc.assert(
        fc.property(
          fc.tuple(instant, instant),
          fc.constantFrom(...STEPS),
          fc.record({ hour: edges, day: edges, week: edges, month: edges }),
          ([a, b], step, cuts) => {
            const row = { startAtMs: Math.min(a, b), endAtMs: Math.max(a, b) + 1 };
            const good = goodSpans(local, cuts);
            expectTiling(local, row, good, tileRow(row, step, good, local));
          },
        ),
        { numRuns: 60 },
      );
    },
  );
});

/** Every second stretch between the cuts, snapped to periods. */
function goodSpans(
  local: Calendar,
  cuts: Readonly<Record<Granularity, readonly number[]>>,
): GoodSpans {
  const spansOf = (granularity: Granularity): Span[] => {
    const starts = [...new Set(cuts[granularity].map((atMs) => local.startOf(granularity, atMs)))];
    const sorted = starts.sort((a, b) => a - b);
    return sorted.flatMap((startAtMs, n) => {
      const endAtMs = sorted[n + 1];
      return n % 2 === 0 && endAtMs !== undefined ? [{ startAtMs, endAtMs }] : [];
    });
  };
  return {
    hour: spansOf('hour'),
    day: spansOf('day'),
    week: spansOf('week'),
    month: spansOf('month'),
  };
}

function expectTiling(local: Calendar, row: Span, good: GoodSpans, pieces: readonly Piece[]): void {
  let fromMs = row.startAtMs;
  for (const piece of pieces) {
    expect(piece.startAtMs).toBe(fromMs);
    expect(piece.endAtMs).toBeGreaterThan(piece.startAtMs);
    fromMs = piece.endAtMs;
    if (piece.kind === 'ledger') {
      expect(good[piece.granularity].some((one) => contains(one, piece))).toBe(true);
      for (const edge of [piece.startAtMs, piece.endAtMs]) {
        expect(local.startOf(piece.granularity, edge)).toBe(edge);
      }
    } else {
      expect(piece.hourStartAtMs).toBe(local.startOf('hour', piece.startAtMs));
      expect(piece.isAfterGoodHour).toBe(
        good.hour.some(
          (one) => one.startAtMs < piece.hourStartAtMs && piece.hourStartAtMs <= one.endAtMs,
        ),
      );
      for (const hours of good.hour) {
        for (const hour of local.periodsWithin('hour', {
          startAtMs: Math.max(hours.startAtMs, piece.startAtMs),
          endAtMs: Math.min(hours.endAtMs, piece.endAtMs),
        })) {
          throw new Error(`hour ${hour.label} is good and was computed`);
        }
      }
    }
  }
  expect(fromMs).toBe(row.endAtMs);
}

describe('Rows of a report', () => {
  const nowMs = at('2026-01-10T12:34');

  it('are periods clipped to the window', () => {
    const window = span('2026-01-08T10:00', '2026-01-10T12:34');
    expect([...reportRows('day', window, calendar, nowMs)]).toEqual([
      { ...span('2026-01-08T10:00', '2026-01-09T00:00'), label: '2026-01-08', isOpen: false },
      { ...span('2026-01-09T00:00', '2026-01-10T00:00'), label: '2026-01-09', isOpen: false },
      { ...span('2026-01-10T00:00', '2026-01-10T12:34'), label: '2026-01-10', isOpen: true },
    ]);
  });

  it.each([
    ['2026-01-01T00:00', '2026-01-10T12:34', '2026-01', true],
    ['2025-12-01T00:00', '2026-01-01T00:00', '2025-12', false],
    ['2025-12-29T00:00', '2026-01-05T00:00', '2026-W01', false],
    ['2026-01-09T00:00', '2026-01-10T00:00', '2026-01-09', false],
    ['2026-01-09T05:00', '2026-01-09T06:00', '2026-01-09T05:00+08:00', false],
    ['2026-01-09T05:00', '2026-01-09T07:00', '', false],
    ['2026-01-03T12:34', '2026-01-10T12:34', '', true],
  ])('of one whole window [%s, %s) are labelled %p', (start, end, label, isOpen) => {
    const window = span(start, end);
    expect([...reportRows('none', window, calendar, nowMs)]).toEqual([
      { ...window, label, isOpen },
    ]);
  });

  it('of a day are not open when the day is over, even if the window ends inside it', () => {
    const window = span('2026-01-08T10:00', '2026-01-08T11:00');
    expect([...reportRows('day', window, calendar, nowMs)].map((row) => row.isOpen)).toEqual([
      false,
    ]);
    const midnight = span('2026-01-09T00:00', '2026-01-10T00:00');
    const [row] = reportRows('day', midnight, calendar, midnight.endAtMs);
    expect(row?.isOpen).toBe(false);
  });

  it('G4: cover the window without gap in every step', () => {
    const window = { startAtMs: nowMs - 40 * MS_PER_DAY - 1, endAtMs: nowMs - MS_PER_HOUR + 1 };
    for (const step of STEPS) {
      let fromMs = window.startAtMs;
      for (const row of reportRows(step, window, calendar, nowMs)) {
        expect(row.startAtMs).toBe(fromMs);
        fromMs = row.endAtMs;
      }
      expect(fromMs).toBe(window.endAtMs);
    }
    expect(GRANULARITIES).toHaveLength(STEPS.length - 1);
  });
});
