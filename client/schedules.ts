/**
 * The four Schedules that wake the keeper. Owns their specs and that they are as this program wants them while an
 * operator's pause stays; what is due when one fires is the planner's. Interval specs only: calendar specs skip or
 * repeat periods when the clocks change.
 */
import { createHash } from 'node:crypto';
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleDescription,
  type ScheduleHandle,
  type ScheduleOptions,
} from '@temporalio/client';
import { databaseNowMs, type Books } from '../db/books-store.js';
import type { Session } from '../db/database.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { ids } from '../domain/ids.js';
import { GRANULARITIES, type Granularity } from '../domain/period.js';
import type { Settings } from '../domain/settings.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from '../domain/units.js';
import { limitsOf, type TickInput } from '../domain/workflow-input.js';
import type { usageTick } from '../workflows/index.js';
import type { TemporalClient } from './temporal.js';

/** Whose schedules they are. */
export interface ScheduleContext {
  readonly database: Session;
  readonly books: Books;
  readonly calendar: Calendar;
  readonly settings: Pick<
    Settings,
    'graceMs' | 'planTimeoutMs' | 'heartbeatTimeoutMs' | 'buildTimeoutMs'
  >;
}

/** What `schedule list` shows. Instants in ms. */
export interface ScheduleState {
  readonly granularity: Granularity;
  readonly id: string;
  readonly everyMs: number;
  readonly isPaused: boolean;
  /** What was said when it was paused. */
  readonly note: string;
  readonly lastAtMs: number | null;
  readonly nextAtMs: number | null;
}

export type Applied = 'created' | 'changed' | 'unchanged';

/** The servers' clocks may differ a little: a tick that comes too early would be an hour late. */
const MARGIN_MS = 5 * MS_PER_SECOND;
/** How far the others come after the hourly one. */
const STAGGER_MS: Readonly<Record<Granularity, number>> = {
  hour: 0,
  day: 5 * MS_PER_MINUTE,
  week: 10 * MS_PER_MINUTE,
  month: 15 * MS_PER_MINUTE,
};
/** Missed ticks need not be caught up: the planner sees what is missing. */
const CATCHUP_WINDOW_MS = 10 * MS_PER_MINUTE;
/** Hour boundaries are judged from a day back to a year ahead. */
const AHEAD_MS = 366 * MS_PER_DAY;

type Desired = ScheduleOptions & { readonly action: { readonly memo: { configHash: string } } };

async function desiredSchedule(
  context: ScheduleContext,
  granularity: Granularity,
): Promise<Desired> {
  const { books, calendar, settings } = context;
  const names = ids(books.name);
  const nowMs = await databaseNowMs(context.database);
  const everyMs =
    granularity === 'hour'
      ? calendar.hourBoundaryMinutes(nowMs - MS_PER_DAY, nowMs + AHEAD_MS) * MS_PER_MINUTE
      : MS_PER_HOUR;
  const input: TickInput = {
    booksName: books.name,
    coarsest: granularity,
    limits: limitsOf(settings),
  };
  const spec = {
    intervals: [
      {
        every: everyMs,
        offset: (settings.graceMs + MARGIN_MS + STAGGER_MS[granularity]) % everyMs,
      },
    ],
  };
  const policies = {
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: CATCHUP_WINDOW_MS,
    pauseOnFailure: false,
  };
  const action = {
    type: 'startWorkflow' as const,
    workflowType: 'usageTick' satisfies keyof { usageTick: typeof usageTick },
    workflowId: names.schedule(granularity),
    taskQueue: names.usageQueue,
    args: [input],
    staticSummary: `wakes the keeper of ${books.name} for periods up to the ${granularity}`,
  };
  const configHash = createHash('sha256')
    .update(JSON.stringify({ spec, policies, action }))
    .digest('hex');
  return {
    scheduleId: names.schedule(granularity),
    ...{ spec, policies },
    action: { ...action, memo: { configHash } },
  };
}

/**
 * Makes the four schedules as this program wants them. Repeating it changes nothing; an operator's pause and its
 * note survive a change.
 */
export async function applySchedules(
  { client }: TemporalClient,
  context: ScheduleContext,
): Promise<Record<Granularity, Applied>> {
  const applied = await Promise.all(
    GRANULARITIES.map(async (granularity) => {
      const desired = await desiredSchedule(context, granularity);
      return [granularity, await applyOne(client.schedule, desired)] as const;
    }),
  );
  return Object.fromEntries(applied) as Record<Granularity, Applied>;
}

async function applyOne(
  schedules: TemporalClient['client']['schedule'],
  desired: Desired,
): Promise<Applied> {
  try {
    await schedules.create(desired);
    return 'created';
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
  const handle = schedules.getHandle(desired.scheduleId);
  const { action } = await handle.describe();
  if (action.memo?.['configHash'] === desired.action.memo.configHash) return 'unchanged';
  // An update that leaves out `state` ends an operator's pause without a word.
  await handle.update((previous) => ({ ...desired, state: previous.state }));
  return 'changed';
}

/** The schedules that exist, the hourly one first. */
export async function listSchedules(
  { client }: TemporalClient,
  booksName: string,
): Promise<ScheduleState[]> {
  const found = await Promise.all(
    GRANULARITIES.map(async (granularity) => {
      const id = ids(booksName).schedule(granularity);
      const description = await describe(client.schedule.getHandle(id));
      return description === null ? [] : [stateOf(granularity, id, description)];
    }),
  );
  return found.flat();
}

async function describe(handle: ScheduleHandle): Promise<ScheduleDescription | null> {
  try {
    return await handle.describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return null;
    throw error;
  }
}

function stateOf(
  granularity: Granularity,
  id: string,
  { spec, state, info }: ScheduleDescription,
): ScheduleState {
  return {
    ...{ granularity, id },
    everyMs: spec.intervals?.[0]?.every ?? 0,
    isPaused: state.paused,
    note: state.note ?? '',
    lastAtMs: info.recentActions.at(-1)?.takenAt.getTime() ?? null,
    nextAtMs: state.paused ? null : (info.nextActionTimes[0]?.getTime() ?? null),
  };
}

async function onSchedule(
  { client }: TemporalClient,
  booksName: string,
  granularity: Granularity,
  work: (handle: ScheduleHandle) => Promise<void>,
): Promise<void> {
  const id = ids(booksName).schedule(granularity);
  try {
    await work(client.schedule.getHandle(id));
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    throw new JobhoursError('NOT_FOUND', `there is no schedule ${id}: jobhours schedule apply`);
  }
}

/** Stops a schedule from firing until it is unpaused. NOT_FOUND when it does not exist. */
export function pauseSchedule(
  temporal: TemporalClient,
  booksName: string,
  granularity: Granularity,
  note: string,
): Promise<void> {
  return onSchedule(temporal, booksName, granularity, (handle) => handle.pause(note));
}

/** Lets a schedule fire again. NOT_FOUND when it does not exist. */
export function unpauseSchedule(
  temporal: TemporalClient,
  booksName: string,
  granularity: Granularity,
  note: string,
): Promise<void> {
  return onSchedule(temporal, booksName, granularity, (handle) => handle.unpause(note));
}

/** Fires a schedule now, paused or not; two within one second are one. NOT_FOUND when it does not exist. */
export function triggerSchedule(
  temporal: TemporalClient,
  booksName: string,
  granularity: Granularity,
): Promise<void> {
  return onSchedule(temporal, booksName, granularity, (handle) =>
    handle.trigger(ScheduleOverlapPolicy.ALLOW_ALL),
  );
}
