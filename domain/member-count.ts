/**
 * How many members there were: at an instant, and summed over time. Pure and exact. Owns that arithmetic; who is a member
 * is domain/membership.ts, rounding is where a number is printed.
 */
import type { Membership } from './membership.js';
import type { Span } from './period.js';

/** Instants in order, with sums of all before each. */
class Edges {
  readonly #atMs: readonly number[];
  /** At i the sum of the first i instants; beyond 2^53 with a few thousand members. */
  readonly #sums: readonly bigint[];

  constructor(atMs: readonly number[]) {
    this.#atMs = atMs.toSorted((a, b) => a - b);
    const sums = [0n];
    let sum = 0n;
    for (const one of this.#atMs) sums.push((sum += BigInt(one)));
    this.#sums = sums;
  }

  /** Number of edges before the instant, exclusive. */
  countBefore(atMs: number): number {
    let [low, high] = [0, this.#atMs.length];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#atMs[middle] ?? 0) < atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Time since each edge before the instant, summed: ms. */
  elapsedMs(atMs: number): bigint {
    const count = this.countBefore(atMs);
    return BigInt(count) * BigInt(atMs) - (this.#sums[count] ?? 0n);
  }
}

/** Members of one space over time; a look costs the logarithm of their number. */
export class MemberCount {
  readonly #froms: Edges;
  readonly #tos: Edges;

  /** The memberships of one space; those of one user do not overlap. */
  constructor(memberships: readonly Pick<Membership, 'fromAtMs' | 'toAtMs'>[]) {
    this.#froms = new Edges(memberships.map(({ fromAtMs }) => fromAtMs));
    this.#tos = new Edges(memberships.flatMap(({ toAtMs }) => (toAtMs === null ? [] : [toAtMs])));
  }

  /** Members summed over the time of the span: member-ms. Divided by its length it is the average. */
  memberMs({ startAtMs, endAtMs }: Span): bigint {
    const until = (atMs: number): bigint => this.#froms.elapsedMs(atMs) - this.#tos.elapsedMs(atMs);
    return until(endAtMs) - until(startAtMs);
  }

  /**
   * Members at the end of a span that ends there (exclusive): who leaves at that very instant still is one, who joins
   * then is not yet. So are runs counted that end with a period.
   */
  membersAtEnd(endAtMs: number): number {
    return this.#froms.countBefore(endAtMs) - this.#tos.countBefore(endAtMs);
  }
}
