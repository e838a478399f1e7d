/**
 * The planner: which periods are to be built now, in which order, and why others are not. Pure, and equal for
 * equal input. Owns the rules of DESIGN section 7 (ledger.md P1, P2 and A5); how far back is domain/reach.ts,
 * what is stale comes from the ledger, building is the activities'.
 */
import type { Calendar } from './calendar.js';
import { STALE_BECAUSE, type StalePeriod } from './ledger.js';
import {
  contains,
  GRANULARITIES,
  intersection,
  PART_OF,
  type Granularity,
  type Period,
  type PeriodKey,
  type Span,
} from './period.js';
import {
  compareGranularity,
  dueEndAtMs,
  expectedSpan,
  reachStartAtMs,
  widen,
  type Moment,
} from './reach.js';
import { subtract } from './spans.js';

export interface PlanInput {
  readonly nowMs: number;
  /** A period is due this long after its end. */
  readonly graceMs: number;
  /** How far back missing periods are mended by themselves. */
  readonly catchUpMs: number;
  readonly calendar: Calendar;
  /** Null: the books have not begun, nothing is expected. */
  readonly originAtMs: number | null;
  /** Periods in the ledger, stale ones too, consecutive ones merged, in time order. */
  readonly ledger: Readonly<Record<Granularity, readonly Span[]>>;
  readonly stale: readonly StalePeriod[];
  /** Periods up to this granularity are planned. */
  readonly coarsest: Granularity;
  /** Ranges of open backfills: what touches them is theirs. */
  readonly leftOut: readonly Span[];
  /** Keys (`periodKey`) that failed or made no progress in this pass: left until the next tick. */
  readonly failed: ReadonlySet<string>;
}

export interface PlannedPeriod extends Period {
  readonly reason: 'missing' | 'stale';
  /** Why it is to be built, in words for people. */
  readonly because: string;
  /** Equal as long as its inputs are: planned thrice with one fingerprint, it made no progress. */
  readonly fingerprint: string;
}

export interface BlockedPeriod {
  readonly period: Period;
  /** The part that blocks it and why, in words for people. */
  readonly because: string;
}

/** Consecutive missing periods that are not mended by themselves. */
export interface MissingSpan {
  readonly granularity: Granularity;
  readonly span: Span;
  /** How many periods of that granularity. */
  readonly periods: number;
}

export interface Plan {
  /**
   * Parts before the periods made of them: the newest due hour, then by end, finer before coarser. Built in
   * this order, no period ever needs a part that is missing or stale.
   */
  readonly build: readonly PlannedPeriod[];
  /** Missing or stale, but a part of them cannot be built now. */
  readonly blocked: readonly BlockedPeriod[];
  /** Missing for good until a backfill; what any tick would mend is not listed. */
  readonly beyondReach: readonly MissingSpan[];
}

/** The key of a period: its granularity and its start. */
export function periodKey(period: PeriodKey): string {
  return `${period.granularity}/${period.startAtMs}`;
}

/** What is to be built now. See `Plan`; an origin of null gives an empty plan. */
export function plan(input: PlanInput): Plan {
  const { originAtMs, coarsest } = input;
  if (originAtMs === null) return { build: [], blocked: [], beyondReach: [] };
  const pass: Pass = {
    ...input,
    originAtMs,
    leftOut: input.leftOut
      .filter((span) => span.startAtMs < span.endAtMs)
      .sort((a, b) => a.startAtMs - b.startAtMs),
  };
  const levels = new Map<Granularity, Level>();
  for (const granularity of GRANULARITIES) {
    if (compareGranularity(granularity, coarsest) > 0) break;
    const part = PART_OF[granularity];
    const obstacles = part === null ? [] : (levels.get(part)?.obstacles ?? []);
    levels.set(granularity, planLevel(pass, granularity, obstacles));
  }
  const all = [...levels.values()];
  return {
    build: ordered(
      all.flatMap((level) => level.build),
      dueEndAtMs(pass, 'hour'),
    ),
    blocked: all.flatMap((level) => level.blocked),
    beyondReach: all.flatMap((level) => level.beyondReach),
  };
}

type Pass = PlanInput & Moment;

/** Periods of one granularity that are missing or stale when this plan's entries are built. */
interface Obstacle {
  readonly span: Span;
  readonly granularity: Granularity;
  readonly why: string;
}

interface Level extends Plan {
  readonly obstacles: readonly Obstacle[];
}

/** One granularity's share of the plan; `partObstacles` are those of its parts. */
function planLevel(
  pass: Pass,
  granularity: Granularity,
  partObstacles: readonly Obstacle[],
): Level {
  const build: PlannedPeriod[] = [];
  const blocked: BlockedPeriod[] = [];
  const { near, beyond } = missing(pass, granularity);
  const obstacles: Obstacle[] = beyond.map((span) => ({
    span,
    granularity,
    why: 'is missing and beyond the catch-up',
  }));
  for (const period of [...stale(pass, granularity), ...near]) {
    const hindrance = hindranceOf(pass, period, partObstacles);
    if (hindrance.kind === 'none') build.push(period);
    if (hindrance.kind === 'blocked') {
      const { startAtMs, endAtMs, label } = period;
      blocked.push({
        period: { granularity, startAtMs, endAtMs, label },
        because: hindrance.because,
      });
      obstacles.push({ span: period, granularity, why: `is blocked: ${hindrance.because}` });
    }
    if (hindrance.kind === 'failed') {
      obstacles.push({ span: period, granularity, why: 'failed in this pass' });
    }
  }
  return { build, blocked, obstacles, beyondReach: reported(pass, granularity) };
}

/** Missing periods within reach, and what the missing ones beyond it cover. */
function missing(
  pass: Pass,
  granularity: Granularity,
): { near: PlannedPeriod[]; beyond: readonly Span[] } {
  const gaps = gapsOf(pass, granularity);
  const reachAtMs = reachStartAtMs(pass, granularity, pass.coarsest);
  const near: PlannedPeriod[] = [];
  for (const gap of gaps) {
    const within = { startAtMs: Math.max(gap.startAtMs, reachAtMs), endAtMs: gap.endAtMs };
    for (const period of pass.calendar.periodsTouching(granularity, within)) {
      // Only after a change of the zone's data, when old rows of the ledger end inside periods.
      if (period.startAtMs === near.at(-1)?.startAtMs) continue;
      const because = 'it is not in the ledger';
      near.push({ ...period, reason: 'missing', because, fingerprint: 'missing' });
    }
  }
  return { near, beyond: before(gaps, reachAtMs) };
}

/** Stale periods that are due, wherever they lie: the ledger's rows may be older than the origin (P1). */
function stale(pass: Pass, granularity: Granularity): PlannedPeriod[] {
  return pass.stale
    .filter((one) => one.granularity === granularity && one.endAtMs <= pass.nowMs - pass.graceMs)
    .map(({ startAtMs, endAtMs, label, reason, fingerprint }) => ({
      granularity,
      startAtMs,
      endAtMs,
      label,
      reason: 'stale',
      because: STALE_BECAUSE[reason],
      fingerprint,
    }));
}

type Hindrance =
  | { readonly kind: 'none' | 'failed' | 'left out' }
  | { readonly kind: 'blocked'; readonly because: string };

function hindranceOf(pass: Pass, period: Period, partObstacles: readonly Obstacle[]): Hindrance {
  const part = PART_OF[period.granularity];
  const leftOut = pass.leftOut.find((span) => intersection(span, period) !== null);
  if (leftOut !== undefined && (part === null || contains(leftOut, period))) {
    return { kind: 'left out' };
  }
  if (pass.failed.has(periodKey(period))) return { kind: 'failed' };
  const obstacle: Obstacle | undefined =
    leftOut !== undefined && part !== null
      ? { span: leftOut, granularity: part, why: 'is left to an open backfill' }
      : partObstacles.find(({ span }) => intersection(span, period) !== null);
  if (obstacle === undefined) return { kind: 'none' };
  const atMs = Math.max(obstacle.span.startAtMs, period.startAtMs);
  const { label } = pass.calendar.periodAt(obstacle.granularity, atMs);
  return { kind: 'blocked', because: `${obstacle.granularity} ${label} ${obstacle.why}` };
}

/** What is missing for good: beyond the reach of every tick, and in no open backfill. */
function reported(pass: Pass, granularity: Granularity): MissingSpan[] {
  const { calendar } = pass;
  const reachAtMs = reachStartAtMs(pass, granularity, 'month');
  const others = pass.leftOut.map((span) => widen(calendar, granularity, span));
  return subtract(before(gapsOf(pass, granularity), reachAtMs), others).map((span) => {
    let periods = 0;
    for (const _ of calendar.periodsTouching(granularity, span)) periods += 1;
    return { granularity, span, periods };
  });
}

/** Expected and due, but not in the ledger. */
function gapsOf(pass: Pass, granularity: Granularity): Span[] {
  const expected = expectedSpan(pass, granularity);
  return expected === null ? [] : subtract([expected], pass.ledger[granularity]);
}

function before(spans: readonly Span[], atMs: number): Span[] {
  return spans
    .filter((span) => span.startAtMs < atMs)
    .map((span) => ({ startAtMs: span.startAtMs, endAtMs: Math.min(span.endAtMs, atMs) }));
}

/**
 * By end, finer before coarser: a part never ends after what it is part of, and is finer. The newest due hour
 * goes first, because that is what people look at while an outage is being mended.
 */
function ordered(periods: readonly PlannedPeriod[], newestEndAtMs: number): PlannedPeriod[] {
  const isNewest = (period: Period): boolean =>
    period.granularity === 'hour' && period.endAtMs === newestEndAtMs;
  return [...periods].sort(
    (a, b) =>
      Number(isNewest(b)) - Number(isNewest(a)) ||
      a.endAtMs - b.endAtMs ||
      compareGranularity(a.granularity, b.granularity),
  );
}
