/**
 * One line of `sacct`: its 26 fields and what becomes of them. Owns Slurm's words (DESIGN section 5); splitting
 * lines is the format's (client/formats/sacct.ts).
 */
import { JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';
import { allocatedMilliGpus } from './gpus.js';
import { joinedKey, nameOf, optionalNameOf } from './record-text.js';
import {
  outcomeOf,
  runOf,
  type Outcome,
  type RecordRules,
  type RunRecord,
  type SetAsideRule,
} from './run-record.js';
import { parseInstant } from './time-text.js';

/** The fields that Open XDMoD asks sacct for, in this order (its docs/resource-manager-slurm.md). */
export const SACCT_FIELDS = [
  'jobid',
  'jobidraw',
  'cluster',
  'partition',
  'qos',
  'account',
  'group',
  'gid',
  'user',
  'uid',
  'submit',
  'eligible',
  'start',
  'end',
  'elapsed',
  'exitcode',
  'state',
  'nnodes',
  'ncpus',
  'reqcpus',
  'reqmem',
  'reqtres',
  'alloctres',
  'timelimit',
  'nodelist',
  'jobname',
] as const;
type SacctField = (typeof SACCT_FIELDS)[number];

const INDEX = Object.fromEntries(SACCT_FIELDS.map((name, index) => [name, index])) as Readonly<
  Record<SacctField, number>
>;
/** Kept word for word; the others are columns of the run. */
const FACTS = SACCT_FIELDS.filter(
  (name) => !['jobidraw', 'cluster', 'partition', 'account', 'user', 'start', 'end'].includes(name),
);
const NO_TIME = new Set(['', 'Unknown', 'None']);
const OPEN_STATES = new Set(['RUNNING', 'SUSPENDED', 'COMPLETING']);

/**
 * The outcome of one line. Set aside: STEP (a dot in the job id); NEVER_STARTED (no start, or no nodes: such rows
 * carry the instant of their cancel and would bill their queue time). Times without offset are UTC unless the
 * rules name a zone. `values` are the 26 fields in order.
 */
export function sacctOutcome(values: readonly string[], rules: RecordRules): Outcome {
  return outcomeOf(() => judged(values, rules));
}

function judged(values: readonly string[], rules: RecordRules): RunRecord | SetAsideRule {
  const field = (name: SacctField): string => values[INDEX[name]] ?? '';
  if (field('jobid').includes('.')) return 'STEP';
  const nodes = field('nodelist');
  if (NO_TIME.has(field('start')) || nodes === '' || nodes === 'None assigned') {
    return 'NEVER_STARTED';
  }
  const instant = (name: 'submit' | 'start' | 'end'): number =>
    parseInstant(field(name), { zone: rules.zone ?? 'UTC', field: name });
  const submit = required(field('submit'), 'submit');
  instant('submit');
  const jobId = nameOf(field('jobidraw'), { field: 'jobidraw', code: 'JOB_ID_INVALID' });
  return runOf(
    {
      source: nameOf(field('cluster'), { field: 'cluster', code: 'FIELD_MISSING' }),
      key: joinedKey([`${jobId}@${submit}`]),
      jobId,
      attempt: 0,
      user: userOf(field('user'), field('uid')),
      space: optionalNameOf(field('account'), { field: 'account', code: 'SPACE_INVALID' }),
      pool: optionalNameOf(field('partition'), { field: 'partition', code: 'POOL_INVALID' }),
      milliGpus: allocatedMilliGpus(field('alloctres'), 'alloctres'),
      startedAtMs: instant('start'),
      end: endOf(field('end'), field('state'), () => instant('end')),
      facts: factsOf(values),
    },
    rules,
  );
}

function required(text: string, field: string): string {
  if (NO_TIME.has(text)) {
    throw new JobhoursError('FIELD_MISSING', `${field} ${quotedValue(text)}: a value is required`);
  }
  return text;
}

/** A user that the cluster's name service does not know has a number only. */
function userOf(user: string, uid: string): string {
  const rule = { field: 'user', code: 'USER_INVALID' } as const;
  return user === '' && uid !== '' ? nameOf(`uid:${uid}`, rule) : nameOf(user, rule);
}

function endOf(
  text: string,
  state: string,
  instant: () => number,
): { atMs: number; isEstimated: boolean } | null {
  if (!NO_TIME.has(text)) return { atMs: instant(), isEstimated: false };
  if (OPEN_STATES.has(state)) return null;
  throw new JobhoursError(
    'END_MISSING',
    `end ${quotedValue(text)} in state ${quotedValue(state)}: only ${[...OPEN_STATES].join(', ')} have no end`,
  );
}

function factsOf(values: readonly string[]): Record<string, string> {
  const facts: Record<string, string> = {};
  for (const name of FACTS) {
    const value = values[INDEX[name]] ?? '';
    if (value !== '') facts[name] = value;
  }
  return facts;
}
