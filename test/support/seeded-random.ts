/** Seeded choices: the same seed makes the same choices. What is chosen is the caller's. */
import { randomOf } from '../../domain/random.js';

export interface SeededRandom {
  /** In [0, 1). */
  next(): number;
  /** An integer in [from, to], both inclusive. */
  integer(from: number, to: number): number;
  chance(probability: number): boolean;
  /** One of the items, which are not empty. */
  pick<T>(items: readonly T[]): T;
}

export function seededRandom(seed: number): SeededRandom {
  const next = randomOf(seed);
  const integer = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1));
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => {
      const picked = items[integer(0, items.length - 1)];
      if (picked === undefined) throw new RangeError('nothing to pick from');
      return picked;
    },
  };
}

/** `count` of the items at most, each once. */
export function sample<T>(items: readonly T[], count: number, seed: number): T[] {
  const random = seededRandom(seed);
  const left = [...items];
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) {
    picked.push(...left.splice(random.integer(0, left.length - 1), 1));
  }
  return picked;
}
