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
export type SetAsideRule = 'STEP' | 'NEVER_STARTED' | 'PARTIAL';

/** What a person should know about a record that counts: a kind, and what the record says. */
export interface Remark {
  readonly kind: 'STATE_UNKNOWN' | 'GRES_UNKNOWN' | 'SUSPENDED' | 'ABOVE_MAX_PROCESSORS';
  readonly what: string;
}

export type Outcome =
  | { readonly kind: 'run'; readonly run: RunRecord; readonly remarks?: readonly Remark[] }
  | { readonly kind: 'set-aside'; readonly rule: SetAsideRule }
  | ({
      readonly kind: 'rejected';
      readonly code: ErrorCode;
      readonly detail: string;
    } & Partial<Place>);

/** Where a rejected record lies, as far as its times could be read. */
interface Place {
  readonly startedAtMs: number | null;
  readonly endedAtMs: number | null;
}

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
  const { end, startedAtMs } = draft;
  refuseFuture('start', startedAtMs, rules.nowMs);
  if (end === null) return ending(draft, null, null, false);
  refuseFuture('end', end.atMs, rules.nowMs);
  if (end.atMs < startedAtMs) {
    throw new JobhoursError(
      'TIME_ORDER',
      `end ${instantText(end.atMs)} lies before start ${instantText(startedAtMs)}`,
    );
  }
  const endedAtMs = Math.max(end.atMs, startedAtMs + rules.minimumRunMs);
  return ending(draft, endedAtMs, end.isEstimated ? null : end.atMs, end.isEstimated);
}

/** Field by field: spreading a draft took a fifth of the time of reading a record. */
function ending(
  draft: RunDraft,
  endedAtMs: number | null,
  reportedEndedAtMs: number | null,
  endIsEstimated: boolean,
): RunRecord {
  return {
    source: draft.source,
    key: draft.key,
    jobId: draft.jobId,
    attempt: draft.attempt,
    user: draft.user,
    space: draft.space,
    pool: draft.pool,
    milliGpus: draft.milliGpus,
    startedAtMs: draft.startedAtMs,
    endedAtMs,
    reportedEndedAtMs,
    endIsEstimated,
    facts: draft.facts,
  };
}

/**
 * The outcome that `judge` gives, with the remarks that it made; a refusal of bad input becomes a rejected record, which
 * lies where `instant` reads its start and end; a defect stays an error.
 */
export function outcomeOf(
  judge: (remarks: Remark[]) => RunRecord | SetAsideRule,
  instant: (name: 'start' | 'end') => number | null,
): Outcome {
  try {
    const remarks: Remark[] = [];
    const judged = judge(remarks);
    if (typeof judged === 'string') return { kind: 'set-aside', rule: judged };
    return { kind: 'run', run: judged, ...(remarks.length === 0 ? {} : { remarks }) };
  } catch (error) {
    if (!isJobhoursError(error) || error.code === 'UNEXPECTED') throw error;
    const place = { startedAtMs: readable(instant, 'start'), endedAtMs: readable(instant, 'end') };
    return { kind: 'rejected', code: error.code, detail: error.message, ...place };
  }
}

function readable(
  instant: (name: 'start' | 'end') => number | null,
  name: 'start' | 'end',
): number | null {
  try {
    return instant(name);
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    return null;
  }
}
