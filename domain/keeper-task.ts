/**
 * What the keeper gives to its children: tasks of the plan, and chains of stale hours. Owns chains: a stale hour that
 * is built may make the next one stale and so on, so all stale hours of an unbroken range of the ledger are one
 * task, in time order. Built one by one, a later one would be judged by a carry that is about to change.
 */
import { fnv1a128 } from './fnv.js';
import type { Period, Span } from './period.js';
import type { PlannedPeriod } from './plan.js';
import { tasksOf, type Task } from './task.js';
import { subtract } from './spans.js';

export interface KeeperTask extends Task {
  /** A chain: its key is the first stale hour, and stale hours in this span are built. */
  readonly only?: Span;
}

/** More entries of a plan are not looked at: a task stands for its parts, so these make more tasks than are run. */
const LONGEST_LOOK = 2_000;

/**
 * The first `limit` tasks of a plan, in its order. `hours` are the ranges of hours in the ledger, `leftOut` ranges that
 * no chain may enter, both in time order.
 */
export function keeperTasks(
  build: readonly PlannedPeriod[],
  hours: readonly Span[],
  leftOut: readonly Span[],
  limit: number,
): KeeperTask[] {
  const isStaleHour = (period: PlannedPeriod): boolean =>
    period.granularity === 'hour' && period.reason === 'stale';
  const stale = build.filter(isStaleHour).sort((a, b) => a.startAtMs - b.startAtMs);
  const rest = build.filter((period) => !isStaleHour(period));
  const tasks: KeeperTask[] = tasksOf(rest.slice(0, LONGEST_LOOK), LONGEST_LOOK);
  const [first] = tasks;
  // The newest due hour stays first: people look at it.
  const fixed = first !== undefined && tasks.some((one) => one.endAtMs < first.endAtMs) ? 1 : 0;
  for (const chain of chainsOf(stale, subtract(hours, leftOut))) {
    const at = tasks.findIndex((task, index) => index >= fixed && task.endAtMs >= chain.endAtMs);
    tasks.splice(at === -1 ? tasks.length : at, 0, chain);
  }
  return tasks.slice(0, limit);
}

function chainsOf(stale: readonly PlannedPeriod[], ranges: readonly Span[]): KeeperTask[] {
  return ranges.flatMap((range) => {
    const inside = stale.filter(
      (hour) => hour.startAtMs >= range.startAtMs && hour.startAtMs < range.endAtMs,
    );
    const [first] = inside;
    return first === undefined ? [] : [chainOf(first, inside, range)];
  });
}

function chainOf(first: Period, inside: readonly PlannedPeriod[], range: Span): KeeperTask {
  const { granularity, startAtMs, endAtMs, label } = first;
  const inputs = inside.map((hour) => `${hour.startAtMs}=${hour.fingerprint}`);
  return {
    ...{ granularity, startAtMs, endAtMs, label },
    parts: inside.length - 1,
    fingerprint: fnv1a128(inputs.join(' ')),
    only: { startAtMs, endAtMs: range.endAtMs },
  };
}
