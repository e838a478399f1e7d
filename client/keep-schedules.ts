/**
 * Schedules that stay: applied when a worker starts and again and again, because a Temporal that lost its database has
 * lost them too, and nothing would tick. Owns when; what they are is client/schedules.ts.
 */
import { MS_PER_MINUTE } from '../domain/units.js';
import { limitsOf } from '../domain/workflow-input.js';
import { wakeKeeper } from './keeper.js';
import { applySchedules, type ScheduleContext } from './schedules.js';
import type { TemporalClient } from './temporal.js';

/** Rare enough to cost nothing, often enough that no tick of an hour is missed. */
const AGAIN_MS = 5 * MS_PER_MINUTE;

/**
 * Applies the schedules and wakes the keeper, so that what is missing is mended without waiting for the next tick. Does
 * both again, every 5 minutes, when schedules are gone. Returns what ends that. The first time errors are thrown;
 * later ones pass, because the next time is near.
 */
export async function keepSchedules(
  temporal: TemporalClient,
  context: ScheduleContext,
  againMs = AGAIN_MS,
): Promise<() => Promise<void>> {
  const wake = (): Promise<void> =>
    wakeKeeper(temporal, context.books.name, 'month', limitsOf(context.settings));
  const again = async (): Promise<void> => {
    const applied = await applySchedules(temporal, context);
    if (Object.values(applied).includes('created')) await wake();
  };
  await applySchedules(temporal, context);
  await wake();
  const timer = setInterval(() => void again().catch(() => undefined), againMs);
  return () => {
    clearInterval(timer);
    return Promise.resolve();
  };
}
