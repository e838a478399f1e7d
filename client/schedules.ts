/**
 * The Schedules: four that wake the keeper and one that audits. Owns that they are as this program wants them while an
 * operator's pause stays; when they fire is domain/tick.ts, what is due then is the planner's. Interval specs only:
 * calendar specs skip or repeat periods when the clocks change.
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
import { SCHEDULED_SAMPLE, type AuditInput } from '../domain/audit.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { ids, SCHEDULE_NAMES, type ScheduleName } from '../domain/ids.js';
import type { Settings } from '../domain/settings.js';
import { AUDIT_TICK, tickOf } from '../domain/tick.js';
import { MS_PER_DAY, MS_PER_MINUTE } from '../domain/units.js';
import { limitsOf, type TickInput } from '../domain/workflow-input.js';
import type { usageAudit, usageTick } from '../workflows/index.js';
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
  readonly name: ScheduleName;
  readonly id: string;
  readonly everyMs: number;
  readonly isPaused: boolean;
  /** What was said when it was paused. */
  readonly note: string;
  readonly lastAtMs: number | null;
  readonly nextAtMs: number | null;
}

export type Applied = 'created' | 'changed' | 'unchanged';

/**
 * For how long a firing that the server missed is made up for. Missed ticks need not be: the planner sees what is
 * missing. A missed audit would be a day without one.
 */
const CATCHUP_WINDOW_MS: Readonly<Record<'tick' | 'audit', number>> = {
  tick: 10 * MS_PER_MINUTE,
  audit: MS_PER_DAY,
};

type Desired = ScheduleOptions & { readonly action: { readonly memo: { configHash: string } } };
type WorkflowName = keyof { usageTick: typeof usageTick; usageAudit: typeof usageAudit };

/** What one schedule starts. */
interface Started {
  readonly workflowType: WorkflowName;
  readonly args: [TickInput] | [AuditInput];
  readonly staticSummary: string;
}

function startedBy({ books, settings }: ScheduleContext, name: ScheduleName): Started {
  const common = { booksName: books.name, limits: limitsOf(settings) };
  if (name === 'audit') {
    return {
      workflowType: 'usageAudit',
      args: [{ ...common, sample: SCHEDULED_SAMPLE }],
      staticSummary: `recomputes a sample of the books ${books.name} from the runs`,
    };
  }
  return {
    workflowType: 'usageTick',
    args: [{ booksName: books.name, coarsest: name, limits: common.limits }],
    staticSummary: `wakes the keeper of ${books.name} for periods up to the ${name}`,
  };
}

async function desiredSchedule(context: ScheduleContext, name: ScheduleName): Promise<Desired> {
  const { books, calendar, settings } = context;
  const names = ids(books.name);
  const nowMs = await databaseNowMs(context.database);
  const { everyMs, offsetMs } =
    name === 'audit' ? AUDIT_TICK : tickOf(calendar, name, settings.graceMs, nowMs);
  const spec = { intervals: [{ every: everyMs, offset: offsetMs }] };
  const policies = {
    overlap: ScheduleOverlapPolicy.SKIP,
    catchupWindow: CATCHUP_WINDOW_MS[name === 'audit' ? name : 'tick'],
    pauseOnFailure: false,
  };
  const { workflowType, args, staticSummary } = startedBy(context, name);
  const action = {
    type: 'startWorkflow' as const,
    workflowType,
    workflowId: names.schedule(name),
    taskQueue: names.usageQueue,
    args,
    staticSummary,
  };
  const configHash = createHash('sha256')
    .update(JSON.stringify({ spec, policies, action }))
    .digest('hex');
  return {
    scheduleId: names.schedule(name),
    ...{ spec, policies },
    action: { ...action, memo: { configHash } },
  };
}

/**
 * Makes the schedules as this program wants them. Repeating it changes nothing; an operator's pause and its
 * note survive a change.
 */
export async function applySchedules(
  { client }: TemporalClient,
  context: ScheduleContext,
): Promise<Record<ScheduleName, Applied>> {
  const applied = await Promise.all(
    SCHEDULE_NAMES.map(async (name) => {
      const desired = await desiredSchedule(context, name);
      return [name, await applyOne(client.schedule, desired)] as const;
    }),
  );
  return Object.fromEntries(applied) as Record<ScheduleName, Applied>;
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
  if (isAsDesired(await handle.describe(), desired)) return 'unchanged';
  // An update that leaves out `state` ends an operator's pause without a word.
  await handle.update((previous) => ({ ...desired, state: previous.state }));
  return 'changed';
}

const isAsDesired = ({ action }: ScheduleDescription, desired: Desired): boolean =>
  action.memo?.['configHash'] === desired.action.memo.configHash;

/** In what a schedule is not as this program wants it. */
export interface ScheduleFault {
  readonly name: ScheduleName;
  readonly id: string;
  readonly is: 'missing' | 'changed' | 'paused';
  /** What was said when it was paused. */
  readonly note: string;
  /** When it fired last, or was made; 0 when it is missing. */
  readonly lastAtMs: number;
  readonly everyMs: number;
}

/** Whether a fault is a pause that somebody who is at work may have meant: it fired within the last day, or was due to. */
export function isShortPause({ is, lastAtMs, everyMs }: ScheduleFault, nowMs: number): boolean {
  return is === 'paused' && nowMs - lastAtMs <= MS_PER_DAY + everyMs;
}

/** Schedules that `applySchedules` would make or change, and those that are paused. Changes nothing. */
export async function scheduleFaults(
  { client }: TemporalClient,
  context: ScheduleContext,
): Promise<ScheduleFault[]> {
  const found = await Promise.all(
    SCHEDULE_NAMES.map(async (name): Promise<ScheduleFault[]> => {
      const desired = await desiredSchedule(context, name);
      const id = desired.scheduleId;
      const description = await describe(client.schedule.getHandle(id));
      if (description === null) {
        return [{ name, id, is: 'missing', note: '', lastAtMs: 0, everyMs: 0 }];
      }
      const { isPaused, note, everyMs, lastAtMs } = stateOf(name, id, description);
      const createdAtMs = description.info.createdAt.getTime();
      const fault = { name, id, note, everyMs, lastAtMs: lastAtMs ?? createdAtMs };
      return [
        ...(isAsDesired(description, desired) ? [] : [{ ...fault, is: 'changed' } as const]),
        ...(isPaused ? [{ ...fault, is: 'paused' } as const] : []),
      ];
    }),
  );
  return found.flat();
}

/** The schedules that exist, the hourly one first, the audit last. */
export async function listSchedules(
  { client }: TemporalClient,
  booksName: string,
): Promise<ScheduleState[]> {
  const found = await Promise.all(
    SCHEDULE_NAMES.map(async (name) => {
      const id = ids(booksName).schedule(name);
      const description = await describe(client.schedule.getHandle(id));
      return description === null ? [] : [stateOf(name, id, description)];
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
  name: ScheduleName,
  id: string,
  { spec, state, info }: ScheduleDescription,
): ScheduleState {
  return {
    ...{ name, id },
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
  name: ScheduleName,
  work: (handle: ScheduleHandle) => Promise<void>,
): Promise<void> {
  const id = ids(booksName).schedule(name);
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
  name: ScheduleName,
  note: string,
): Promise<void> {
  return onSchedule(temporal, booksName, name, (handle) => handle.pause(note));
}

/** Lets a schedule fire again. NOT_FOUND when it does not exist. */
export function unpauseSchedule(
  temporal: TemporalClient,
  booksName: string,
  name: ScheduleName,
  note: string,
): Promise<void> {
  return onSchedule(temporal, booksName, name, (handle) => handle.unpause(note));
}

/** Fires a schedule now, paused or not; two within one second are one. NOT_FOUND when it does not exist. */
export function triggerSchedule(
  temporal: TemporalClient,
  booksName: string,
  name: ScheduleName,
): Promise<void> {
  return onSchedule(temporal, booksName, name, (handle) =>
    handle.trigger(ScheduleOverlapPolicy.ALLOW_ALL),
  );
}
