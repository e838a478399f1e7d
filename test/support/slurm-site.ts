/**
 * A made-up Slurm cluster and what `sacct` prints of it at some instant. Owns what happens to its jobs: steps, arrays,
 * heterogeneous jobs, requeues, resizes, suspensions, cancels; the same seed makes the same jobs.
 */
import { DateTime } from 'luxon';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

/** One allocation: an attempt, or the part of one between two resizes. `startedAtMs` null = it never started. */
export interface Allocation {
  readonly jobId: string;
  readonly rawId: number;
  readonly cluster: string;
  readonly user: string;
  readonly submittedAtMs: number;
  readonly startedAtMs: number | null;
  readonly endedAtMs: number;
  readonly suspendedMs: number;
  readonly gpus: number;
  readonly state: string;
}

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const ENDS = ['COMPLETED', 'COMPLETED', 'COMPLETED', 'FAILED', 'TIMEOUT', 'OUT_OF_MEMORY'] as const;

export interface SiteOptions {
  readonly seed: number;
  readonly cluster: string;
  readonly jobs: number;
  /** Jobs are submitted in [fromMs, toMs), in whole seconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The allocations of a cluster, in the order of their submits. Raw ids begin at 1 on every cluster. */
export function slurmSite({ seed, cluster, jobs, fromMs, toMs }: SiteOptions): Allocation[] {
  const random = seededRandom(seed);
  const made: Allocation[] = [];
  for (let rawId = 1; rawId <= jobs; rawId += 1) {
    const first: Allocation = {
      ...{ jobId: jobIdOf(random, rawId), rawId, cluster, user: `user${random.integer(1, 9)}` },
      submittedAtMs: fromMs + random.integer(0, (toMs - fromMs) / SECOND - 1) * SECOND,
      ...{ startedAtMs: null, endedAtMs: 0, suspendedMs: 0 },
      ...{ gpus: random.pick([0, 1, 1, 2, 4, 8]), state: 'COMPLETED' },
    };
    made.push(...allocationsOf(random, first));
  }
  return made.sort((a, b) => a.submittedAtMs - b.submittedAtMs || a.rawId - b.rawId);
}

function jobIdOf(random: SeededRandom, rawId: number): string {
  if (random.chance(0.2)) return `${Math.ceil(rawId / 10) * 10}_${rawId % 10}`;
  return random.chance(0.05) ? `${rawId - (rawId % 2)}+${rawId % 2}` : String(rawId);
}

/** What happens to one job: up to three attempts, each with up to two sizes. */
function allocationsOf(random: SeededRandom, first: Allocation): Allocation[] {
  if (random.chance(0.05)) {
    const endedAtMs = first.submittedAtMs + random.integer(1, 3_600) * SECOND;
    return [{ ...first, endedAtMs, state: 'CANCELLED by 1001' }];
  }
  const made: Allocation[] = [];
  let submittedAtMs = first.submittedAtMs;
  for (let tries = 1; ; tries += 1) {
    const startedAtMs = submittedAtMs + random.integer(0, 2 * 3_600) * SECOND;
    const isAgain = tries < 3 && random.chance(0.15);
    const state = isAgain ? random.pick(['PREEMPTED', 'NODE_FAIL', 'REQUEUED']) : random.pick(ENDS);
    // Not a multiple of 15 minutes: suspensions are odd, changes of zones are not.
    const suspendedMs = random.chance(0.1) ? (900 * random.integer(0, 3) + 7) * SECOND : 0;
    const endedAtMs = startedAtMs + suspendedMs + random.integer(0, 20 * 3_600) * SECOND;
    const whole = { ...first, submittedAtMs, startedAtMs, endedAtMs, suspendedMs, state };
    made.push(...(random.chance(0.08) ? resized(whole) : [whole]));
    if (!isAgain) return made;
    submittedAtMs = endedAtMs + SECOND;
  }
}

/** Slurm records a resize as the end of one allocation and the submit of the next, at the same instant. */
function resized(whole: Allocation): Allocation[] {
  const { startedAtMs, endedAtMs, suspendedMs } = whole;
  const resizedAtMs = (startedAtMs ?? 0) + suspendedMs + 1_000 * SECOND;
  if (resizedAtMs >= endedAtMs) return [whole];
  return [
    { ...whole, endedAtMs: resizedAtMs, state: 'RESIZING' },
    {
      ...whole,
      ...{ submittedAtMs: resizedAtMs, startedAtMs: resizedAtMs, suspendedMs: 0 },
      gpus: whole.gpus + 1,
    },
  ];
}

export interface DumpOptions {
  /** What is known at this instant: later ends are Unknown. */
  readonly atMs: number;
  /** Zone in which sacct prints times; UTC by default. */
  readonly zone?: string;
  /** Fields with a header line; the usual 26 without one by default. */
  readonly fields?: readonly string[];
}

/** What `sacct --allusers --duplicates --parsable2` prints at an instant: allocations with their steps. */
export function sacctDump(site: readonly Allocation[], options: DumpOptions): string {
  const fields = options.fields ?? SACCT_FIELDS;
  const lines = site
    .filter(({ submittedAtMs }) => submittedAtMs <= options.atMs)
    .flatMap((allocation) => linesOf(allocation, options))
    .map((values) => fields.map((name) => values[name] ?? '').join('|'));
  const header = options.fields === undefined ? [] : [options.fields.join('|')];
  return [...header, ...lines, ''].join('\n');
}

function linesOf(
  allocation: Allocation,
  { atMs, zone = 'UTC' }: DumpOptions,
): Readonly<Record<string, string>>[] {
  const { startedAtMs, endedAtMs } = allocation;
  const time = (ms: number): string =>
    DateTime.fromMillis(ms, { zone }).toFormat("yyyy-MM-dd'T'HH:mm:ss");
  const isStarted = startedAtMs !== null && startedAtMs <= atMs;
  const isEnded = endedAtMs <= atMs && (isStarted || startedAtMs === null);
  const state = isEnded ? allocation.state : isStarted ? 'RUNNING' : 'PENDING';
  const line = {
    ...{ jobid: allocation.jobId, jobidraw: String(allocation.rawId) },
    ...{ cluster: allocation.cluster, partition: 'gpu', qos: 'normal', account: 'lab' },
    ...{ user: allocation.user, uid: '1001', group: 'staff', gid: '100' },
    ...{ submit: time(allocation.submittedAtMs), eligible: time(allocation.submittedAtMs) },
    // A job that was cancelled in the queue has the instant of the cancel as its start.
    start: isStarted ? time(startedAtMs) : isEnded ? time(endedAtMs) : 'Unknown',
    end: isEnded ? time(endedAtMs) : 'Unknown',
    elapsed: isStarted
      ? elapsedOf(allocation, Math.min(atMs, endedAtMs) - startedAtMs)
      : '00:00:00',
    state,
    alloctres: allocation.gpus === 0 ? 'cpu=8,node=1' : `cpu=8,gres/gpu=${allocation.gpus},node=1`,
    nodelist: isStarted ? 'n[01-02]' : 'None assigned',
    jobname: `train|${allocation.rawId}`,
  };
  if (!isStarted) return [line];
  const steps = ['batch', 'extern', '0'].map((step) => ({
    ...line,
    jobid: `${line.jobid}.${step}`,
    jobidraw: `${line.jobidraw}.${step}`,
  }));
  return [line, ...steps];
}

function elapsedOf({ suspendedMs }: Allocation, lengthMs: number): string {
  const ms = Math.max(0, lengthMs - suspendedMs);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const days = Math.floor(ms / (24 * HOUR));
  const time = `${two((ms / HOUR) % 24)}:${two((ms / 60_000) % 60)}:${two((ms / SECOND) % 60)}`;
  return days === 0 ? time : `${days}-${time}`;
}

/** What the books must hold of a cluster once everything has ended: user -> runs, ms and GPU-ms. */
export function truthOf(site: readonly Allocation[]): string[] {
  const users = new Map<string, { runs: number; ms: number; gpuMs: number }>();
  for (const { user, startedAtMs, endedAtMs, gpus } of site) {
    if (startedAtMs === null) continue;
    const lengthMs = Math.max(1, endedAtMs - startedAtMs);
    const sum = users.get(user) ?? { runs: 0, ms: 0, gpuMs: 0 };
    users.set(user, {
      runs: sum.runs + 1,
      ms: sum.ms + lengthMs,
      gpuMs: sum.gpuMs + lengthMs * gpus,
    });
  }
  return [...users]
    .map(([user, { runs, ms, gpuMs }]) => `${user} ${runs} runs ${ms} ms ${gpuMs} GPU-ms`)
    .sort();
}
