/**
 * What the demo verifies before it calls itself ready: are the books complete, and does the previous month add
 * up. Owns the judgement; the figures come from the stores.
 */
import { databaseNowMs, readBooks } from '../db/books-store.js';
import { readLedgerState } from '../db/ledger-store.js';
import { tallyMonth, type MonthTally } from '../db/tally-store.js';
import type { Period } from '../domain/period.js';
import { plan } from '../domain/plan.js';
import { gpuHoursText, hoursText } from '../domain/units.js';
import type { OpenBooks } from './open-books.js';

export { countContents } from '../db/tally-store.js';

/** The previous calendar month of the books zone, counted four times. */
export interface MonthCheck {
  readonly month: Period;
  readonly tally: MonthTally;
  /** True when month, days, hours and clipped runs agree to the last ms, for every usage key. */
  readonly isEqual: boolean;
  /** The figures in words. */
  readonly text: string;
}

/** Counts the calendar month before the one that `givenNowMs` lies in, the database's now unless one is given. */
export async function checkPreviousMonth(
  open: OpenBooks,
  givenNowMs?: number,
): Promise<MonthCheck> {
  const { calendar } = open;
  const nowMs = givenNowMs ?? (await databaseNowMs(open.database));
  const month = calendar.previous(calendar.periodAt('month', nowMs));
  const tally = await tallyMonth(open.database, month);
  const sums = [tally.month, tally.days, tally.hours, tally.runs];
  const isEqual =
    tally.differingKeys === 0 &&
    sums.every(
      ({ runMs, milliGpuMs }) => runMs === tally.runs.runMs && milliGpuMs === tally.runs.milliGpuMs,
    );
  return { month, tally, isEqual, text: isEqual ? equalText(tally) : differenceText(tally) };
}

function equalText({ runs }: MonthTally): string {
  return (
    'month = days = hours = run lengths: ' +
    `${gpuHoursText(runs.milliGpuMs)} GPU-hours, ${hoursText(runs.runMs)} run hours`
  );
}

function differenceText({ month, days, hours, runs, differingKeys }: MonthTally): string {
  const amounts = Object.entries({ month, days, hours, 'run lengths': runs }).map(
    ([name, { runMs, milliGpuMs }]) => `${name} ${runMs} run ms and ${milliGpuMs} milli-GPU-ms`,
  );
  return `DIFFERENT for ${differingKeys} usage keys: ${amounts.join(', ')}`;
}

/** Periods that are over but missing or stale, of every granularity; 0 = the books are up to date. */
export async function countPending(open: OpenBooks): Promise<number> {
  const { database, calendar, settings } = open;
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const books = await readBooks(session);
    const state = await readLedgerState(session);
    if (books === null || books.originAtMs === null) return 1;
    const { build, blocked, beyondReach } = plan({
      nowMs: state.nowMs,
      graceMs: settings.graceMs,
      catchUpMs: settings.catchUpMs,
      calendar,
      originAtMs: books.originAtMs,
      ledger: state.ranges,
      stale: state.stale,
      coarsest: 'month',
      leftOut: [],
      failed: new Set(),
    });
    const beyond = beyondReach.reduce((sum, { periods }) => sum + periods, 0);
    return build.length + blocked.length + beyond;
  });
}
