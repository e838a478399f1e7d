/** Who used most in one month, for the demo's first screen. Owns the order; the figures are the report's. */
import { databaseNowMs } from '../db/books-store.js';
import type { Period } from '../domain/period.js';
import { gpuHoursText, hoursText } from '../domain/units.js';
import type { OpenBooks } from './open-books.js';
import { withUsageReport, type UsageRow } from './usage-report.js';

/** One user's month, amounts as text: hours with 2 digits, half to even. */
export interface UserMonth {
  readonly user: string;
  readonly gpuHours: string;
  readonly runHours: string;
  readonly runsStarted: string;
}

/** The previous calendar month of the books zone. */
export interface TopUsers {
  readonly month: Period;
  /** At most as many as asked for, the most GPU time first. */
  readonly top: readonly UserMonth[];
  /** Users with a run in that month. */
  readonly users: number;
}

/** The users with the most GPU time in the previous month. */
export async function topUsers(open: OpenBooks, limit: number): Promise<TopUsers> {
  const { calendar } = open;
  const nowMs = await databaseNowMs(open.database);
  const month = calendar.previous(calendar.periodAt('month', nowMs));
  const filter = { user: null, space: null, pool: null };
  const request = { windowAt: () => month, step: 'none' as const, by: ['user' as const], filter };
  return withUsageReport(open.database, open.calendar, request, async ({ rows }) => {
    const all: UsageRow[] = [];
    for await (const row of rows) all.push(row);
    all.sort((a, b) => Number(b.milliGpuMs - a.milliGpuMs));
    const top = all.slice(0, limit).map(({ user, milliGpuMs, runMs, runsStarted }) => ({
      user: user ?? '-',
      gpuHours: gpuHoursText(milliGpuMs, 2),
      runHours: hoursText(runMs, 2),
      runsStarted: String(runsStarted),
    }));
    return { month, top, users: all.length };
  });
}
