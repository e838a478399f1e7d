/** Runs of every length, chosen by a seed. Owns how they are spread; storing them is runs.ts. */
import type { Span } from '../../domain/period.js';
import type { NewRun } from './runs.js';
import type { SeededRandom } from './seeded-random.js';

const DAY_MS = 86_400_000;

/** `count` runs that start in the span or up to three days before it; some are still running. */
export function randomRuns(random: SeededRandom, span: Span, count: number, key = 'r'): NewRun[] {
  return Array.from({ length: count }, (_, number) => {
    const startedAtMs = random.integer(span.startAtMs - 3 * DAY_MS, span.endAtMs - 1);
    // From 0 ms to 18 days, as many of each order of magnitude.
    const lengthMs = Math.floor(10 ** (random.next() * 9.2) - 1);
    return {
      key: `${key}${number}`,
      user: `user${number % 7}`,
      milliGpus: random.integer(0, 8_000),
      startedAtMs,
      endedAtMs: random.chance(0.02) ? null : startedAtMs + lengthMs,
    };
  });
}
