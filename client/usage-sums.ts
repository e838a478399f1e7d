/** Exact sums and differences of amounts. Owns how amounts add up over groups and over time; never rounds. */
import type { Amounts } from '../db/usage-store.js';

export const NO_USAGE: Amounts = {
  runMs: 0n,
  milliGpuMs: 0n,
  runsStarted: 0n,
  runsEnded: 0n,
  runsCarriedIn: 0n,
};

/**
 * `sum` and `more` together. What a span carries in is what its beginning carries in: `atStart` says whether `more`
 * begins where the sum does, as other groups of one period do and later periods do not.
 */
export function plus(sum: Amounts, more: Amounts, atStart: boolean): Amounts {
  return {
    runMs: sum.runMs + more.runMs,
    milliGpuMs: sum.milliGpuMs + more.milliGpuMs,
    runsStarted: sum.runsStarted + more.runsStarted,
    runsEnded: sum.runsEnded + more.runsEnded,
    runsCarriedIn: atStart ? sum.runsCarriedIn + more.runsCarriedIn : sum.runsCarriedIn,
  };
}

/** `a` less `b`, in every amount. */
export function minus(a: Amounts, b: Amounts): Amounts {
  return {
    runMs: a.runMs - b.runMs,
    milliGpuMs: a.milliGpuMs - b.milliGpuMs,
    runsStarted: a.runsStarted - b.runsStarted,
    runsEnded: a.runsEnded - b.runsEnded,
    runsCarriedIn: a.runsCarriedIn - b.runsCarriedIn,
  };
}

/** True when an amount is not 0. */
export function isSomething(amounts: Amounts): boolean {
  const { runMs, milliGpuMs, runsStarted, runsEnded, runsCarriedIn } = amounts;
  return [runMs, milliGpuMs, runsStarted, runsEnded, runsCarriedIn].some((amount) => amount !== 0n);
}
