/**
 * Pausing, unpausing and cancelling backfills. Owns the order: PostgreSQL keeps what the operator wants, then the
 * workflow is told; so repeating the command after a crash, or the keeper's next look, completes it.
 */
import { WorkflowNotFoundError } from '@temporalio/common';
import {
  cancelBackfill as noteCancel,
  endBackfill,
  findBackfill,
  pauseBackfill as notePause,
  type Backfill,
} from '../db/backfill-store.js';
import type { Session } from '../db/database.js';
import { JobhoursError } from '../domain/errors.js';
import { ids } from '../domain/ids.js';
import { quotedValue } from '../domain/quoted-value.js';
import type { BackfillContext } from './backfill.js';
import { requireBackfill } from './backfill-view.js';
import type { TemporalClient } from './temporal.js';

type Context = Pick<BackfillContext, 'database' | 'books' | 'calendar'>;

/** How long a cancelled backfill may take to stop: one build, and a heartbeat that tells its worker. */
const CANCEL_WAIT_MS = 60_000;
const LOOK_EVERY_MS = 200;

/** NOT_FOUND; BACKFILL_ENDED when it is not open. */
async function requireOpen(session: Session, name: string): Promise<Backfill> {
  const backfill = requireBackfill(await findBackfill(session, name), name);
  if (backfill.endedAtMs === null) return backfill;
  throw new JobhoursError(
    'BACKFILL_ENDED',
    `backfill ${quotedValue(name)} has ended: ${backfill.outcome ?? ''}; nothing is changed`,
  );
}

/** True when its workflow heard `message`; false when it does not run now. */
async function told(message: () => Promise<unknown>): Promise<boolean> {
  try {
    await message();
    return true;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/**
 * Pauses a backfill (no new month begins; those that are being built are finished) or lets it go on. Doing it twice is
 * doing it once. One whose workflow does not run now begins paused when it is started again. NOT_FOUND, BACKFILL_ENDED.
 */
export async function pauseBackfill(
  { client }: TemporalClient,
  { database, books }: Context,
  name: string,
  isPaused: boolean,
): Promise<Backfill> {
  await requireOpen(database, name);
  await notePause(database, name, isPaused);
  const handle = client.workflow.getHandle(ids(books.name).backfill(name));
  await told(() => handle.signal('pause', isPaused));
  return requireBackfill(await findBackfill(database, name), name);
}

/**
 * Cancels a backfill and returns it when it has ended; it stops between two periods, and what was built stays. Calls
 * `onTold` when the wait begins.
 * NOT_FOUND, BACKFILL_ENDED; TIMEOUT when it has not ended after 60 s (the cancellation stays).
 */
export async function cancelBackfill(
  { client }: TemporalClient,
  { database, books, calendar }: Context,
  name: string,
  onTold: () => void = () => undefined,
): Promise<Backfill> {
  await requireOpen(database, name);
  await noteCancel(database, name);
  const handle = client.workflow.getHandle(ids(books.name).backfill(name));
  if (!(await told(() => handle.cancel()))) {
    await endBackfill(database, calendar, name, 'cancelled');
  }
  onTold();
  const deadlineMs = performance.now() + CANCEL_WAIT_MS;
  for (;;) {
    const backfill = requireBackfill(await findBackfill(database, name), name);
    if (backfill.endedAtMs !== null) return backfill;
    if (performance.now() > deadlineMs) throw tooLate(name);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function tooLate(name: string): JobhoursError {
  return new JobhoursError(
    'TIMEOUT',
    `backfill ${quotedValue(name)} is being cancelled, but has not stopped within ${CANCEL_WAIT_MS / 1_000} s: is a worker running? See: jobhours backfill show ${quotedValue(name)}`,
  );
}
