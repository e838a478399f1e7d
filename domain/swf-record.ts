/**
 * One record of the Standard Workload Format 2.2 (Parallel Workloads Archive): 18 numbers, -1 = unknown. Owns what they
 * mean for a run; lines and headers are the format's (client/formats/swf.ts). The format has no GPUs: they are given.
 */
import { JobhoursError } from './errors.js';
import { milliGpusOf } from './gpus.js';
import { quotedValue } from './quoted-value.js';
import { joinedKey, nameOf, optionalNameOf } from './record-text.js';
import {
  outcomeOf,
  runOf,
  type Outcome,
  type RecordRules,
  type Remark,
  type RunDraft,
  type RunRecord,
  type SetAsideRule,
} from './run-record.js';
import { EARLIEST_AT_MS, LATEST_AT_MS, MS_PER_SECOND } from './units.js';

/** The fields in their order; times and lengths in seconds. */
export const SWF_FIELDS = [
  'job',
  'submit_time',
  'wait_time',
  'run_time',
  'processors',
  'cpu_time',
  'memory_kb',
  'requested_processors',
  'requested_time',
  'requested_memory_kb',
  'status',
  'user',
  'group',
  'executable',
  'queue',
  'partition',
  'preceding_job',
  'think_time',
] as const;
type SwfField = (typeof SWF_FIELDS)[number];

/** Fields for which `--set` may give a constant. */
export const SWF_CONSTANTS = ['user', 'space', 'pool', 'gpus'] as const;
export type SwfConstant = (typeof SWF_CONSTANTS)[number];

export interface SwfRules extends RecordRules {
  readonly source: string;
  /** What submit times count from, in ms since 1970. */
  readonly originAtMs: number;
  /** The machine's processors, as the header says; null = it does not. */
  readonly maxProcessors: number | null;
  /** Field -> constant. */
  readonly set: ReadonlyMap<SwfConstant, string>;
  /** Job -> its GPUs as decimal text; null = `set` has the GPUs of all. */
  readonly gpusOfJob: ReadonlyMap<string, string> | null;
  /** What stands for a wait time that is unknown; an instant in ms stands for the start. */
  readonly missingStart: 'reject' | 'submit' | number;
  /** What stands for a run time that is unknown; an instant in ms is an estimated end. */
  readonly missingEnd: 'open' | 'reject' | number;
}

type Values = readonly string[];

const INDEX = Object.fromEntries(SWF_FIELDS.map((name, index) => [name, index])) as Readonly<
  Record<SwfField, number>
>;
const NUMBER = /^(?:-1|\d{1,15})(?:\.\d{1,9})?$/;
/** Kept as facts when known; the others are columns of the run. */
const FACTS = SWF_FIELDS.filter((name) => !['job', 'user', 'group', 'partition'].includes(name));
/** Statuses of a job's pieces between checkpoints; its summary line has status 0 or 1. */
const PIECES = new Set(['2', '3', '4']);
const STATUSES = new Set(['-1', '0', '1', '5']);

/**
 * The outcome of one line of 18 fields. Start = submit + wait, end = start + run time. Set aside: PARTIAL (a piece of a
 * job whose summary line counts), NEVER_STARTED (cancelled without a run time, or neither wait nor run time known).
 * Users, groups and partitions are numbers of one log: they become `user:12`, space `group:3`, pool `partition:1`, so
 * that no number is taken for a name of another source; an unknown user is `user:unknown`, the others are `-`.
 * Remarks: an unknown status, more processors than the machine has.
 */
export function swfOutcome(values: Values, rules: SwfRules): Outcome {
  return outcomeOf(
    (remarks) => judged(values, rules, remarks),
    (name) => {
      const times = timesOf((field) => values[INDEX[field]] ?? '', rules);
      if (times === 'NEVER_STARTED') return null;
      return name === 'start' ? times.startedAtMs : (times.end?.atMs ?? null);
    },
  );
}

function judged(values: Values, rules: SwfRules, remarks: Remark[]): RunRecord | SetAsideRule {
  const wrong = values.findIndex((value) => !NUMBER.test(value));
  if (wrong >= 0) {
    throw new JobhoursError(
      'RECORD_INVALID',
      `field ${wrong + 1}, ${SWF_FIELDS[wrong] ?? ''}, ${quotedValue(values[wrong] ?? '')}: expected a number, or -1 for unknown`,
    );
  }
  const field = (name: SwfField): string => values[INDEX[name]] ?? '';
  if (PIECES.has(field('status'))) return 'PARTIAL';
  const times = timesOf(field, rules);
  if (times === 'NEVER_STARTED') return times;
  remark(remarks, field, rules);
  const job = nameOf(field('job'), { field: 'job', code: 'JOB_ID_INVALID' });
  if (isUnknown(job)) throw new JobhoursError('JOB_ID_INVALID', 'job -1: a number is required');
  const { set } = rules;
  const numbered = (name: 'user' | 'group' | 'partition'): string =>
    isUnknown(field(name)) ? '' : `${name}:${field(name)}`;
  return runOf(
    {
      source: rules.source,
      key: joinedKey([job, '0']),
      jobId: job,
      attempt: 0,
      user: nameOf(set.get('user') ?? (numbered('user') || 'user:unknown'), {
        field: 'user',
        code: 'USER_INVALID',
      }),
      space: optionalNameOf(set.get('space') ?? numbered('group'), {
        field: 'space',
        code: 'SPACE_INVALID',
      }),
      pool: optionalNameOf(set.get('pool') ?? numbered('partition'), {
        field: 'pool',
        code: 'POOL_INVALID',
      }),
      milliGpus: gpusOf(job, rules),
      ...times,
      facts: factsOf(values),
    },
    rules,
  );
}

function isUnknown(text: string): boolean {
  return text.startsWith('-1');
}

type Times = Pick<RunDraft, 'startedAtMs' | 'end'>;

function timesOf(field: (name: SwfField) => string, rules: SwfRules): Times | 'NEVER_STARTED' {
  const [submitMs, waitMs, runMs] = [
    lengthOf(field('submit_time')),
    lengthOf(field('wait_time')),
    lengthOf(field('run_time')),
  ];
  const isCancelled = field('status') === '5';
  if (isCancelled && (runMs ?? 0) === 0) return 'NEVER_STARTED';
  if (waitMs === null && runMs === null) return 'NEVER_STARTED';
  const startedAtMs = startOf(submitMs, waitMs, rules);
  if (runMs !== null) {
    return {
      startedAtMs,
      end: { atMs: onTimeLine(startedAtMs + runMs, 'end'), isEstimated: false },
    };
  }
  const { missingEnd } = rules;
  if (missingEnd === 'reject') {
    throw new JobhoursError(
      'END_MISSING',
      'run_time is -1 (unknown); --missing-end says what stands for the end',
    );
  }
  return {
    startedAtMs,
    end: missingEnd === 'open' ? null : { atMs: missingEnd, isEstimated: true },
  };
}

function startOf(submitMs: number | null, waitMs: number | null, rules: SwfRules): number {
  const { missingStart, originAtMs } = rules;
  if (waitMs === null && typeof missingStart === 'number') return missingStart;
  const isKnown = waitMs !== null || missingStart === 'submit';
  if (submitMs !== null && isKnown)
    return onTimeLine(originAtMs + submitMs + (waitMs ?? 0), 'start');
  throw new JobhoursError(
    'START_MISSING',
    `${submitMs === null ? 'submit_time' : 'wait_time'} is -1 (unknown); --missing-start says what stands for the start`,
  );
}

/** TIME_RANGE outside 1990 to 2100. */
function onTimeLine(atMs: number, field: string): number {
  if (atMs >= EARLIEST_AT_MS && atMs < LATEST_AT_MS) return atMs;
  throw new JobhoursError(
    'TIME_RANGE',
    `${field} lies outside the years 1990 to 2100: is UnixStartTime right? --time-origin says what the times count from`,
  );
}

/** Milliseconds of a number of seconds, cut down to whole ms; null = unknown. */
function lengthOf(text: string): number | null {
  if (isUnknown(text)) return null;
  const [whole = '', fraction = ''] = text.split('.', 2);
  return Number(whole) * MS_PER_SECOND + Number(fraction.slice(0, 3).padEnd(3, '0'));
}

function gpusOf(job: string, { set, gpusOfJob }: SwfRules): number {
  const gpus = gpusOfJob === null ? set.get('gpus') : gpusOfJob.get(job);
  if (gpus !== undefined) return milliGpusOf(gpus, 'gpus');
  throw new JobhoursError('FIELD_MISSING', `gpus: job ${job} is not in the file of --gpus-from`);
}

function remark(
  remarks: Remark[],
  field: (name: SwfField) => string,
  { maxProcessors }: SwfRules,
): void {
  if (!STATUSES.has(field('status'))) {
    remarks.push({ kind: 'STATE_UNKNOWN', what: `status ${field('status')}` });
  }
  if (maxProcessors !== null && Number(field('processors')) > maxProcessors) {
    remarks.push({ kind: 'ABOVE_MAX_PROCESSORS', what: String(maxProcessors) });
  }
}

function factsOf(values: Values): Record<string, string> {
  const known = FACTS.map((name) => [name, values[INDEX[name]] ?? ''] as const);
  return Object.fromEntries(known.filter(([, value]) => !isUnknown(value)));
}
