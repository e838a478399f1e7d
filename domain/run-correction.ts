/**
 * A correction by hand: given fields of a stored run, the others as they are. Owns what the values become, by the rules
 * that hold for every record (domain/run-record.ts); texts are the command's.
 */
import { JobhoursError } from './errors.js';
import { runOf, type RecordRules, type RunRecord } from './run-record.js';

/** What a correction can change. */
export type CorrectedValues = Pick<
  RunRecord,
  | 'user'
  | 'space'
  | 'pool'
  | 'milliGpus'
  | 'startedAtMs'
  | 'endedAtMs'
  | 'reportedEndedAtMs'
  | 'endIsEstimated'
>;

/** Given fields; an end of null = the run is still running. */
export interface RunCorrection {
  readonly user?: string;
  readonly space?: string;
  readonly pool?: string;
  readonly milliGpus?: number;
  readonly startedAtMs?: number;
  readonly endAtMs?: number | null;
}

/**
 * The values of a run after a correction. A given end is a reported one; a kept one is counted anew from what was
 * reported, because the minimum countable duration depends on the start. USAGE when nothing is given; TIME_FUTURE,
 * TIME_ORDER.
 */
export function correctedRun(
  stored: RunRecord,
  correction: RunCorrection,
  rules: RecordRules,
): CorrectedValues {
  if (Object.values(correction).every((value) => value === undefined)) {
    throw new JobhoursError(
      'USAGE',
      'nothing to correct: give --user, --space, --pool, --gpus, --start or --end',
    );
  }
  const { endAtMs } = correction;
  return runOf(
    {
      ...stored,
      user: correction.user ?? stored.user,
      space: correction.space ?? stored.space,
      pool: correction.pool ?? stored.pool,
      milliGpus: correction.milliGpus ?? stored.milliGpus,
      startedAtMs: correction.startedAtMs ?? stored.startedAtMs,
      end:
        endAtMs === undefined
          ? keptEnd(stored)
          : endAtMs === null
            ? null
            : { atMs: endAtMs, isEstimated: false },
    },
    rules,
  );
}

function keptEnd(stored: RunRecord): { atMs: number; isEstimated: boolean } | null {
  const atMs = stored.reportedEndedAtMs ?? stored.endedAtMs;
  return atMs === null ? null : { atMs, isEstimated: stored.endIsEstimated };
}
