// Late data from the import to the report (G8): late, corrected, removed and shuffled records wake the keeper; reports
// are right at once, the stored books within seconds.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { checkPeriods } from '../../client/period-list.js';
import { STEPS } from '../../domain/report-pieces.js';
import { csv, importText } from '../support/imports.js';
import { differences } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import {
  LIMITS,
  openTemporalBooks,
  SETTINGS,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';
import { NO_FILTER, reportAndOracle } from '../support/usage-oracle.js';

const SEED = 20_261_121;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HEADER = 'user,space,pool,job_id,gpus,start,end';

interface Job {
  readonly id: number;
  readonly user: string;
  readonly gpus: number;
  readonly startedAtMs: number;
  /** Null: still running. */
  readonly endedAtMs: number | null;
}

const iso = (atMs: number | null): string => (atMs === null ? '' : new Date(atMs).toISOString());
const fileOf = (jobs: readonly Job[]): string =>
  [
    HEADER,
    ...jobs.map(({ id, user, gpus, startedAtMs, endedAtMs }) =>
      [user, 'blue', 'a100', id, gpus, iso(startedAtMs), iso(endedAtMs)].join(','),
    ),
  ].join('\n');

let books: TemporalBooks;
let nowMs: number;
const random = seededRandom(SEED);

function jobsOf(count: number, firstId: number): Job[] {
  return Array.from({ length: count }, (_, index) => {
    const startedAtMs =
      nowMs - random.integer(1, 12 * 24 * 60) * MINUTE_MS - random.integer(0, 999);
    const end = startedAtMs + random.pick([0, 1, 90_000, HOUR_MS, 9 * HOUR_MS, 40 * HOUR_MS]);
    return {
      id: firstId + index,
      user: random.pick(['anna', 'bert', 'cleo']),
      gpus: random.pick([0, 0.25, 1, 8]),
      startedAtMs,
      endedAtMs: end < nowMs && !random.chance(0.05) ? end : null,
    };
  });
}

async function expectRightReports(): Promise<void> {
  const window = { startAtMs: nowMs - 14 * DAY_MS + 1, endAtMs: nowMs + HOUR_MS };
  for (const step of STEPS) {
    const asked = { window, step, by: ['user'] as const, filter: NO_FILTER };
    const { lines, expected } = await reportAndOracle(books.test, books.calendar, asked);
    expect({ step, lines }).toEqual({ step, lines: expected });
  }
}

/** As the command does: after the last commit. */
async function importAndWake(jobs: readonly Job[], reopen = false): Promise<void> {
  const { rejects } = await importText(books.test, csv(), fileOf(jobs), {
    reopen,
    batchSize: 7,
  });
  expect(rejects).toEqual([]);
  await wakeKeeper(books.temporal, books.books.name, 'month', LIMITS);
}

/** Every due period is good; returns how long that took, in ms. */
async function untilGood(): Promise<number> {
  const sinceMs = performance.now();
  await until(
    'every period is good',
    async () => {
      const settings = { graceMs: SETTINGS.graceMs, catchUpMs: SETTINGS.catchUpMs };
      const check = await checkPeriods(books.database, books.calendar, settings, () => ({}));
      return check.periods.length === 0;
    },
    60_000,
  );
  return Math.round(performance.now() - sinceMs);
}

describe('an import into books that are kept', () => {
  let jobs: Job[];
  beforeAll(async () => {
    books = await openTemporalBooks('America/St_Johns');
    await books.work();
    nowMs = books.calendar.startOf('hour', Date.now());
    jobs = jobsOf(60, 1);
    await importAndWake(jobs);
    const { name } = await createBackfill(books.temporal, books, {
      ...{ start: nowMs - 14 * DAY_MS, end: 'now', lanes: 2, reprocess: 'stale', name: null },
    });
    await waitForBackfill(books.temporal, books, name, () => undefined);
    await untilGood();
  }, 60_000);
  afterAll(() => books.close());

  const late = (): Job[] => jobsOf(15, 1_000);
  const corrected = (): Job[] =>
    jobs.slice(0, 20).map((job) => ({
      ...job,
      gpus: job.gpus + 1,
      endedAtMs: job.endedAtMs === null ? null : job.endedAtMs + random.integer(0, 3 * HOUR_MS),
    }));
  const shuffled = (): Job[] =>
    [...jobs.slice(20)]
      .map((job) => ({ job, at: random.next() }))
      .sort((a, b) => a.at - b.at)
      .map(({ job }) => ({ ...job, user: random.pick(['anna', 'dora']) }));
  const reopened = (): Job[] => jobs.slice(30, 35).map((job) => ({ ...job, endedAtMs: null }));

  it.each([
    ['late records', () => importAndWake(late())],
    ['corrected ones', () => importAndWake(corrected())],
    ['shuffled ones of other users', () => importAndWake(shuffled())],
    ['ones that run again', () => importAndWake(reopened(), true)],
    [
      'removed ones',
      async () => {
        await books.test.query('delete from run where id % 3 = 0');
        await wakeKeeper(books.temporal, books.books.name, 'month', LIMITS);
      },
    ],
  ])(
    'with %s: reports are right at once, every granularity within seconds (G8)',
    async (what, change) => {
      await change();
      await expectRightReports();
      const tookMs = await untilGood();
      process.stdout.write(`late data: ${what}: all periods good after ${tookMs} ms\n`);
      await expectRightReports();
      expect(await differences(books.test)).toEqual([]);
      expect(await books.test.query('select * from period_failure')).toEqual([]);
    },
    60_000,
  );
});
