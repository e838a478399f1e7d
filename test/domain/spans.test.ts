import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Span } from '../../domain/period.js';
import { covers, subtract, union } from '../../domain/spans.js';

const span = (startAtMs: number, endAtMs: number): Span => ({ startAtMs, endAtMs });
const spans = fc.array(
  fc
    .tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 1, max: 10 }))
    .map(([startAtMs, lengthMs]) => span(startAtMs, startAtMs + lengthMs)),
);
/** The instants of some spans, one by one. */
const instants = (some: readonly Span[]): Set<number> =>
  new Set(
    some.flatMap(({ startAtMs, endAtMs }) =>
      Array.from({ length: endAtMs - startAtMs }, (_, index) => startAtMs + index),
    ),
  );

describe('sets of spans', () => {
  it('unite to the same instants, in time order, with a gap between each', () => {
    fc.assert(
      fc.property(spans, (some) => {
        const united = union(some);
        expect(instants(united)).toEqual(instants(some));
        for (const [index, one] of united.slice(1).entries()) {
          expect(one.startAtMs).toBeGreaterThan(united[index]?.endAtMs ?? 0);
        }
      }),
    );
  });

  it('lose exactly the instants that are subtracted', () => {
    fc.assert(
      fc.property(spans, spans, (some, removed) => {
        const left = instants(subtract(union(some), union(removed)));
        const expected = [...instants(some)].filter((at) => !instants(removed).has(at));
        expect([...left].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
      }),
    );
  });

  it('cover a span when one of them holds every instant of it', () => {
    fc.assert(
      fc.property(
        spans,
        fc.integer({ min: 0, max: 45 }),
        fc.integer({ min: 1, max: 8 }),
        (some, at, length) => {
          const inner = span(at, at + length);
          const all = instants(some);
          expect(covers(union(some), inner)).toBe(
            [...instants([inner])].every((one) => all.has(one)),
          );
        },
      ),
    );
  });
});
