/**
 * What an import did, in numbers. Owns the shape that `-o json` prints and `import_batch.counts` keeps, and how it
 * is put together; words for people are the command's.
 */
import type { DeclaredCoverage } from '../db/coverage-store.js';
import type { Session } from '../db/database.js';
import type { Corrections } from '../db/import-apply.js';
import { countOutcomes, rejectsAfter, totalRuns, type Reject } from '../db/import-store.js';
import { instantText } from '../domain/units.js';
import type { InputNotes } from './input-notes.js';

export interface ImportSummary {
  readonly input: string;
  readonly format: string;
  /** Id of the import in the books; null when nothing was applied. */
  readonly batch: string | null;
  readonly records: number;
  /** Runs that the accepted records stand for; `new` to `pinned` add up to it once applied. */
  readonly runs: number;
  readonly new: number;
  readonly corrected: number;
  /** Running ones that got their end. */
  readonly ended: number;
  readonly unchanged: number;
  /** Records without a reported end whose stored run has one: it stays (`--reopen`). */
  readonly kept: number;
  /** Records that differ from a run that was corrected by hand: it stays. */
  readonly pinned: number;
  /** Corrected runs by what changed; one run may count several times. */
  readonly correctedFields: Readonly<Record<string, number>>;
  /** Records that say again what another record of the input says. */
  readonly repeated: number;
  readonly setAside: Readonly<Record<string, number>>;
  readonly rejected: Readonly<Record<string, number>>;
  readonly running: number;
  readonly withGpus: number;
  readonly estimatedEnds: number;
  readonly users: number;
  readonly spaces: number;
  readonly pools: number;
  readonly firstAtMs: number | null;
  readonly lastAtMs: number | null;
  /** Decimal text: length of the finished runs in ms. */
  readonly runMs: string;
  /** Decimal text: milli-GPU-ms of the finished runs. */
  readonly milliGpuMs: string;
  /** Runs that were shorter than the minimum countable duration, and by how much they were lengthened. */
  readonly lengthened: number;
  readonly lengthenedMs: string;
  /** Runs that start before the origin, or before this hour when the books have no origin yet. */
  readonly beforeOrigin: number;
  /** Columns that are no field and are kept with each run. */
  readonly keptColumns: readonly string[];
  /** How times were read, when that is not plain from the input: `read as UTC`. */
  readonly times: string | null;
  /** Records by states that nobody knows; they count. */
  readonly unknownStates: Readonly<Record<string, number>>;
  /** Records by generic resources whose worth in GPUs nobody has said. */
  readonly unknownGres: Readonly<Record<string, number>>;
  /** Records of runs that were suspended for a part of their time; their GPUs count all the time. */
  readonly suspended: number;
  /** Records with more processors than the machine has, by the machine's number. */
  readonly aboveMaxProcessors: Readonly<Record<string, number>>;
}

/** What applying changed; null = nothing was applied. */
export interface ImportChanges {
  readonly batch: bigint;
  readonly added: number;
  readonly kept: number;
  readonly pinned: number;
  readonly corrections: Corrections | null;
}

/** How many rejected records are shown at once. */
const SHOWN_REJECTS = 20;

export interface SummaryFacts {
  readonly input: string;
  readonly format: string;
  readonly originAtMs: number;
  readonly notes: InputNotes;
}

/** The summary of the staged input and of what was applied of it. */
export async function summaryOf(
  session: Session,
  facts: SummaryFacts,
  changes: ImportChanges | null,
): Promise<ImportSummary> {
  const outcomes = await countOutcomes(session);
  const totals = await totalRuns(session, facts.originAtMs);
  const ofKind = (kind: string): Record<string, number> =>
    Object.fromEntries(
      outcomes
        .filter(({ outcome }) => outcome === kind)
        .map(({ code, records }) => [code ?? '', records] as const)
        .sort(),
    );
  const runs = sum(ofKind('run'));
  return {
    input: facts.input,
    format: facts.format,
    records: outcomes.reduce((total, { records }) => total + records, 0),
    runs,
    ...changesOf(changes, runs),
    repeated: sum(ofKind('repeated')),
    setAside: ofKind('set-aside'),
    rejected: ofKind('rejected'),
    running: totals.running,
    withGpus: totals.with_gpus,
    estimatedEnds: totals.estimated,
    users: totals.users,
    spaces: totals.spaces,
    pools: totals.pools,
    firstAtMs: totals.first_at_ms,
    lastAtMs: totals.last_at_ms,
    runMs: String(totals.run_ms),
    milliGpuMs: String(totals.milli_gpu_ms),
    lengthened: totals.lengthened,
    lengthenedMs: String(totals.lengthened_ms),
    beforeOrigin: totals.before_origin,
    ...notesOf(facts.notes),
  };
}

function notesOf(notes: InputNotes) {
  return {
    keptColumns: notes.keptColumns,
    times: notes.times,
    unknownStates: notes.remarks('STATE_UNKNOWN'),
    unknownGres: notes.remarks('GRES_UNKNOWN'),
    suspended: sum(notes.remarks('SUSPENDED')),
    aboveMaxProcessors: notes.remarks('ABOVE_MAX_PROCESSORS'),
  };
}

/** The summary as commands print it: names as everywhere in snake_case. `covers`: what was recorded as covered. */
export function summaryRecord(
  summary: ImportSummary,
  covers: DeclaredCoverage | null,
): Readonly<Record<string, unknown>> {
  const snakeCase = (name: string): string =>
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return {
    ...Object.fromEntries(
      Object.entries(summary).map(([name, value]) => [snakeCase(name), value as unknown]),
    ),
    covers: covers === null ? null : coverageRecord(covers),
  };
}

function coverageRecord({ source, startAtMs, endAtMs }: DeclaredCoverage) {
  return { source, start: instantText(startAtMs), end: instantText(endAtMs) };
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

/** Number of rejected records. */
export function rejectedRecords(summary: Pick<ImportSummary, 'rejected'>): number {
  return sum(summary.rejected);
}

function changesOf(changes: ImportChanges | null, runs: number) {
  const corrections = changes?.corrections ?? null;
  const [added, kept, pinned] = [changes?.added ?? 0, changes?.kept ?? 0, changes?.pinned ?? 0];
  const [corrected, ended] = [corrections?.corrected ?? 0, corrections?.ended ?? 0];
  return {
    batch: changes === null ? null : String(changes.batch),
    new: added,
    corrected,
    ended,
    unchanged: changes === null ? 0 : runs - added - corrected - ended - kept - pinned,
    kept,
    pinned,
    correctedFields: corrections === null ? {} : correctedFields(corrections),
  };
}

function correctedFields(corrections: Corrections): Record<string, number> {
  const fields = {
    job: corrections.jobs_changed,
    user: corrections.users_changed,
    space: corrections.spaces_changed,
    pool: corrections.pools_changed,
    gpus: corrections.gpus_changed,
    start: corrections.starts_changed,
    end: corrections.ends_changed,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, count]) => count > 0));
}

/** The first rejected records, at most 20. */
export function firstRejects(session: Session): Promise<Reject[]> {
  return rejectsAfter(session, 0, SHOWN_REJECTS);
}
