/**
 * One record of a file feed (csv, jsonl) in canonical fields, and what becomes of it. Owns the rules for
 * missing starts and ends and for units of time (DESIGN section 5); which column is which field is the format's.
 */
import { isJobhoursError, JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';
import { milliGpusOf } from './gpus.js';
import { joinedKey, nameOf, optionalNameOf } from './record-text.js';
import {
  outcomeOf,
  runOf,
  type Outcome,
  type RecordRules,
  type RunDraft,
  type RunRecord,
  type SetAsideRule,
} from './run-record.js';
import { parseInstant, parseNumericInstant } from './time-text.js';

/** The canonical columns (DESIGN section 11). */
export const FEED_FIELDS = [
  'user',
  'space',
  'pool',
  'job_id',
  'attempt',
  'gpus',
  'submit',
  'start',
  'end',
] as const;
export type FeedField = (typeof FEED_FIELDS)[number];

export interface FeedRules extends RecordRules {
  readonly source: string;
  /** How times are written: ISO 8601, or numbers of seconds or ms since `timeOriginAtMs`. */
  readonly timeUnit: 'iso' | 's' | 'ms';
  readonly timeOriginAtMs: number;
  /** What stands for a missing start; an instant in ms is applied first. */
  readonly missingStart: 'reject' | 'submit' | number;
  /** What stands for a missing end; an instant in ms is applied first and marks the end as estimated. */
  readonly missingEnd: 'open' | 'reject' | number;
}

/** A record in canonical fields; an absent field is empty text. */
export interface FeedRecord {
  readonly field: (name: FeedField) => string;
  /** Name and value of the columns that make the key; null = `job_id/attempt`. */
  readonly keyParts: readonly (readonly [string, string])[] | null;
  readonly facts: Readonly<Record<string, string>>;
}

/** The outcome of the record that `read` gives: NEVER_STARTED when it has neither start nor end after the given instants. */
export function feedOutcome(read: () => FeedRecord, rules: FeedRules): Outcome {
  let record: FeedRecord | null = null;
  return outcomeOf(
    () => feedRun((record = read()), rules),
    (name) => (record === null ? null : givenInstant(record, name, rules)),
  );
}

function givenInstant(
  { field }: FeedRecord,
  name: 'submit' | 'start' | 'end',
  rules: FeedRules,
): number | null {
  const text = field(name);
  return text === '' || (name === 'end' && isZero(text)) ? null : timeOf(text, name, rules);
}

/** The run of one record, or why it is none. Errors of the catalogue when it is refused. */
function feedRun(record: FeedRecord, rules: FeedRules): RunRecord | SetAsideRule {
  const times = timesOf(record, rules);
  if (times === 'NEVER_STARTED') return times;
  const { field } = record;
  const attempt = attemptOf(field('attempt'));
  const key = keyOf(record, attempt);
  return runOf(
    {
      source: rules.source,
      key,
      jobId: field('job_id') === '' ? key : jobIdOf(field('job_id')),
      attempt,
      user: nameOf(field('user'), { field: 'user', code: 'USER_INVALID' }),
      space: optionalNameOf(field('space'), { field: 'space', code: 'SPACE_INVALID' }),
      pool: optionalNameOf(field('pool'), { field: 'pool', code: 'POOL_INVALID' }),
      milliGpus: milliGpusOf(required(field('gpus'), 'gpus'), 'gpus'),
      ...times,
      facts: record.facts,
    },
    rules,
  );
}

type Times = Pick<RunDraft, 'startedAtMs' | 'end'>;

function timesOf(record: FeedRecord, rules: FeedRules): Times | 'NEVER_STARTED' {
  const given = (name: 'submit' | 'start' | 'end'): number | null =>
    givenInstant(record, name, rules);
  const instant = (rule: string | number): number | null =>
    typeof rule === 'number' ? rule : null;
  const reportedEnd = given('end');
  const endAtMs = reportedEnd ?? instant(rules.missingEnd);
  let startedAtMs = given('start') ?? instant(rules.missingStart);
  if (startedAtMs === null && endAtMs === null) return 'NEVER_STARTED';
  if (rules.missingStart === 'submit') startedAtMs ??= given('submit');
  if (startedAtMs === null) {
    throw new JobhoursError(
      'START_MISSING',
      'start is empty; --missing-start says what stands for it',
    );
  }
  if (endAtMs === null && rules.missingEnd === 'reject') {
    throw new JobhoursError('END_MISSING', 'end is empty, and --missing-end is reject');
  }
  return {
    startedAtMs,
    end: endAtMs === null ? null : { atMs: endAtMs, isEstimated: reportedEnd === null },
  };
}

/** Sources write 0 for an end that is not there yet (Slurm's database, Open XDMoD). */
function isZero(text: string): boolean {
  return /^0+(\.0*)?$/.test(text);
}

function timeOf(text: string, field: FeedField, rules: FeedRules): number {
  const { timeUnit } = rules;
  try {
    return timeUnit === 'iso'
      ? parseInstant(text, { zone: rules.zone, field })
      : parseNumericInstant(text, timeUnit, rules.timeOriginAtMs, field);
  } catch (error) {
    throw withTimeUnit(error, timeUnit);
  }
}

/** The same refusal with the flag that may be wrong. */
function withTimeUnit(error: unknown, timeUnit: FeedRules['timeUnit']): unknown {
  if (!isJobhoursError(error)) return error;
  const isOfUnit = error.code === 'TIME_INVALID' && timeUnit !== 'iso';
  if (error.code !== 'TIME_UNIT' && !isOfUnit) return error;
  return new JobhoursError(error.code, `${error.message} (--time-unit ${timeUnit})`, error.details);
}

function keyOf(record: FeedRecord, attempt: number): string {
  if (record.keyParts === null) {
    return joinedKey([jobIdOf(required(record.field('job_id'), 'job_id')), String(attempt)]);
  }
  return joinedKey(
    record.keyParts.map(([name, value]) => {
      const rule = { field: `key column ${name}`, code: 'JOB_ID_INVALID' } as const;
      return nameOf(required(value, `key column ${name}`), rule);
    }),
  );
}

function jobIdOf(text: string): string {
  return nameOf(text, { field: 'job_id', code: 'JOB_ID_INVALID' });
}

function attemptOf(text: string): number {
  if (text === '') return 0;
  const attempt = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(attempt <= 2_147_483_647)) {
    throw new JobhoursError(
      'LIMIT_INVALID',
      `attempt ${quotedValue(text)}: expected a whole number from 0 to 2147483647`,
    );
  }
  return attempt;
}

function required(text: string, field: string): string {
  if (text === '')
    throw new JobhoursError('FIELD_MISSING', `${field} is empty; a value is required`);
  return text;
}
