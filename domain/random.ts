/** Random numbers that a seed decides, so that what was drawn can be drawn again. Not for secrets. */

/** A stream of numbers in [0, 1). */
export type Random = () => number;

/** The stream of a seed (mulberry32 by Tommy Ettinger, public domain): the seed counts modulo 2^32. */
export function randomOf(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
