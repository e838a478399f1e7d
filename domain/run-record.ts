/**
 * What becomes of one record of a source: exactly one outcome (G7). Owns the outcomes and the rules that hold for
 * every format: order, future, minimum countable duration. Fields of one format are read by its own file
 * (domain/sacct-record.ts, domain/feed-record.ts); keys that several records share are the import's.
 */
import { isJobhoursError, JobhoursError, type ErrorCode } from './errors.js';
import { instantText, MS_PER_MINUTE } from './units.js';

/** A record that counts: one run, as the books keep it (DESIGN section 5). */
export interface RunRecord {
  readonly source: string;
  /** Unique in its source. */
  readonly key: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly user: string;
  readonly space: string;
  readonly pool: string;
  readonly milliGpus: number;
  readonly startedAtMs: number;
  /** The counted end, exclusive: at least the minimum after the start; null while running. */
  readonly endedAtMs: number | null;
  /** The end that the source reported; null while running and when the end is estimated. */
  readonly reportedEndedAtMs: number | null;
  /** True when the end was given for records that have none (`--missing-end INSTANT`). */
  readonly endIsEstimated: boolean;
  /** What else the source said, word for word. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Why a well-formed record is not a run. */
export type SetAsideRule = 'STEP' | 'NEVER_STARTED';

export type Outcome =
  | { readonly kind: 'run'; readonly run: RunRecord }
  | { readonly kind: 'set-aside'; readonly rule: SetAsideRule }
  | { readonly kind: 'rejected'; readonly code: ErrorCode; readonly detail: string };

/** One record of an input: where it stands, what it says, what becomes of it. */
export interface JudgedRecord {
  /** The line on which it begins, from 1. */
  readonly line: number;
  /** What it says, cut when long. */
  readonly text: string;
  readonly outcome: Outcome;
}

/** Rules that hold for every format. */
export interface RecordRules {
  /** The database server's clock. */
  readonly nowMs: number;
  /** A finished run counts for at least this long, in ms. */
  readonly minimumRunMs: number;
  /** Zone of times that have no offset; null = none was given. */
  readonly zone: string | null;
}

/** A run whose end has not been judged yet: `end` as reported, or estimated, or null while running. */
export interface RunDraft extends Omit<
  RunRecord,
  'endedAtMs' | 'reportedEndedAtMs' | 'endIsEstimated'
> {
  readonly end: { readonly atMs: number; readonly isEstimated: boolean } | null;
}

/** Clocks of a cluster and of the database may differ by this much. */
const FUTURE_TOLERANCE_MS = 5 * MS_PER_MINUTE;

/** TIME_FUTURE when an instant lies more than 5 minutes after the database's clock. */
export function refuseFuture(field: string, atMs: number, nowMs: number): void {
  if (atMs <= nowMs + FUTURE_TOLERANCE_MS) return;
  throw new JobhoursError(
    'TIME_FUTURE',
    `${field} ${instantText(atMs)}: more than 5 minutes in the future; the database clock says ${instantText(nowMs)}`,
  );
}

/**
 * The run of a draft. A finished run counts for at least the minimum, once, as a whole; its reported end is kept.
 * TIME_FUTURE; TIME_ORDER when the end lies before the start.
 */
export function runOf(draft: RunDraft, rules: RecordRules): RunRecord {
  const { end, ...rest } = draft;
  refuseFuture('start', draft.startedAtMs, rules.nowMs);
  if (end === null) {
    return { ...rest, endedAtMs: null, reportedEndedAtMs: null, endIsEstimated: false };
  }
  refuseFuture('end', end.atMs, rules.nowMs);
  if (end.atMs < draft.startedAtMs) {
    throw new JobhoursError(
      'TIME_ORDER',
      `end ${instantText(end.atMs)} lies before start ${instantText(draft.startedAtMs)}`,
    );
  }
  return {
    ...rest,
    endedAtMs: Math.max(end.atMs, draft.startedAtMs + rules.minimumRunMs),
    reportedEndedAtMs: end.isEstimated ? null : end.atMs,
    endIsEstimated: end.isEstimated,
  };
}

/** The outcome that `judge` gives; a refusal of bad input becomes a rejected record, a defect stays an error. */
export function outcomeOf(judge: () => RunRecord | SetAsideRule): Outcome {
  try {
    const judged = judge();
    return typeof judged === 'string'
      ? { kind: 'set-aside', rule: judged }
      : { kind: 'run', run: judged };
  } catch (error) {
    if (!isJobhoursError(error) || error.code === 'UNEXPECTED') throw error;
    return { kind: 'rejected', code: error.code, detail: error.message };
  }
}
