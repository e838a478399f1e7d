/** A ledger in memory for tests of the planner: which periods it has, and which of them are stale. */
import { Calendar } from '../../domain/calendar.js';
import type { StalePeriod, StaleReason } from '../../domain/ledger.js';
import { GRANULARITIES, type Granularity, type Period, type Span } from '../../domain/period.js';
import { periodKey, type PlanInput } from '../../domain/plan.js';
import { MS_PER_DAY, MS_PER_MINUTE } from '../../domain/units.js';

export const GRACE_MS = 2 * MS_PER_MINUTE;

/** ISO text with offset -> instant. */
export const at = (text: string): number => Date.parse(text);

export interface PlannerSetting {
  readonly zone?: string;
  readonly originAtMs: number;
  readonly nowMs: number;
}

export class PlannerLedger {
  readonly calendar: Calendar;
  readonly originAtMs: number;
  readonly nowMs: number;
  readonly #periods = new Map<string, Period>();
  readonly #stale = new Map<string, StalePeriod>();

  /** An empty ledger. */
  constructor({ zone = 'UTC', originAtMs, nowMs }: PlannerSetting) {
    this.calendar = Calendar.of(zone);
    this.originAtMs = originAtMs;
    this.nowMs = nowMs;
  }

  /** A ledger in which every expected period that ends at or before `untilMs` stands, and is good. */
  static complete(setting: PlannerSetting, untilMs = setting.nowMs): PlannerLedger {
    const ledger = new PlannerLedger(setting);
    for (const period of ledger.expected()) if (period.endAtMs <= untilMs) ledger.add(period);
    return ledger;
  }

  /** Expected and due by the definition, walked period by period: the planner's oracle. */
  *expected(): Generator<Period> {
    const span = { startAtMs: this.originAtMs, endAtMs: this.nowMs };
    for (const granularity of GRANULARITIES) {
      for (const period of this.calendar.periodsTouching(granularity, span)) {
        if (period.endAtMs + GRACE_MS <= this.nowMs) yield period;
      }
    }
  }

  has(period: Period): boolean {
    return this.#periods.has(periodKey(period));
  }

  isStale(period: Period): boolean {
    return this.#stale.has(periodKey(period));
  }

  /** In the ledger and current afterwards. */
  add(period: Period): this {
    this.#periods.set(periodKey(period), period);
    this.#stale.delete(periodKey(period));
    return this;
  }

  /** Takes the rows of all periods of that granularity that touch the span out of the ledger. */
  remove(granularity: Granularity, span: Span): this {
    for (const period of this.calendar.periodsTouching(granularity, span)) {
      this.#periods.delete(periodKey(period));
      this.#stale.delete(periodKey(period));
    }
    return this;
  }

  /** Makes the period at an instant stale; it is put into the ledger when it is not there. */
  spoil(granularity: Granularity, atMs: number, reason: StaleReason = 'mark'): StalePeriod {
    const period = this.calendar.periodAt(granularity, atMs);
    const stale = { ...period, reason, fingerprint: `${reason} ${period.startAtMs}` };
    this.#periods.set(periodKey(period), period);
    this.#stale.set(periodKey(period), stale);
    return stale;
  }

  ranges(): Record<Granularity, Span[]> {
    const ranges: Record<Granularity, Span[]> = { hour: [], day: [], week: [], month: [] };
    const sorted = [...this.#periods.values()].sort((a, b) => a.startAtMs - b.startAtMs);
    for (const { granularity, startAtMs, endAtMs } of sorted) {
      const spans = ranges[granularity];
      const last = spans.at(-1);
      if (last?.endAtMs === startAtMs) spans.splice(-1, 1, { startAtMs: last.startAtMs, endAtMs });
      else spans.push({ startAtMs, endAtMs });
    }
    return ranges;
  }

  /** What the planner is given. */
  input(changes: Partial<PlanInput> = {}): PlanInput {
    return {
      nowMs: this.nowMs,
      graceMs: GRACE_MS,
      catchUpMs: 45 * MS_PER_DAY,
      calendar: this.calendar,
      originAtMs: this.originAtMs,
      ledger: this.ranges(),
      stale: [...this.#stale.values()].sort((a, b) => a.startAtMs - b.startAtMs),
      coarsest: 'month',
      leftOut: [],
      failed: new Set(),
      ...changes,
    };
  }
}
