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

export interface KeepingOptions {
  /** Takes a line when schedules cannot be looked at any more, and one when they can. */
  readonly note: (text: string) => void;
  /** How often; absent: every 5 minutes. */
  readonly againMs?: number;
}

/**
 * Applies the schedules and wakes the keeper, so that what is missing is mended without waiting for the next tick. Looks
 * again and again, and does both when schedules are gone. Returns what ends that. The first time errors are thrown;
 * later ones are noted once, because the next time is near.
 */
export async function keepSchedules(
  temporal: TemporalClient,
  context: ScheduleContext,
  { note, againMs = AGAIN_MS }: KeepingOptions,
): Promise<() => Promise<void>> {
  const wake = (): Promise<void> =>
    wakeKeeper(temporal, context.books.name, 'month', limitsOf(context.settings));
  await applySchedules(temporal, context);
  await wake();
  let isTroubled = false;
  const again = async (): Promise<void> => {
    try {
      const applied = await applySchedules(temporal, context);
      if (Object.values(applied).includes('created')) {
        note('the schedules were gone from Temporal and are made again');
        await wake();
      }
      if (isTroubled) note('the schedules are looked at again');
      isTroubled = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!isTroubled) note(`the schedules could not be looked at, tried again: ${reason}`);
      isTroubled = true;
    }
  };
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = again();
  }, againMs);
  return () => {
    clearInterval(timer);
    return looking;
  };
}
