/**
 * One record of `sacct`: its fields and what becomes of them. Owns Slurm's words (DESIGN section 5); splitting
 * lines and header lines are the format's (client/formats/sacct.ts), GPUs domain/tres.ts's.
 */
import { slurmDurationMs, suspendedMs } from './elapsed.js';
import { JobhoursError } from './errors.js';
import type { PoolField, PoolTemplate } from './pool-template.js';
import { quotedValue } from './quoted-value.js';
import { joinedKey, nameOf, optionalNameOf } from './record-text.js';
import {
  outcomeOf,
  runOf,
  type Outcome,
  type RecordRules,
  type Remark,
  type RunRecord,
  type SetAsideRule,
} from './run-record.js';
import { parseInstant } from './time-text.js';
import { allocatedGpus, type AllocatedGpus, type GresWeights } from './tres.js';
import { instantText } from './units.js';

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

/** Columns of the run; every other field is kept word for word. */
const RUN_FIELDS = 'jobidraw cluster partition account user start end'.split(' ');
const REQUIRED = ['jobidraw', 'submit', 'start', 'end', 'state', 'alloctres', 'nodelist'] as const;
const NO_TIME = new Set(['', 'Unknown', 'None']);
const OPEN_STATES = new Set(['RUNNING', 'SUSPENDED', 'COMPLETING']);
/** Slurm's job states (its man page of sacct, and flags that stand in their place); `CANCELLED by UID` is the first word. */
const STATES = new Set([
  ...['BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'COMPLETING', 'CONFIGURING', 'DEADLINE', 'FAILED'],
  ...['LAUNCH_FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY', 'PENDING', 'PREEMPTED', 'RECONFIG_FAIL'],
  ...['REQUEUED', 'REQUEUE_FED', 'REQUEUE_HOLD', 'RESIZING', 'RESV_DEL_HOLD', 'REVOKED'],
  ...['RUNNING', 'SIGNALING', 'SPECIAL_EXIT', 'STAGE_OUT', 'STOPPED', 'SUSPENDED', 'TIMEOUT'],
]);

export interface SacctRules extends RecordRules {
  /** Stands for the cluster where the record has none; null = a record without is rejected. */
  readonly source: string | null;
  /** How the pool is called; null = the partition. */
  readonly pool: PoolTemplate | null;
  /** What gres count for beside whole GPUs. */
  readonly gres: GresWeights;
}

type Values = readonly string[];

/** How the fields of a line are read: by the names of a header. */
export interface SacctColumns {
  readonly names: readonly string[];
  readonly field: (values: Values, name: SacctField) => string;
  /** Index and name of the fields that are kept with the run. */
  readonly kept: readonly (readonly [number, string])[];
}

/**
 * The columns of a header line, in any order, lower case. FIELD_MISSING names those that are absent and needed: jobidraw,
 * user or uid, submit, start, end, state, alloctres, nodelist, and cluster unless `source` stands for it;
 * RECORD_INVALID when one stands twice.
 */
export function sacctColumns(names: readonly string[], source: string | null): SacctColumns {
  const indexes = new Map(names.map((name, index) => [name, index]));
  if (indexes.size < names.length) {
    const doubled = names.find((name, index) => indexes.get(name) !== index) ?? '';
    throw new JobhoursError('RECORD_INVALID', `header: field ${doubled} stands twice`);
  }
  const missing: string[] = REQUIRED.filter((name) => !indexes.has(name));
  if (!indexes.has('user') && !indexes.has('uid')) missing.push('user');
  if (!indexes.has('cluster') && source === null) missing.push('cluster (or give --source)');
  if (missing.length > 0) {
    throw new JobhoursError(
      'FIELD_MISSING',
      `the header has no field ${missing.join(', ')}: ask sacct for --format=${SACCT_FIELDS.join(',')}`,
      { missing },
    );
  }
  return {
    names,
    field: (values, name) => values[indexes.get(name) ?? -1] ?? '',
    kept: names
      .map((name, index) => [index, name] as const)
      .filter(([, name]) => !RUN_FIELDS.includes(name)),
  };
}

/** The columns of a line without a header: the 26 fields in order. */
export const USUAL_COLUMNS: SacctColumns = sacctColumns(SACCT_FIELDS, null);

/**
 * The outcome of one record. Set aside: STEP (a dot in the job id); NEVER_STARTED (no start, or no nodes: such rows
 * carry the instant of their cancel and would bill their queue time). Every other record counts in whatever state it
 * ended: requeued, resized, preempted and failed jobs held their GPUs. Times without offset are UTC unless the rules
 * name a zone. Suspended time is kept as `suspended_ms`; GPUs stay counted, as Slurm bills them.
 * Of a run that goes on, `elapsed_ms` says for how long it had run. Remarks: states that Slurm does not have, gres of no
 * weight, suspended runs.
 */
export function sacctOutcome(values: Values, columns: SacctColumns, rules: SacctRules): Outcome {
  return outcomeOf(
    (remarks) => judged(values, columns, rules, remarks),
    (name) => instantIn(columns.field(values, name), name, rules),
  );
}

function instantIn(text: string, field: SacctField, { zone }: SacctRules): number {
  return parseInstant(text, { zone: zone ?? 'UTC', field });
}

function judged(
  values: Values,
  columns: SacctColumns,
  rules: SacctRules,
  remarks: Remark[],
): RunRecord | SetAsideRule {
  const field = (name: SacctField): string => columns.field(values, name);
  if (field('jobid').includes('.') || field('jobidraw').includes('.')) return 'STEP';
  const nodes = field('nodelist');
  if (NO_TIME.has(field('start')) || nodes === '' || nodes === 'None assigned') {
    return 'NEVER_STARTED';
  }
  const instant = (name: 'submit' | 'start' | 'end'): number => instantIn(field(name), name, rules);
  required(field('submit'), 'submit');
  const jobId = nameOf(field('jobidraw'), { field: 'jobidraw', code: 'JOB_ID_INVALID' });
  const cluster = field('cluster') === '' ? (rules.source ?? '') : field('cluster');
  const gpus = allocatedGpus(field('alloctres'), 'alloctres', rules.gres);
  const draft = {
    source: nameOf(cluster, { field: 'cluster', code: 'FIELD_MISSING' }),
    key: joinedKey([`${jobId}@${submitText(instant('submit'))}`]),
    jobId,
    attempt: 0,
    user: userOf(field('user'), field('uid')),
    space: optionalNameOf(field('account'), { field: 'account', code: 'SPACE_INVALID' }),
    pool: poolOf(field, cluster, gpus, rules),
    milliGpus: gpus.milliGpus,
    startedAtMs: instant('start'),
    end: endOf(field('end'), field('state'), () => instant('end')),
    facts: factsOf(values, columns),
  };
  const run = runOf(draft, rules);
  const pausedMs = pauseOf(run, field('elapsed'), rules);
  remark(remarks, field('state'), gpus, pausedMs);
  if (pausedMs > 0) return { ...run, facts: { ...run.facts, suspended_ms: String(pausedMs) } };
  const elapsedMs = run.endedAtMs === null ? slurmDurationMs(field('elapsed')) : null;
  if (elapsedMs === null) return run;
  return { ...run, facts: { ...run.facts, elapsed_ms: String(elapsedMs) } };
}

/** As sacct writes it in UTC, so that a dump in local time has the same keys. */
function submitText(atMs: number): string {
  return instantText(atMs).replace(/\.\d+Z$/, '');
}

function pauseOf(run: RunRecord, elapsed: string, { zone }: SacctRules): number {
  const { startedAtMs, reportedEndedAtMs } = run;
  if (reportedEndedAtMs === null) return 0;
  return suspendedMs(elapsed, { startAtMs: startedAtMs, endAtMs: reportedEndedAtMs }, zone);
}

function remark(remarks: Remark[], state: string, gpus: AllocatedGpus, pausedMs: number): void {
  const [word = ''] = state.split(' ', 1);
  if (!STATES.has(word)) remarks.push({ kind: 'STATE_UNKNOWN', what: state });
  for (const what of gpus.unknown) remarks.push({ kind: 'GRES_UNKNOWN', what });
  if (pausedMs > 0) remarks.push({ kind: 'SUSPENDED', what: 'runs' });
}

function poolOf(
  field: (name: SacctField) => string,
  cluster: string,
  gpus: AllocatedGpus,
  { pool }: SacctRules,
): string {
  const valueOf = (name: PoolField): string =>
    name === 'gputype' ? gpus.types.join('+') : name === 'cluster' ? cluster : field(name);
  const text = pool === null ? field('partition') : pool(valueOf);
  return optionalNameOf(text, {
    field: pool === null ? 'partition' : 'pool',
    code: 'POOL_INVALID',
  });
}

function required(text: string, field: string): void {
  if (!NO_TIME.has(text)) return;
  throw new JobhoursError('FIELD_MISSING', `${field} ${quotedValue(text)}: a value is required`);
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

function factsOf(values: Values, { kept }: SacctColumns): Record<string, string> {
  const facts: Record<string, string> = {};
  for (const [index, name] of kept) {
    const value = values[index] ?? '';
    if (value !== '') facts[name] = value;
  }
  return facts;
}
