/**
 * Tasks: what one child workflow is asked to build. Owns the cut of a plan into tasks: building a coarse period
 * builds its missing and stale parts too, so one task stands for all of them.
 */
import { fnv1a128 } from './fnv.js';
import { contains, PART_OF, type Granularity, type Period } from './period.js';
import type { PlannedPeriod } from './plan.js';

/** A period to build, with its missing and stale parts. */
export interface Task extends Period {
  /** Planned periods inside it that it stands for, itself not counted. */
  readonly parts: number;
  /** Equal as long as its own and its parts' fingerprints are: a task that built some of them made progress. */
  readonly fingerprint: string;
}

/**
 * The first `limit` entries of a plan as tasks, in the plan's order. An entry that a coarser one of the same
 * slice is made of has no task of its own, except the newest due hour, which stays first: people look at it. `limit` >= 0.
 */
export function tasksOf(build: readonly PlannedPeriod[], limit: number): Task[] {
  const slice = build.slice(0, limit);
  const newest = newestHour(build);
  return slice
    .filter((period) => period === newest || !slice.some((whole) => isPart(period, whole)))
    .map((period) => taskOf(period, slice));
}

function taskOf(whole: PlannedPeriod, slice: readonly PlannedPeriod[]): Task {
  const parts = slice.filter((period) => isPart(period, whole));
  const { granularity, startAtMs, endAtMs, label } = whole;
  const inputs = parts.map((part) => `${part.granularity}/${part.startAtMs}=${part.fingerprint}`);
  return {
    granularity,
    startAtMs,
    endAtMs,
    label,
    parts: parts.length,
    fingerprint:
      parts.length === 0 ? whole.fingerprint : fnv1a128([whole.fingerprint, ...inputs].join(' ')),
  };
}

/** A week inside a month is no part of it: weeks and months are made of days. */
function isPart(period: Period, whole: Period): boolean {
  return isMadeOf(whole.granularity, period.granularity) && contains(whole, period);
}

function isMadeOf(whole: Granularity, part: Granularity): boolean {
  const direct = PART_OF[whole];
  return direct !== null && (direct === part || isMadeOf(direct, part));
}

/** The first entry, when it is an hour and none ends later: the plan put it there (or it is the only one). */
function newestHour(build: readonly PlannedPeriod[]): PlannedPeriod | null {
  const [first] = build;
  if (first?.granularity !== 'hour') return null;
  const isLater = build.some(
    (period) => period.granularity === 'hour' && period.endAtMs > first.endAtMs,
  );
  return isLater ? null : first;
}
