/**
 * What an audit of the books finds, in words, and what mends it. Pure. Which periods are judged is
 * domain/audit-plan.ts, comparing them db/period-audit.ts.
 */
import { isPeriod } from './audit-plan.js';
import type { Calendar } from './calendar.js';
import {
  GRANULARITIES,
  intersection,
  type Granularity,
  type Period,
  type PeriodKey,
  type Span,
} from './period.js';
import { union } from './spans.js';
import { EARLIEST_AT_MS, LATEST_AT_MS } from './units.js';
import type { BooksInput } from './workflow-input.js';

/** Code of a finding -> what is wrong (invariants I2, I13, I15 of the books). */
export const AUDIT_MEANING = {
  NOT_A_PERIOD: 'a row of the ledger is no period of the calendar',
  IN_THE_FUTURE: 'a row of the ledger ends after now',
  DIRTY_ROWS: 'rows that no row of the ledger vouches for',
  ROW_DIFFERS: 'a row holds another value than the runs give',
  ROW_MISSING: 'the runs give usage of which there is no row',
  ROW_SURPLUS: 'a row for which there is no run',
  ROW_COUNT_DIFFERS: 'the ledger counts other rows than there are',
  DIGEST_DIFFERS: 'the digest in the ledger is not that of the rows',
  CARRY_DIGEST_DIFFERS: 'the digest of what the hour carries on is not that of its rows',
} as const;
export type AuditCode = keyof typeof AUDIT_MEANING;

/** One difference. `label` is text for people; a row that is no period is named by its start. */
export interface AuditDifference extends Period {
  readonly code: AuditCode;
  /** Whose row; null when it is not one user's, or when the row names nobody. */
  readonly user: string | null;
  readonly space: string | null;
  readonly pool: string | null;
  readonly column: string | null;
  /** Exact values in decimal or hex; null: there is none. */
  readonly stored: string | null;
  readonly recomputed: string | null;
  /** How many rows of the period differ; only the first ones are told. */
  readonly rows: number;
}

export interface AuditFinding extends AuditDifference {
  /** The command that mends it. */
  readonly mend: string;
}

/** What an audit did. */
export interface AuditReport {
  /** The instant as of which periods were chosen: database clock, ms. */
  readonly asOfMs: number;
  /** How many periods of each granularity were recomputed and compared. */
  readonly checked: Readonly<Record<Granularity, number>>;
  /** Missing, stale or provisional ones, and those that changed during the audit: readers compute them from the runs. */
  readonly notJudged: Readonly<Record<Granularity, number>>;
  /** How many of those are in the ledger: damage may hide there until they are built again. */
  readonly staleNotJudged: number;
  /** Null: every period. Else the number for each granularity, and the seed that drew them. */
  readonly sample: number | null;
  readonly seed: number;
  /** Periods with a finding. */
  readonly periodsWrong: number;
  /** In the order hour, day, week, month, then time. */
  readonly findings: readonly AuditFinding[];
}

/**
 * Periods of each granularity in the daily audit: months and weeks of the usual books nearly all, and of their days
 * and hours, damaged in one of a hundred, a fifth found every day. Its chunks are about 30, each one reading of the runs.
 */
export const SCHEDULED_SAMPLE = 25;

/** Input of `usageAudit`. */
export interface AuditInput extends BooksInput {
  /** Periods of each granularity at most. */
  readonly sample: number;
}

/** `hour 2026-01-31T15:00+08:00 ROW_DIFFERS run_ms of jay/-/a100: stored 1, recomputed 2`. */
export function findingText(finding: AuditDifference): string {
  const { granularity, label, code, column, user, space, pool, stored, recomputed } = finding;
  const whose = user === null ? '' : ` of ${user}/${space ?? '?'}/${pool ?? '?'}`;
  const what = column === null ? '' : ` ${column}${whose}`;
  const values = [
    ...(stored === null ? [] : [`stored ${stored}`]),
    ...(recomputed === null ? [] : [`recomputed ${recomputed}`]),
  ].join(', ');
  return `${granularity} ${label} ${code}${what}${values === '' ? '' : `: ${values}`}`;
}

/** How many different periods the differences are in. */
export function periodsIn(differences: readonly PeriodKey[]): number {
  return new Set(differences.map(({ granularity, startAtMs }) => `${granularity}/${startAtMs}`))
    .size;
}

export interface MendInput {
  readonly differences: readonly AuditDifference[];
  readonly calendar: Calendar;
  /** Null: the books have not begun. */
  readonly originAtMs: number | null;
  readonly nowMs: number;
}

/**
 * The differences with their commands, ordered. What a build replaces is mended by a backfill; consecutive and nested
 * periods share one, because an hour begins with what the hour before it carries on. A backfill builds periods of the
 * calendar only: anything else is removed by `periods clean`, and so are rows under a ledger row that is no period,
 * since two periods cannot have one end.
 */
export function withMends(input: MendInput): AuditFinding[] {
  const { differences, calendar } = input;
  const strays = differences.filter((one) => isStrayCode(one.code));
  const isBuilt = (one: AuditDifference): boolean =>
    !isStrayCode(one.code) &&
    isExpected(one, input) &&
    !strays.some((stray) => stray.granularity === one.granularity && touches(stray, one));
  const ranges = union(differences.filter(isBuilt).map((one) => fromOrigin(one, input)));
  const edges = ({ startAtMs, endAtMs }: Span): string =>
    // Outside of the time line there is no text for an instant: without a range everything is cleaned.
    startAtMs < EARLIEST_AT_MS || endAtMs > LATEST_AT_MS
      ? ''
      : ` --start ${calendar.localText(startAtMs)} --end ${calendar.localText(endAtMs)}`;
  return [...differences].sort(byPeriod).map((one) => {
    const range = isBuilt(one) ? ranges.find((span) => touches(span, one)) : undefined;
    const mend =
      range === undefined
        ? `jobhours periods clean${edges(one)}`
        : `jobhours backfill create${edges(range)} --reprocess all --wait`;
    return { ...one, mend };
  });
}

function isStrayCode(code: AuditCode): boolean {
  return code === 'NOT_A_PERIOD' || code === 'IN_THE_FUTURE';
}

/** A backfill builds what is over and ends after the origin. */
function isExpected(one: Period, { calendar, originAtMs, nowMs }: MendInput): boolean {
  const isKept = originAtMs !== null && one.endAtMs > originAtMs;
  return isKept && one.endAtMs <= nowMs && isPeriod(calendar, one);
}

/** A backfill from before the origin would move it. */
function fromOrigin({ startAtMs, endAtMs }: Span, { originAtMs }: MendInput): Span {
  return { startAtMs: Math.max(startAtMs, originAtMs ?? startAtMs), endAtMs };
}

function touches(a: Span, b: Span): boolean {
  return intersection(a, b) !== null;
}

function byPeriod(a: PeriodKey, b: PeriodKey): number {
  const rank = (one: PeriodKey): number => GRANULARITIES.indexOf(one.granularity);
  return rank(a) - rank(b) || a.startAtMs - b.startAtMs;
}
