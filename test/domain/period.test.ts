import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { contains, GRANULARITIES, intersection, PART_OF, type Span } from '../../domain/period.js';

const spans = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 20 }))
  .map(([startAtMs, lengthMs]): Span => ({ startAtMs, endAtMs: startAtMs + lengthMs }));

const isIn = (atMs: number, span: Span) => span.startAtMs <= atMs && atMs < span.endAtMs;
const instants = Array.from({ length: 70 }, (_, atMs) => atMs);

describe('intersection', () => {
  it('G1: holds exactly the instants that both spans have, and is null when there are none', () => {
    fc.assert(
      fc.property(spans, spans, (a, b) => {
        const common = intersection(a, b);
        const expected = instants.filter((atMs) => isIn(atMs, a) && isIn(atMs, b));
        expect(instants.filter((atMs) => common !== null && isIn(atMs, common))).toEqual(expected);
        expect(common === null).toBe(expected.length === 0);
        expect(intersection(b, a)).toEqual(common);
      }),
    );
  });

  it('spans that only touch share nothing', () => {
    const early = { startAtMs: 0, endAtMs: 10 };
    expect(intersection(early, { startAtMs: 10, endAtMs: 20 })).toBeNull();
    expect(intersection(early, { startAtMs: 9, endAtMs: 20 })).toEqual({
      startAtMs: 9,
      endAtMs: 10,
    });
  });

  it('G1: the parts of a span in pieces that tile it add up to its length', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 0, maxLength: 8 });
    fc.assert(
      fc.property(spans, cuts, (span, inner) => {
        const edges = [...new Set([0, ...inner, 70])].sort((a, b) => a - b);
        const lengths = edges.slice(1).map((endAtMs, index) => {
          const part = intersection(span, { startAtMs: edges[index] ?? 0, endAtMs });
          return part === null ? 0 : part.endAtMs - part.startAtMs;
        });
        const sum = lengths.reduce((total, length) => total + length, 0);
        expect(sum).toBe(span.endAtMs - span.startAtMs);
      }),
    );
  });
});

describe('contains', () => {
  it('is true exactly when the common part is the whole inner span', () => {
    fc.assert(
      fc.property(spans, spans, (outer, inner) => {
        const common = intersection(outer, inner);
        const isWhole = common?.startAtMs === inner.startAtMs && common.endAtMs === inner.endAtMs;
        expect(contains(outer, inner)).toBe(isWhole);
      }),
    );
  });
});

describe('granularities', () => {
  it('G2: weeks and months are made of days, days of hours', () => {
    expect(GRANULARITIES.map((granularity) => PART_OF[granularity])).toEqual([
      null,
      'hour',
      'day',
      'day',
    ]);
  });
});
