/**
 * Stretches of a report that are computed from the runs. Owns the carry from one stretch to the next and odd edges
 * (DESIGN section 6); the formula itself is the SQL function usage_between.
 */
import type { Session } from '../db/database.js';
import { computeUsage, type Amounts, type Carry, type ComputedUsage } from '../db/usage-store.js';
import type { Span } from '../domain/period.js';
import type { ComputedPiece } from '../domain/report-pieces.js';
import type { Groups } from './usage-groups.js';

/**
 * Computes stretches in time order. A stretch that begins where the one before it ended takes over what ran
 * then, so that adjacent stretches share one scan.
 */
export class Stretches {
  #last: { readonly endAtMs: number; readonly carry: Carry } | null = null;

  constructor(
    private readonly session: Session,
    private readonly groups: Groups,
  ) {}

  /** Amounts of the stretch by group, in no particular order. */
  async amountsOf(piece: ComputedPiece): Promise<{ groupNumber: number; amounts: Amounts }[]> {
    const { startAtMs, endAtMs, hourStartAtMs, isAfterGoodHour } = piece;
    const known = this.#last?.endAtMs === hourStartAtMs ? this.#last.carry : null;
    const fromHour = await this.compute(
      { startAtMs: hourStartAtMs, endAtMs },
      isAfterGoodHour,
      known,
    );
    this.#last = {
      endAtMs,
      carry: carryOf(fromHour, (one) => [one.runsOut, one.milliGpusOut]),
    };
    if (startAtMs === hourStartAtMs) return this.grouped(fromHour);
    const carriedIn = carryOf(fromHour, (one) => [one.runsCarriedIn, one.milliGpusCarriedIn]);
    const edge = { startAtMs: hourStartAtMs, endAtMs: startAtMs };
    return this.grouped(without(fromHour, await this.compute(edge, false, carriedIn)));
  }

  private async compute(
    span: Span,
    fromLedger: boolean,
    carry: Carry | null,
  ): Promise<ComputedUsage[]> {
    const usage = await computeUsage(this.session, span, fromLedger, carry);
    return usage.filter((one) => this.groups.groupOf.has(one.usageKey));
  }

  private grouped(
    usage: readonly (Amounts & { readonly usageKey: number })[],
  ): { groupNumber: number; amounts: Amounts }[] {
    return usage.map((one) => ({
      groupNumber: this.groups.groupOf.get(one.usageKey) ?? 0,
      amounts: one,
    }));
  }
}

function carryOf(
  usage: readonly ComputedUsage[],
  at: (one: ComputedUsage) => readonly [runs: bigint, milliGpus: bigint],
): Carry {
  const running = usage.filter((one) => at(one)[0] > 0n);
  return {
    keys: running.map((one) => one.usageKey),
    runs: running.map((one) => at(one)[0]),
    milliGpus: running.map((one) => at(one)[1]),
  };
}

/** Usage of `[h, b)` less that of `[h, a)`: that of `[a, b)`, which carries in what ran at a. */
function without(
  fromHour: readonly ComputedUsage[],
  early: readonly ComputedUsage[],
): (Amounts & { readonly usageKey: number })[] {
  const earlyByKey = new Map(early.map((one) => [one.usageKey, one]));
  return fromHour.map((whole) => {
    const part = earlyByKey.get(whole.usageKey);
    if (part === undefined) return whole;
    return {
      usageKey: whole.usageKey,
      runMs: whole.runMs - part.runMs,
      milliGpuMs: whole.milliGpuMs - part.milliGpuMs,
      runsStarted: whole.runsStarted - part.runsStarted,
      runsEnded: whole.runsEnded - part.runsEnded,
      runsCarriedIn: part.runsOut,
    };
  });
}
