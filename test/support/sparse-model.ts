/**
 * The sparse random model of ledger.md section 1: writers and builders at once on a real database, in books of odd
 * hours. Edits lie in about three hours and are few, so that the other hours stay clean: where every hour is stale at
 * the end, what was lost is repaired by accident and no error is seen. Owns the rounds; what writers do is
 * random-writer.ts, what is to be built model-work.ts, what must hold ledger-proof.ts and reader-proof.ts.
 */
import type pg from 'pg';
import type { StalePeriod } from '../../domain/ledger.js';
import type { Period } from '../../domain/period.js';
import { MS_PER_DAY } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from './database.js';
import { ledgerFaults } from './ledger-proof.js';
import { modelWork, realBuilder, type ModelBuilder } from './model-work.js';
import { OddCalendar } from './odd-calendar.js';
import { readOnce } from './reader-proof.js';
import {
  insertRandomRuns,
  noWriterCounts,
  writeOnce,
  writerClient,
  type WriterCounts,
  type WriterScope,
} from './random-writer.js';
import { insertRuns, setOrigin, USAGE_TABLES } from './runs.js';
import { seededRandom, type SeededRandom } from './seeded-random.js';

const WRITERS = 5;
const BUILDERS = 3;
const RUNS = 24;
const WINDOW_HOURS = 3;
/** Inside transactions, so that they meet each other. */
const LONGEST_SLEEP_MS = 6;
/** Before a writer's transaction, so that they do not all begin together. */
const LONGEST_REST_MS = 80;
/** A fixpoint needs about one pass for each period; far more means that it does not end. */
const MOST_PASSES = 300;

/** What a planted error changes; nothing is the product. */
export interface ModelChanges {
  /** A builder with a connection of its own. */
  readonly builder?: (test: TestDatabase) => Promise<ModelBuilder>;
  /** False: the planner does not see that this period is stale. */
  readonly sees?: (stale: StalePeriod) => boolean;
  /** Changes the functions of the database. */
  readonly plant?: (test: TestDatabase) => Promise<void>;
}

export interface ModelCounts extends WriterCounts {
  rounds: number;
  /** Builds tried while others wrote and built. */
  passes: number;
  /** Builds tried by one worker alone. */
  settlingPasses: number;
  /** Builds that lost against another transaction. */
  replans: number;
  /** Ledger rows deleted by hand. */
  rowsLost: number;
  /** Good periods that readers compared with the runs while others wrote and built. */
  reads: number;
  /** Periods compared with the fresh computation. */
  comparisons: number;
  wrong: number;
}

/** What one round ended with; no faults = exact books. */
export interface RoundResult {
  readonly seed: number;
  readonly faults: readonly unknown[];
}

export class SparseModel {
  readonly counts: ModelCounts = {
    ...noWriterCounts(),
    ...{
      rounds: 0,
      passes: 0,
      settlingPasses: 0,
      replans: 0,
      rowsLost: 0,
      reads: 0,
      comparisons: 0,
      wrong: 0,
    },
  };
  private constructor(
    readonly test: TestDatabase,
    private readonly sees: (stale: StalePeriod) => boolean,
    private readonly writers: readonly pg.Client[],
    private readonly builders: readonly ModelBuilder[],
    private readonly builder: ModelBuilder,
    private readonly reader: pg.Client,
    private readonly usageKeys: readonly number[],
  ) {}

  /** Books of its own; close them. */
  static async open(changes: ModelChanges = {}): Promise<SparseModel> {
    const test = await createTestDatabase();
    await openTestBooks(test);
    await insertRuns(
      test,
      ['u1', 'u2', 'u3'].map((user) => ({
        ...{ key: user, user, milliGpus: 0 },
        ...{ startedAtMs: Date.UTC(2025, 0), endedAtMs: Date.UTC(2025, 0) },
      })),
    );
    await changes.plant?.(test);
    const keys = await test.query<{ id: number }>('select id from usage_key order by id');
    const builder = changes.builder ?? ((one) => Promise.resolve(realBuilder(one)));
    const writers = Array.from({ length: WRITERS }, () => writerClient(test));
    const builders = Array.from({ length: BUILDERS }, () => builder(test));
    return new SparseModel(
      test,
      changes.sees ?? (() => true),
      await Promise.all(writers),
      await Promise.all(builders),
      await builder(test),
      await test.connect(),
      keys.map(({ id }) => id),
    );
  }

  close(): Promise<void> {
    return this.test.close();
  }

  /** One round: good books, writers and builders at once, then quiet, then the comparison. */
  async round(seed: number): Promise<RoundResult> {
    const random = seededRandom(seed);
    const calendar = new OddCalendar(random);
    const window = windowOf(calendar, random);
    await this.reset(calendar, window, random);
    for (const period of calendar.all) {
      await this.attempt(this.builder, period, calendar, noPause);
    }
    let left = WRITERS;
    // What is lost by hand may take with it what made a later hour stale: readers are promised nothing then.
    const losesRows = random.chance(0.3);
    const isBusy = (): boolean => left > 0;
    const writing = this.writers.map(async (client, n) => {
      await this.write(client, seededRandom(seed * 31 + n), window, calendar);
      left -= 1;
    });
    const building = this.builders.map((build, n) =>
      this.buildWhile(isBusy, build, losesRows, window, calendar, seededRandom(seed * 37 + n)),
    );
    const reading = losesRows ? Promise.resolve([]) : this.readWhile(isBusy, calendar);
    const [misread] = await Promise.all([reading, ...writing, ...building]);
    if (!losesRows) misread.push(...(await this.read(calendar)));
    const stuck = await this.settle(calendar);
    const faults = [
      ...misread.map((row) => ({ misread: row })),
      ...stuck.map((period) => ({ stuck: period })),
      ...(await ledgerFaults(this.test, calendar.endAtMs)),
    ];
    this.counts.rounds += 1;
    this.counts.comparisons += calendar.all.length;
    if (faults.length > 0) this.counts.wrong += 1;
    return { seed, faults };
  }

  /** Empty books from the calendar's start on, with runs all over it and short ones in the window. */
  private async reset(
    calendar: OddCalendar,
    window: readonly Period[],
    random: SeededRandom,
  ): Promise<void> {
    const tables = ['run', 'period', ...Object.values(USAGE_TABLES), 'usage_change'];
    for (const table of tables) await this.test.query(`delete from ${table}`);
    await setOrigin(this.test, calendar.startAtMs);
    const everywhere = this.scopeOf(calendar.periods.hour, false, calendar);
    await this.test.query(...insertRandomRuns(RUNS, random, everywhere));
    for (const hour of window) {
      await this.test.query(...insertRandomRuns(4, random, this.scopeOf([hour], true, calendar)));
    }
  }

  private scopeOf(hours: readonly Period[], isLocal: boolean, calendar: OddCalendar): WriterScope {
    return {
      boundariesMs: [hours[0]?.startAtMs ?? 0, ...hours.map((hour) => hour.endAtMs)],
      longAgoMs: calendar.startAtMs - MS_PER_DAY,
      usageKeys: this.usageKeys,
      isLocal,
      longestSleepMs: LONGEST_SLEEP_MS,
    };
  }

  /** Most transactions change one hour only, so that each hour is changed seldom: what is lost there stays lost. */
  private async write(
    client: pg.Client,
    random: SeededRandom,
    window: readonly Period[],
    calendar: OddCalendar,
  ): Promise<void> {
    for (let left = random.chance(0.3) ? 2 : 1; left > 0; left -= 1) {
      await rest(random.next() * LONGEST_REST_MS);
      const isLocal = random.chance(0.8);
      const scope = this.scopeOf(isLocal ? [random.pick(window)] : window, isLocal, calendar);
      await writeOnce(client, random, scope, this.counts);
    }
  }

  /** A builder that takes periods in any order, sometimes one that needs nothing, and sometimes loses ledger rows. */
  private async buildWhile(
    isBusy: () => boolean,
    build: ModelBuilder,
    losesRows: boolean,
    window: readonly Period[],
    calendar: OddCalendar,
    random: SeededRandom,
  ): Promise<void> {
    const pause = (): Promise<void> => rest(random.next() * LONGEST_SLEEP_MS);
    while (isBusy()) {
      if (losesRows && random.chance(0.1)) await this.loseRows(calendar, random);
      const work = await this.work(calendar);
      const period = random.chance(0.5) ? random.pick(window) : anyOf(work, random);
      if (period === null) {
        await pause();
      } else {
        await this.attempt(build, period, calendar, pause);
        this.counts.passes += 1;
      }
    }
  }

  /** Reads as long as others write; the first rows that would have been shown wrongly. */
  private async readWhile(isBusy: () => boolean, calendar: OddCalendar): Promise<unknown[]> {
    const misread: unknown[] = [];
    while (isBusy() && misread.length === 0) misread.push(...(await this.read(calendar)));
    return misread;
  }

  private async read(calendar: OddCalendar): Promise<readonly unknown[]> {
    const { good, faults } = await readOnce(this.test, this.reader, calendar, this.sees);
    this.counts.reads += good;
    return faults;
  }

  private async loseRows(calendar: OddCalendar, random: SeededRandom): Promise<void> {
    const { startAtMs } = random.pick(calendar.periods.hour);
    const lost = await this.test.query(
      `delete from period where start_at_ms >= $1 and start_at_ms < $2 returning 1`,
      [startAtMs, startAtMs + random.pick([1, 7_200_000])],
    );
    this.counts.rowsLost += lost.length;
  }

  private work(calendar: OddCalendar): Promise<Period[]> {
    return modelWork(this.test, calendar, this.sees);
  }

  /**
   * One worker alone, until nothing is left: in this order no build may fail. The periods that it could not get done;
   * nobody else is there, so what failed once would fail for ever.
   */
  private async settle(calendar: OddCalendar): Promise<readonly string[]> {
    for (let passes = 0; passes < MOST_PASSES; passes += 1) {
      const work = await this.work(calendar);
      const [first] = work;
      if (first === undefined) return [];
      this.counts.settlingPasses += 1;
      if (!(await this.attempt(this.builder, first, calendar, noPause))) {
        return work.map((period) => period.label);
      }
    }
    return [`not done after ${MOST_PASSES} passes`];
  }

  private async attempt(
    build: ModelBuilder,
    period: Period,
    calendar: OddCalendar,
    pause: () => Promise<void>,
  ): Promise<boolean> {
    const starts = calendar.partsOf(period).map((part) => part.startAtMs);
    const isBuilt = await build(period, starts, pause);
    if (!isBuilt) this.counts.replans += 1;
    return isBuilt;
  }
}

/** The first in every second case. */
function anyOf(work: readonly Period[], random: SeededRandom): Period | null {
  if (work.length === 0) return null;
  return random.chance(0.5) ? (work[0] ?? null) : random.pick(work);
}

const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const noPause = (): Promise<void> => Promise.resolve();

function windowOf(calendar: OddCalendar, random: SeededRandom): readonly Period[] {
  const hours = calendar.periods.hour;
  const from = random.integer(0, hours.length - WINDOW_HOURS);
  return hours.slice(from, from + WINDOW_HOURS);
}
