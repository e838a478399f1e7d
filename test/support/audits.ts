/** Audits of test databases, and runs that make them worth while. */
import { auditPeriods } from '../../client/period-audit.js';
import type { AuditReport } from '../../domain/audit.js';
import type { Calendar } from '../../domain/calendar.js';
import type { Span } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import type { TestDatabase } from './database.js';
import type { NewRun } from './runs.js';
import { seededRandom } from './seeded-random.js';

export const silent = (): void => undefined;

/** What `periods check --deep` finds. */
export function deepCheck(
  test: TestDatabase,
  calendar: Calendar,
  options: { sample?: number; seed?: number; range?: Partial<Span> } = {},
): Promise<AuditReport> {
  const { sample = null, seed = null, range = {} } = options;
  return auditPeriods(test.database, calendar, { rangeAt: () => range, sample, seed }, silent);
}

/** Runs with every kind of edge: on hour boundaries, one ms beside them, of no length, over weeks, open. */
export function oddRuns(fromMs: number, lengthMs: number, count: number, seed: number): NewRun[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, (_, n) => {
    const hourMs = fromMs + random.integer(-5, lengthMs / MS_PER_HOUR) * MS_PER_HOUR;
    const startedAtMs = hourMs + random.pick([0, 0, 1, -1, random.integer(0, MS_PER_HOUR)]);
    const lengthsMs = [
      0,
      1,
      MS_PER_HOUR,
      MS_PER_HOUR - 1,
      3 * MS_PER_HOUR,
      9 * MS_PER_DAY,
      7_654_321,
    ];
    const endedAtMs = random.chance(0.05) ? null : startedAtMs + random.pick(lengthsMs);
    const user = `u${random.integer(0, 4)}`;
    const pool = random.pick(['-', 'a100']);
    const milliGpus = random.pick([0, 250, 1_000, 8_000]);
    return { key: `run-${n}`, user, pool, milliGpus, startedAtMs, endedAtMs };
  });
}
