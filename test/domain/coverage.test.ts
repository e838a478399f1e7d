import { describe, expect, it } from '@jest/globals';
import { Calendar } from '../../domain/calendar.js';
import {
  ALL_TIME,
  coveredUntil,
  coverageText,
  gapAdvice,
  gapsIn,
  gapText,
  holesOf,
  isComplete,
  uncovered,
  type Coverage,
  type DeclaredSource,
} from '../../domain/coverage.js';
import { randomOf } from '../../domain/random.js';

const span = (startAtMs: number, endAtMs: number) => ({ startAtMs, endAtMs });
const NORTH: DeclaredSource = {
  name: 'north',
  declared: [span(20, 30), span(0, 10), span(8, 14)],
  endedAtMs: null,
};

describe('what a source should have delivered and did not (G6)', () => {
  it.each([
    ['what lies before its first declared instant is not expected', -50, 5, []],
    ['what overlapping declarations cover together', 2, 14, []],
    ['a hole between two declarations', 5, 25, [span(14, 20)]],
    ['what lies behind the last one', 25, 40, [span(30, 40)]],
    ['all of it', 15, 19, [span(15, 19)]],
  ])('%s', (_what, from, to, expected) => {
    expect(uncovered(NORTH, span(from, to))).toEqual(expected);
  });

  it('ends where the source ended', () => {
    expect(uncovered({ ...NORTH, endedAtMs: 35 }, span(25, 90))).toEqual([span(30, 35)]);
    expect(uncovered({ ...NORTH, endedAtMs: 30 }, span(25, 90))).toEqual([]);
  });

  it('is covered without a gap until the first hole', () => {
    expect(coveredUntil(NORTH)).toBe(14);
  });
});

describe('what keeps a figure from being complete (G6)', () => {
  const coverage: Coverage = {
    sources: [NORTH, { name: 'south', declared: [span(0, 30)], endedAtMs: null }],
    rejects: [{ batch: '7', records: 3, spans: [span(2, 4), span(60, 70)] }],
    unfinished: [],
  };
  const UNFINISHED = {
    ...{
      batch: '9',
      input: 'big.csv',
      startedAtMs: 0,
      runs: 20,
      appliedRuns: 10,
      span: span(5, 9),
    },
  };

  it('nothing, when nobody declared anything', () => {
    const none = { sources: [], rejects: [], unfinished: [] };
    expect(gapsIn(none, span(0, 100))).toEqual([]);
    expect(isComplete(holesOf(none), span(0, 100))).toBe(true);
  });

  it('is each source that misses something, and each import with open rejects there', () => {
    expect(gapsIn(coverage, span(3, 35))).toEqual([
      { kind: 'uncovered', source: 'north', spans: [span(14, 20), span(30, 35)] },
      { kind: 'uncovered', source: 'south', spans: [span(30, 35)] },
      { kind: 'rejects', batch: '7', records: 3 },
    ]);
    expect(gapsIn(coverage, span(4, 14))).toEqual([]);
  });

  it('are rejects everywhere when nobody knows where they lie', () => {
    const lost = { ...coverage, rejects: [{ batch: '8', records: 1, spans: [ALL_TIME] }] };
    expect(gapsIn(lost, span(4, 14))).toEqual([{ kind: 'rejects', batch: '8', records: 1 }]);
  });

  it('is an import that has applied only some of its runs, where they lie', () => {
    const half = { ...coverage, unfinished: [UNFINISHED] };
    const gap = { kind: 'unfinished', ...UNFINISHED } as const;
    expect(gapsIn(half, span(4, 14))).toEqual([gap]);
    expect(gapsIn(half, span(9, 14))).toEqual([]);
    expect(isComplete(holesOf(half), span(8, 14))).toBe(false);
    expect(gapText(gap, Calendar.of('UTC'))).toBe(
      'import 9 (big.csv) has applied 10 of its 20 runs',
    );
    expect(gapAdvice(gap)).toContain('jobhours import undo 9');
  });

  it('is told with the part of the window in which each source is expected', () => {
    const at = Date.UTC(2026, 0, 1);
    const since = (name: string, offsetMs: number): DeclaredSource => ({
      ...{ name, declared: [span(at + offsetMs, at + 30)], endedAtMs: null },
    });
    const sources = [since('north', 0), since('south', -10)];
    const told = (from: number, to: number): string =>
      coverageText(
        { sources, rejects: [], unfinished: [] },
        span(at + from, at + to),
        Calendar.of('UTC'),
      );
    expect(told(10, 14)).toBe('complete (north, south)');
    expect(told(-10, 10)).toBe('complete (north from 2026-01-01T00:00+00:00 on, south)');
    expect(told(-20, -10)).toBe('not declared');
  });

  it('agrees with itself and with a walk through every instant, for 2,000 random declarations', () => {
    const random = randomOf(20261121);
    const place = (): number => Math.floor(random() * 60);
    const some = () => {
      const from = place();
      return span(from, from + 1 + Math.floor(place() / 3));
    };
    let covered = 0;
    for (let n = 0; n < 2_000; n += 1) {
      const sources = ['a', 'b'].map((name) => ({
        name,
        declared: Array.from({ length: 1 + Math.floor(random() * 4) }, some),
        endedAtMs: random() < 0.3 ? place() : null,
      }));
      const rejects = random() < 0.2 ? [{ batch: '1', records: 1, spans: [some()] }] : [];
      const drawn = { sources, rejects, unfinished: [] };
      const asked = some();
      const isWhole = isComplete(holesOf(drawn), asked);
      expect(isWhole).toBe(gapsIn(drawn, asked).length === 0);
      // Instant by instant: covered by each source that is expected there.
      const isEach = sources.every(({ declared, endedAtMs }) => {
        const first = Math.min(...declared.map((one) => one.startAtMs));
        for (let at = asked.startAtMs; at < asked.endAtMs; at += 1) {
          if (at < first || (endedAtMs !== null && at >= endedAtMs)) continue;
          if (!declared.some((one) => one.startAtMs <= at && at < one.endAtMs)) return false;
        }
        return true;
      });
      const isClear = rejects.every(
        ({ spans: [one = asked] }) =>
          one.endAtMs <= asked.startAtMs || one.startAtMs >= asked.endAtMs,
      );
      expect(isWhole).toBe(isEach && isClear);
      covered += isWhole ? 1 : 0;
    }
    expect(covered).toBeGreaterThan(200);
  });
});
