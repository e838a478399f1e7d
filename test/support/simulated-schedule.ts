/**
 * Weeks of the schedules in simulated time: when they fire, what has come in by then, and what the keeper does. The
 * instants lie in the past, so that the database's clock is later than all of them. Owns the simulated clock; what is
 * planned is domain/plan.ts, and what is built is activities/aggregate.ts, as in a worker.
 */
import { readBooks } from '../../db/books-store.js';
import { readLedgerState } from '../../db/ledger-store.js';
import type { Calendar } from '../../domain/calendar.js';
import { keeperTasks } from '../../domain/keeper-task.js';
import type { Granularity, Span } from '../../domain/period.js';
import { GRANULARITIES } from '../../domain/period.js';
import { periodKey, plan } from '../../domain/plan.js';
import { nextTickAtMs, tickOf } from '../../domain/tick.js';
import { MS_PER_DAY, MS_PER_MINUTE, MS_PER_SECOND } from '../../domain/units.js';
import type { TestDatabase } from './database.js';
import { aggregateNow, insertRuns, USAGE_TABLES, type NewRun } from './runs.js';
import type { SeededRandom } from './seeded-random.js';

export const GRACE_MS = 2 * MS_PER_MINUTE;
const CATCH_UP_MS = 45 * MS_PER_DAY;
const TASKS = 50;
/** A keeper that plans more often for one tick goes round in circles. */
const MOST_PLANS = 40;

/** A schedule that fires. */
export interface Tick {
  readonly atMs: number;
  readonly coarsest: Granularity;
}

/** When the four schedules fire in a span. */
export function ticksOf(calendar: Calendar, { startAtMs, endAtMs }: Span): Tick[] {
  const ticks = GRANULARITIES.flatMap((coarsest) => {
    const tick = tickOf(calendar, coarsest, GRACE_MS, startAtMs);
    const firstAtMs = nextTickAtMs(tick, startAtMs - 1);
    const count = Math.max(0, Math.ceil((endAtMs - firstAtMs) / tick.everyMs));
    return Array.from({ length: count }, (_, n) => ({
      atMs: firstAtMs + n * tick.everyMs,
      coarsest,
    }));
  });
  return ticks.sort((a, b) => a.atMs - b.atMs);
}

export interface Kept {
  plans: number;
  /** Periods of every granularity. */
  built: number;
  failed: number;
}

export const addKept = (a: Kept, b: Kept): Kept => ({
  plans: a.plans + b.plans,
  built: a.built + b.built,
  failed: a.failed + b.failed,
});

/**
 * One plan at a simulated instant, and what it says is built. Null: nothing is left to do. What failed before is left
 * out, and what fails now is added to it.
 */
export async function keepOnce(
  test: TestDatabase,
  calendar: Calendar,
  { atMs, coarsest }: Tick,
  failed: Set<string>,
): Promise<Kept | null> {
  const { originAtMs, ledger } = await test.database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    async (session) => ({
      originAtMs: (await readBooks(session))?.originAtMs ?? null,
      ledger: await readLedgerState(session),
    }),
  );
  const planned = plan({
    ...{ nowMs: atMs, graceMs: GRACE_MS, catchUpMs: CATCH_UP_MS, calendar, originAtMs, coarsest },
    ...{ ledger: ledger.ranges, stale: ledger.stale, leftOut: [], failed },
  });
  const tasks = keeperTasks(planned.build, ledger.ranges.hour, [], TASKS);
  if (tasks.length === 0) return null;
  const kept: Kept = { plans: 1, built: 0, failed: 0 };
  for (const task of tasks) {
    const did = await aggregateNow(test, calendar, { ...task, reprocess: 'stale' });
    kept.built += did.hoursBuilt + did.daysBuilt + did.weeksBuilt + did.monthsBuilt;
    kept.failed += did.failed.length;
    for (const period of did.failed) failed.add(periodKey(period));
  }
  return kept;
}

/** What the keeper does when it is woken at a simulated instant: plans and builds until nothing is left to do. */
export async function keep(test: TestDatabase, calendar: Calendar, tick: Tick): Promise<Kept> {
  const failed = new Set<string>();
  let total: Kept = { plans: 1, built: 0, failed: 0 };
  while (total.plans < MOST_PLANS) {
    const kept = await keepOnce(test, calendar, tick, failed);
    if (kept === null) return total;
    total = addKept(total, kept);
  }
  throw new Error(`the keeper planned ${MOST_PLANS} times at ${tick.atMs} and is not done`);
}

/** Something that comes in at a simulated instant: a run, its end, or a correction of its GPUs. */
export type Arrival =
  | { readonly atMs: number; readonly run: NewRun }
  | { readonly atMs: number; readonly key: string; readonly endedAtMs: number }
  | { readonly atMs: number; readonly key: string; readonly milliGpus: number };

/**
 * Runs of every length that come in during a span, in the order of their coming: most at once, some only when they are
 * over, some days late. All of them are there at the end of the span, and all that ended by then are closed.
 */
export function arrivalsOf(span: Span, count: number, random: SeededRandom): Arrival[] {
  const { startAtMs, endAtMs } = span;
  const arrivals = Array.from({ length: count }, (_, n): Arrival[] => {
    const startedAtMs = random.integer(startAtMs - 2 * MS_PER_DAY, endAtMs - 1);
    const endedAtMs = startedAtMs + Math.floor(10 ** (random.next() * 8.6)) - 1;
    const run = {
      ...{ key: `run-${n}`, user: `u${n % 6}`, space: `s${n % 2}` },
      ...{ milliGpus: random.integer(0, 8) * 500, startedAtMs, endedAtMs },
    };
    const open = { ...run, endedAtMs: null };
    const soonMs = random.integer(0, 90 * MS_PER_SECOND);
    const lateMs = random.chance(0.2) ? random.integer(0, 3 * MS_PER_DAY) : soonMs;
    const comesAtMs = Math.max(startAtMs, startedAtMs + soonMs);
    if (endedAtMs + lateMs >= endAtMs) return [{ atMs: comesAtMs, run: open }];
    const closesAtMs = Math.max(comesAtMs, endedAtMs + lateMs);
    const closed: Arrival[] = random.chance(0.6)
      ? [
          { atMs: comesAtMs, run: open },
          { atMs: closesAtMs, key: run.key, endedAtMs },
        ]
      : [{ atMs: closesAtMs, run }];
    if (random.chance(0.1)) {
      closed.push({ atMs: (closesAtMs + endAtMs) / 2, key: run.key, milliGpus: 250 });
    }
    return closed;
  });
  return arrivals.flat().sort((a, b) => a.atMs - b.atMs);
}

/** Hands over what has come in by an instant, in order. */
export class Inbox {
  private next = 0;
  constructor(
    private readonly test: TestDatabase,
    private readonly arrivals: readonly Arrival[],
  ) {}

  async takeUntil(atMs: number): Promise<void> {
    const from = this.next;
    while ((this.arrivals[this.next]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) this.next += 1;
    const come = this.arrivals.slice(from, this.next);
    const runs = come.flatMap((one) => ('run' in one ? [one.run] : []));
    if (runs.length > 0) await insertRuns(this.test, runs);
    for (const one of come) {
      if ('endedAtMs' in one) {
        await this.test.query('update run set ended_at_ms = $2 where record_key = $1', [
          one.key,
          one.endedAtMs,
        ]);
      } else if ('milliGpus' in one) {
        await this.test.query('update run set milli_gpus = $2 where record_key = $1', [
          one.key,
          one.milliGpus,
        ]);
      }
    }
  }
}

/** Every aggregate and the whole ledger, and the runs when asked. Usage keys stay, so that digests can be compared. */
export async function dropBooks(test: TestDatabase, andRuns: boolean): Promise<void> {
  const tables = [...Object.values(USAGE_TABLES), 'period', ...(andRuns ? ['run'] : [])];
  for (const table of [...tables, 'usage_change']) await test.query(`delete from ${table}`);
}
