/**
 * Random lists of imports, undos, voids and corrections, and what the books must be after them, in plain TypeScript: an
 * undone act is taken out of the list, and the others are done again from nothing. Owns the model; how the product is
 * driven is the test's.
 */
import type { SeededRandom } from './seeded-random.js';

export const MODEL_START_MS = Date.UTC(2026, 0, 5);
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const KEYS = 10;

export interface ModelRecord {
  readonly job: number;
  readonly user: string;
  readonly gpus: number;
  readonly startedAtMs: number;
  /** Null: the record has no end. */
  readonly endedAtMs: number | null;
}

export interface ModelImport {
  readonly kind: 'import';
  readonly records: readonly ModelRecord[];
  readonly reopen: boolean;
  /** What stands for a missing end; null: still running. */
  readonly missingEndMs: number | null;
  /** A record that is rejected stands among them. */
  readonly partial: boolean;
}

export interface ModelCorrect {
  readonly kind: 'correct';
  readonly job: number;
  readonly gpus?: number;
  readonly user?: string;
  readonly startedAtMs?: number;
  /** Null: still running. */
  readonly endedAtMs?: number | null;
}

export type ModelAct = ModelImport | ModelCorrect | { readonly kind: 'void'; readonly job: number };

/** An act that was done, and the batch that the books gave it. */
export interface DoneAct {
  readonly act: ModelAct;
  readonly batch: bigint;
}

export interface ModelRun extends ModelRecord {
  readonly isEstimated: boolean;
}

export interface ModelBooks {
  readonly runs: ReadonlyMap<number, ModelRun>;
  /** Which jobs each act changed, in the order of the acts. */
  readonly changes: readonly { readonly batch: bigint; readonly jobs: ReadonlySet<number> }[];
  /** Acts that gave what a later import delivered too. */
  readonly confirmed: ReadonlySet<bigint>;
}

/** How sources of one kind differ: a key that changes user and start at once is another job (KEY_REUSED). */
const changesUser = (job: number): boolean => job % 2 === 1;

function recordOf(random: SeededRandom, job: number): ModelRecord {
  const startedAtMs = MODEL_START_MS + job * 37 * MINUTE_MS;
  // Alike mostly, so that imports confirm each other.
  const variant = random.chance(0.8) ? 0 : 1;
  const start = changesUser(job) ? startedAtMs : startedAtMs + variant * 90_001;
  return {
    job,
    user: changesUser(job) ? `u${variant}` : 'u',
    gpus: random.chance(0.9) ? 1 : 2,
    startedAtMs: start,
    endedAtMs: random.chance(0.3) ? null : start + random.pick([1, 1, 1, 3]) * HOUR_MS,
  };
}

export function randomImport(random: SeededRandom): ModelImport {
  const share = random.pick([0.15, 0.3, 0.6]);
  const jobs = Array.from({ length: KEYS }, (_, job) => job).filter(() => random.chance(share));
  return {
    kind: 'import',
    records: (jobs.length === 0 ? [0] : jobs).map((job) => recordOf(random, job)),
    reopen: random.chance(0.2),
    missingEndMs: random.chance(0.2) ? MODEL_START_MS + 20 * HOUR_MS : null,
    partial: random.chance(0.2),
  };
}

export function randomCorrection(random: SeededRandom, job: number): ModelCorrect {
  const base = MODEL_START_MS + job * 37 * MINUTE_MS;
  const what = random.integer(0, 3);
  if (what === 0) return { kind: 'correct', job, gpus: random.integer(0, 3) };
  if (what === 1) return { kind: 'correct', job, endedAtMs: null };
  if (what === 2) return { kind: 'correct', job, endedAtMs: base + random.integer(1, 4) * HOUR_MS };
  return changesUser(job)
    ? { kind: 'correct', job, user: random.pick(['u0', 'u1', 'u2']) }
    : { kind: 'correct', job, startedAtMs: base + random.integer(0, 2) * MINUTE_MS };
}

const certainty = ({ endedAtMs, isEstimated }: ModelRun): number =>
  endedAtMs === null ? 0 : isEstimated ? 1 : 2;

const isSame = (a: ModelRun, b: ModelRun): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The books after the acts, done in this order from nothing. */
export function modelBooks(acts: readonly DoneAct[]): ModelBooks {
  const runs = new Map<number, ModelRun>();
  const [pinned, voided] = [new Set<number>(), new Set<number>()];
  const [givers, confirmed] = [new Map<number, bigint>(), new Set<bigint>()];
  const changes = acts.map(({ act, batch }) => {
    const jobs = new Set<number>();
    if (act.kind === 'import') {
      for (const record of act.records) {
        const run = runOf(record, act.missingEndMs);
        const stored = runs.get(run.job);
        if (stored !== undefined && isSame(stored, run))
          confirmed.add(givers.get(run.job) ?? batch);
        if (voided.has(run.job) || pinned.has(run.job)) continue;
        const isLess = stored !== undefined && certainty(run) < certainty(stored) && !act.reopen;
        if (isLess || (stored !== undefined && isSame(stored, run))) continue;
        runs.set(run.job, run);
        givers.set(run.job, batch);
        jobs.add(run.job);
      }
    } else {
      jobs.add(act.job);
      const stored = runs.get(act.job);
      if (act.kind === 'void') {
        runs.delete(act.job);
        voided.add(act.job);
      } else if (stored !== undefined) {
        runs.set(act.job, corrected(stored, act));
        pinned.add(act.job);
        givers.set(act.job, batch);
      }
    }
    return { batch, jobs };
  });
  return { runs, changes, confirmed };
}

function runOf(record: ModelRecord, missingEndMs: number | null): ModelRun {
  const isEstimated = record.endedAtMs === null && missingEndMs !== null;
  const { job, user, gpus, startedAtMs } = record;
  return { job, user, gpus, startedAtMs, endedAtMs: record.endedAtMs ?? missingEndMs, isEstimated };
}

function corrected(stored: ModelRun, act: ModelCorrect): ModelRun {
  const { job } = stored;
  return {
    job,
    user: act.user ?? stored.user,
    gpus: act.gpus ?? stored.gpus,
    startedAtMs: act.startedAtMs ?? stored.startedAtMs,
    endedAtMs: act.endedAtMs === undefined ? stored.endedAtMs : act.endedAtMs,
    isEstimated: act.endedAtMs === undefined && stored.isEstimated,
  };
}

/** True when an act after this one changed a run that it had changed. */
export function isChangedLater(books: ModelBooks, batch: bigint): boolean {
  const at = books.changes.findIndex((one) => one.batch === batch);
  const own = books.changes[at]?.jobs ?? new Set<number>();
  return books.changes.slice(at + 1).some(({ jobs }) => [...jobs].some((job) => own.has(job)));
}

const iso = (atMs: number | null): string => (atMs === null ? '' : new Date(atMs).toISOString());

/** The import as a csv file in canonical columns. */
export function modelFile({ records, partial }: ModelImport): string {
  const rows = records.map(({ job, user, gpus, startedAtMs, endedAtMs }) =>
    [user, job, gpus, iso(startedAtMs), iso(endedAtMs)].join(','),
  );
  const bad = partial ? [`u,999,none,${iso(MODEL_START_MS)},`] : [];
  return ['user,job_id,gpus,start,end', ...rows, ...bad].join('\n');
}
