/**
 * Lists and checks of periods: what the ledger should hold and what it holds, at one instant. Owns reading them in
 * one snapshot and the limits; the judgement is domain/period-state.ts, printing client/commands/periods.ts.
 */
import { auditStanding, type AuditStanding } from '../db/audit-records.js';
import { openBackfills } from '../db/backfill-store.js';
import { readBooks } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import { currentFailures, readLedgerState } from '../db/ledger-store.js';
import { lockedPeriods } from '../db/period-lock.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import {
  GRANULARITIES,
  intersection,
  type Granularity,
  type Period,
  type Span,
} from '../domain/period.js';
import {
  PeriodJudge,
  SOURCE_STATE,
  type JudgedPeriod,
  type PeriodState,
} from '../domain/period-state.js';
import { periodKey } from '../domain/plan.js';
import { LOOK_BACK } from '../domain/reach.js';
import { nextTickAtMs, tickOf } from '../domain/tick.js';

/** Periods that a list names at most. */
const MAX_LISTED = 10_000;

/** One period of a list, or several consecutive ones of a check in the same state for reasons of one kind. */
export interface ListedPeriod extends Period {
  readonly state: PeriodState;
  readonly sourceState: (typeof SOURCE_STATE)[PeriodState];
  readonly because: string;
  /** `by itself`, `by backfill NAME`, a command to type, or empty. */
  readonly mend: string;
  /** When the schedules look at it next, for what is mended by itself; null: no instant is known. */
  readonly mendAtMs: number | null;
  /** How many periods; the label is the first one's. */
  readonly periods: number;
  readonly lastLabel: string;
}

export interface PeriodView {
  /** The instant of the view: database clock, ms. */
  readonly asOfMs: number;
  /** Null: the books have not begun, and no period is expected. */
  readonly originAtMs: number | null;
  readonly periods: readonly ListedPeriod[];
}

export interface PeriodCheck extends PeriodView {
  /** What recomputing found, by command or schedule. */
  readonly audits: AuditStanding;
  /** How many periods of each granularity were judged. */
  readonly checked: Readonly<Record<Granularity, number>>;
}

/** An absent edge is open. */
export type RangeAt = (nowMs: number) => Partial<Span>;

export interface PeriodSettings {
  readonly graceMs: number;
  readonly catchUpMs: number;
}

export interface ListRequest {
  readonly granularities: readonly Granularity[];
  readonly rangeAt: RangeAt;
  /** Null: all. */
  readonly state: PeriodState | null;
}

/**
 * The expected periods and those in the ledger, finer ones first, in time order: those that touch the range.
 * Without a range the last 24 hours, 5 days, 2 weeks and 1 month that are over, and the present ones.
 * RANGE_TOO_LARGE above 10,000 periods, and the errors of `rangeAt`.
 */
export async function listPeriods(
  database: Database,
  calendar: Calendar,
  settings: PeriodSettings,
  request: ListRequest,
): Promise<PeriodView> {
  const view = await readJudge(database, calendar, settings);
  const { judge, nowMs, originAtMs } = view;
  const range = request.rangeAt(nowMs);
  const isOpenRange = range.startAtMs === undefined && range.endAtMs === undefined;
  const periods: ListedPeriod[] = [];
  for (const granularity of request.granularities) {
    const span = isOpenRange ? lookBack(calendar, granularity, nowMs) : closed(range, nowMs);
    for (const known of overlaps(judge.known(granularity), span)) {
      for (const period of calendar.periodsTouching(granularity, known)) {
        const judged = judge.judge(period);
        if (request.state !== null && judged.state !== request.state) continue;
        periods.push(listed({ first: judged, last: judged, count: 1 }, view));
        if (periods.length > MAX_LISTED) throw tooMany();
      }
    }
  }
  return { asOfMs: nowMs, originAtMs, periods };
}

/**
 * Judges the known periods that lie wholly in the range (default: all) and are due. `periods` are the findings:
 * missing, stale, failed, or being built for one of these reasons; consecutive ones alike are one entry, with the reason
 * of the first.
 */
export async function checkPeriods(
  database: Database,
  calendar: Calendar,
  settings: PeriodSettings,
  rangeAt: RangeAt,
): Promise<PeriodCheck> {
  const view = await readJudge(database, calendar, settings);
  const { judge, nowMs, originAtMs } = view;
  const range = closed(rangeAt(nowMs), nowMs);
  const checked: Record<Granularity, number> = { hour: 0, day: 0, week: 0, month: 0 };
  const periods: ListedPeriod[] = [];
  for (const granularity of GRANULARITIES) {
    const runs: Run[] = [];
    for (const known of overlaps(judge.known(granularity), range)) {
      for (const period of calendar.periodsWithin(granularity, known)) {
        const judged = judge.judge(period);
        if (judged.state === 'provisional') continue;
        checked[granularity] += 1;
        if (!judged.isFinding) continue;
        const run = runs.at(-1);
        if (run !== undefined && continues(run.last, judged)) {
          run.last = judged;
          run.count += 1;
        } else runs.push({ first: judged, last: judged, count: 1 });
      }
    }
    periods.push(...runs.map((run) => listed(run, view)));
  }
  return { asOfMs: nowMs, originAtMs, checked, periods, audits: await auditStanding(database) };
}

/** Consecutive periods that are listed as one. */
interface Run {
  readonly first: JudgedPeriod;
  last: JudgedPeriod;
  count: number;
}

interface JudgedView {
  readonly judge: PeriodJudge;
  readonly nowMs: number;
  readonly originAtMs: number | null;
  readonly calendar: Calendar;
  readonly graceMs: number;
}

async function readJudge(
  database: Database,
  calendar: Calendar,
  { graceMs, catchUpMs }: PeriodSettings,
): Promise<JudgedView> {
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const state = await readLedgerState(session);
    const originAtMs = (await readBooks(session))?.originAtMs ?? null;
    const failures = (await currentFailures(session)).map(
      (failure) =>
        [
          periodKey(failure),
          `${failure.code} at ${calendar.localText(failure.atMs)}: ${failure.detail}`,
        ] as const,
    );
    const judge = new PeriodJudge({
      state,
      calendar,
      originAtMs,
      graceMs,
      catchUpMs,
      leftOut: await openBackfills(session),
      failures: new Map(failures),
      locked: new Set((await lockedPeriods(session)).map(periodKey)),
    });
    return { judge, nowMs: state.nowMs, originAtMs, calendar, graceMs };
  });
}

/** What is looked back at by default, and the present period. */
function lookBack(calendar: Calendar, granularity: Granularity, nowMs: number): Span {
  const present = calendar.periodAt(granularity, nowMs);
  let { startAtMs } = present;
  for (let n = 0; n < LOOK_BACK[granularity]; n += 1) {
    startAtMs = calendar.startOf(granularity, startAtMs - 1);
  }
  return { startAtMs, endAtMs: present.endAtMs };
}

function closed(range: Partial<Span>, nowMs: number): Span {
  return { startAtMs: range.startAtMs ?? Number.MIN_SAFE_INTEGER, endAtMs: range.endAtMs ?? nowMs };
}

function overlaps(spans: readonly Span[], span: Span): Span[] {
  return spans.flatMap((one) => intersection(one, span) ?? []);
}

function continues(last: JudgedPeriod, next: JudgedPeriod): boolean {
  return (
    last.endAtMs === next.startAtMs &&
    last.state === next.state &&
    kindOf(last.because) === kindOf(next.because) &&
    last.mend === next.mend
  );
}

/** What reasons have in common that name different periods. */
function kindOf(because: string): string {
  return because.replace(/\b\d{4}-[\w:.+-]+/g, '...');
}

/** The command begins no earlier than the books: a backfill from before the origin would move it. */
function listed(
  { first, last, count }: Run,
  { calendar, originAtMs, nowMs, graceMs }: JudgedView,
): ListedPeriod {
  const { granularity, startAtMs, label, state, openBackfill } = first;
  const { endAtMs } = last;
  const because = first.because === last.because ? first.because : `${first.because}; and alike`;
  const isAtOrigin = originAtMs !== null && startAtMs < originAtMs && originAtMs < endAtMs;
  const start = calendar.localText(isAtOrigin ? originAtMs : startAtMs);
  const end = calendar.localText(endAtMs);
  const command = `jobhours backfill create --start ${start} --end ${end}`;
  const mend = {
    '': '',
    'by itself': 'by itself',
    'open backfill':
      openBackfill?.pausedAtMs === null
        ? `by backfill ${openBackfill.name}`
        : `jobhours backfill unpause ${openBackfill?.name ?? ''}`,
    backfill: `${command} --wait`,
    'backfill all': `${command} --reprocess all --wait`,
  }[first.mend];
  const mendAtMs =
    first.mend === 'by itself'
      ? nextTickAtMs(tickOf(calendar, granularity, graceMs, nowMs), nowMs)
      : null;
  const sourceState = SOURCE_STATE[state];
  return {
    ...{ granularity, startAtMs, endAtMs, label, lastLabel: last.label },
    ...{ state, sourceState, because, mend, mendAtMs, periods: count },
  };
}

function tooMany(): JobhoursError {
  return new JobhoursError(
    'RANGE_TOO_LARGE',
    `the list has more than ${MAX_LISTED} periods: narrow it by --start and --end, --granularity or --state`,
    { limit: MAX_LISTED },
  );
}
