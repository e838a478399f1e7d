/**
 * How a report is cut: into rows (periods clipped to the window), and each row into pieces that come from the
 * ledger or are computed from the runs (DESIGN section 6). Pure. Owns the cutting; reading the pieces and adding
 * them up is client/usage-report.ts.
 */
import type { Calendar } from './calendar.js';
import { GRANULARITIES, intersection, type Granularity, type Period, type Span } from './period.js';

/** One row per period of that granularity; `none`: one row for the whole window. */
export type Step = 'none' | Granularity;
export const STEPS = ['none', ...GRANULARITIES] as const satisfies readonly Step[];

/** The span of one output row: a calendar period clipped to the window. */
export interface ReportRow extends Span {
  /** Label of the period; of the whole window the label of the period that it is, or empty. */
  readonly label: string;
  /** True when what the row stands for was not over yet at the report's instant. */
  readonly isOpen: boolean;
}

/** Whole consecutive periods of the ledger. */
export interface LedgerPiece extends Span {
  readonly kind: 'ledger';
  readonly granularity: Granularity;
}

/** A stretch that is computed from the runs, any edges. */
export interface ComputedPiece extends Span {
  readonly kind: 'computed';
  /** The start of the hour that the stretch begins in: a whole minute, where a formula may begin. */
  readonly hourStartAtMs: number;
  /** True when the hour that ends at `hourStartAtMs` is good, so that what it carries out may be taken. */
  readonly isAfterGoodHour: boolean;
}

export type Piece = LedgerPiece | ComputedPiece;

/** Spans of good periods by granularity, each in time order and without overlaps (domain/ledger.ts). */
export type GoodSpans = Readonly<Record<Granularity, readonly Span[]>>;

/**
 * The rows of a window in time order; the window is cut at `nowMs` already (its end is at most that).
 */
export function* reportRows(
  step: Step,
  window: Span,
  calendar: Calendar,
  nowMs: number,
): Generator<ReportRow> {
  if (step === 'none') {
    const label = labelOfWindow(window, calendar, nowMs);
    yield { ...window, label, isOpen: window.endAtMs >= nowMs };
    return;
  }
  for (const period of calendar.periodsTouching(step, window)) {
    const startAtMs = Math.max(period.startAtMs, window.startAtMs);
    const endAtMs = Math.min(period.endAtMs, window.endAtMs);
    const isOpen = period.endAtMs > nowMs && endAtMs >= nowMs;
    yield { startAtMs, endAtMs, label: period.label, isOpen };
  }
}

/** The coarsest period that the window is, whole or up to now. */
function labelOfWindow(window: Span, calendar: Calendar, nowMs: number): string {
  const isWindow = (period: Period): boolean =>
    period.startAtMs === window.startAtMs && Math.min(period.endAtMs, nowMs) === window.endAtMs;
  return (
    GRANULARITIES.toReversed()
      .map((granularity) => calendar.periodAt(granularity, window.startAtMs))
      .find(isWindow)?.label ?? ''
  );
}

/**
 * Tiles a row: whole good periods as coarse as fit, and computed stretches for the rest, in time order, without
 * gap or overlap. Computed stretches are cut where months begin: a formula over years of many GPUs would leave
 * the range of bigint. `step` is what the row is a period of, so that nothing coarser is looked for.
 */
export function tileRow(row: Span, step: Step, good: GoodSpans, calendar: Calendar): Piece[] {
  const coarsest = step === 'none' ? GRANULARITIES.length : GRANULARITIES.indexOf(step) + 1;
  return tile(row, GRANULARITIES.slice(0, coarsest).toReversed(), good, calendar);
}

function tile(
  span: Span,
  granularities: readonly Granularity[],
  good: GoodSpans,
  calendar: Calendar,
): Piece[] {
  const [granularity, ...finer] = granularities;
  if (granularity === undefined) return computedPieces(span, good.hour, calendar);
  const pieces: Piece[] = [];
  let fromMs = span.startAtMs;
  const fillUpTo = (endAtMs: number): void => {
    if (fromMs < endAtMs) {
      pieces.push(...tile({ startAtMs: fromMs, endAtMs }, finer, good, calendar));
    }
  };
  for (const common of overlapping(good[granularity], span)) {
    const whole = wholePeriods(granularity, common, calendar);
    if (whole === null) continue;
    fillUpTo(whole.startAtMs);
    pieces.push({ kind: 'ledger', granularity, ...whole });
    fromMs = whole.endAtMs;
  }
  fillUpTo(span.endAtMs);
  return pieces;
}

function computedPieces(
  span: Span,
  goodHours: readonly Span[],
  calendar: Calendar,
): ComputedPiece[] {
  const pieces: ComputedPiece[] = [];
  for (const month of calendar.periodsTouching('month', span)) {
    const startAtMs = Math.max(month.startAtMs, span.startAtMs);
    const endAtMs = Math.min(month.endAtMs, span.endAtMs);
    const hourStartAtMs = calendar.startOf('hour', startAtMs);
    const justBefore = { startAtMs: hourStartAtMs - 1, endAtMs: hourStartAtMs };
    const isAfterGoodHour = overlapping(goodHours, justBefore).next().done !== true;
    pieces.push({ kind: 'computed', startAtMs, endAtMs, hourStartAtMs, isAfterGoodHour });
  }
  return pieces;
}

/** The largest span of whole periods inside `span`, or null. */
function wholePeriods(granularity: Granularity, span: Span, calendar: Calendar): Span | null {
  const first = calendar.periodAt(granularity, span.startAtMs);
  const startAtMs = first.startAtMs < span.startAtMs ? first.endAtMs : first.startAtMs;
  const endAtMs = calendar.startOf(granularity, span.endAtMs);
  return startAtMs < endAtMs ? { startAtMs, endAtMs } : null;
}

/** What the spans (in time order, without overlaps) share with `span`, in time order. */
function* overlapping(spans: readonly Span[], span: Span): Generator<Span> {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((spans[middle]?.endAtMs ?? 0) <= span.startAtMs) low = middle + 1;
    else high = middle;
  }
  for (let i = low; i < spans.length; i += 1) {
    const one = spans[i];
    const common = one === undefined ? null : intersection(one, span);
    if (common === null) return;
    yield common;
  }
}
