/** This machine's clock against the database's, for people who look at the books. */
import { requireClock } from '../db/clock.js';
import type { Session } from '../db/database.js';
import { isJobhoursError } from '../domain/errors.js';

/** Null when both agree within 5 minutes, else what is wrong and what to do: by such a clock no worker builds. */
export async function clockWarning(session: Session): Promise<string | null> {
  try {
    await requireClock(session, Date.now);
    return null;
  } catch (error) {
    if (isJobhoursError(error, 'CLOCK_SKEW')) return error.message;
    throw error;
  }
}
