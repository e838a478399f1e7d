/**
 * The lock of a period: the mutual exclusion of its builders (workflow ids are only names for the operator).
 * Two integers, so that the locks held just now can be listed.
 */
import { GRANULARITIES, type Granularity } from '../domain/period.js';
import { MS_PER_MINUTE } from '../domain/units.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

/** Lock classes of the granularities begin here; any number that no other program of the database uses. */
const FIRST_CLASS = 7_410_001;

const sql = statements('period-lock', {
  lock: { params: { lockClass: 'int4', minute: 'int4' }, row: {} },
  held: {
    params: { firstClass: 'int4', lastClass: 'int4' },
    row: { lock_class: 'int4', minute: 'count' },
  },
});

/** Waits for the period's lock and holds it until the transaction ends. A statement of its own (ledger.md A1). */
export async function lockPeriod(
  session: Session,
  granularity: Granularity,
  startAtMs: number,
): Promise<void> {
  await session.execute(sql.lock, {
    lockClass: FIRST_CLASS + GRANULARITIES.indexOf(granularity),
    minute: startAtMs / MS_PER_MINUTE,
  });
}

/** Periods that are being built at this instant. */
export async function lockedPeriods(
  session: Session,
): Promise<{ granularity: Granularity; startAtMs: number }[]> {
  const held = await session.rows(sql.held, {
    firstClass: FIRST_CLASS,
    lastClass: FIRST_CLASS + GRANULARITIES.length - 1,
  });
  return held.flatMap((lock) => {
    const granularity = GRANULARITIES[lock.lock_class - FIRST_CLASS];
    return granularity === undefined
      ? []
      : [{ granularity, startAtMs: lock.minute * MS_PER_MINUTE }];
  });
}
