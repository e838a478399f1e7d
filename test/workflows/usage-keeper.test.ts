// The keeper and the tick against a real Temporal server and PostgreSQL: first run, reset, outage, lost wakes.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wakeKeeper } from '../../client/keeper.js';
import { currentFailures } from '../../db/ledger-store.js';
import { keeperWake } from '../../domain/workflow-input.js';
import type { usageKeeper, usageTick } from '../../workflows/index.js';
import { differences, insertRuns, ledgerDigests, setOrigin } from '../support/runs.js';
import { openTemporalBooks, LIMITS, type TemporalBooks } from '../support/temporal-books.js';

const HOUR_MS = 3_600_000;
const WAKES = process.env['JOBHOURS_TORTURE'] === '1' ? 300 : 150;

let books: TemporalBooks;
beforeAll(async () => {
  books = await openTemporalBooks('Asia/Shanghai');
  await books.work();
});
afterAll(() => books.close());

const nowMs = (): number => Date.now();
const hourStart = (atMs: number): number => books.calendar.startOf('hour', atMs);

async function tick(coarsest: 'hour' | 'day' | 'week' | 'month', n: number): Promise<string> {
  const { outcome } = await books.temporal.client.workflow.execute<typeof usageTick>('usageTick', {
    workflowId: `${books.names.schedule(coarsest)}-${n}`,
    taskQueue: books.names.usageQueue,
    args: [{ booksName: books.books.name, coarsest, limits: LIMITS }],
  });
  return outcome;
}

/** The result of the keeper's latest run. */
function keeperResult() {
  return books.temporal.client.workflow.getHandle<typeof usageKeeper>(books.names.keeper).result();
}

async function originAtMs(): Promise<number | null> {
  const [row] = await books.test.query<{ origin_at_ms: string | null }>(
    'select origin_at_ms from books',
  );
  const text = row?.origin_at_ms ?? null;
  return text === null ? null : Number(text);
}

describe('the keeper of books that begin', () => {
  it('sets the origin to the start of the current hour on the first run, builds nothing and names the older runs', async () => {
    const start = hourStart(nowMs());
    await insertRuns(books.test, [
      {
        key: 'old',
        user: 'jay',
        milliGpus: 2_500,
        startedAtMs: start - 3 * HOUR_MS - 1,
        endedAtMs: start - HOUR_MS + 7,
      },
      {
        key: 'long',
        user: 'kite',
        milliGpus: 1_000,
        startedAtMs: start - 400 * HOUR_MS - 123,
        endedAtMs: null,
      },
    ]);
    const outcome = await tick('hour', 1);
    expect(outcome).toContain('first run');
    expect(outcome).toContain('2 older runs');
    expect(outcome).toContain('jobhours backfill create --start oldest');
    expect(await originAtMs()).toBe(start);
    expect(await ledgerDigests(books.test)).toEqual([]);
  });

  it('builds the next hour at the first tick after it', async () => {
    const origin = (await originAtMs()) ?? 0;
    // The clock cannot be moved, so the origin is: as if the first run had been an hour ago.
    await setOrigin(books.test, origin - HOUR_MS);
    expect(await tick('hour', 2)).toContain('the keeper is awake');
    const result = await keeperResult();
    expect(result.hoursBuilt).toBe(1);
    expect(result.wakes).toBe(1);
    expect(await ledgerDigests(books.test)).toHaveLength(1);
    expect(await differences(books.test)).toEqual([]);
  });

  it('plans once more after a build and once when nothing is to build', async () => {
    await tick('hour', 3);
    expect((await keeperResult()).plans).toBe(1);
  });

  it('mends an outage of a week, hours, days and weeks, in one go', async () => {
    const origin = hourStart(nowMs()) - 7 * 24 * HOUR_MS;
    await setOrigin(books.test, origin);
    await tick('month', 4);
    const result = await keeperResult();
    expect(result.failed).toBe(0);
    expect(result.hoursBuilt).toBeGreaterThanOrEqual(167);
    expect(await differences(books.test)).toEqual([]);
    const [row] = await books.test.query<{ days: string }>(
      "select count(*) as days from period where granularity = 'day'",
    );
    expect(Number(row?.days)).toBe(7);
  }, 60_000);

  it('builds the same books again after a reset', async () => {
    const before = await ledgerDigests(books.test);
    for (const table of ['usage_hour', 'usage_day', 'usage_week', 'usage_month', 'period']) {
      await books.test.query(`delete from ${table}`);
    }
    await tick('month', 5);
    expect((await keeperResult()).failed).toBe(0);
    expect(await ledgerDigests(books.test)).toEqual(before);
    expect(await differences(books.test)).toEqual([]);
  }, 60_000);

  it('mends what a late record made stale when an import wakes it (G8)', async () => {
    const start = hourStart(nowMs());
    await insertRuns(books.test, [
      {
        key: 'late',
        user: 'jay',
        milliGpus: 8_000,
        startedAtMs: start - 50 * HOUR_MS + 1,
        endedAtMs: start - 20 * HOUR_MS - 1,
      },
    ]);
    expect(await differences(books.test)).not.toEqual([]);
    await wakeKeeper(books.temporal, books.books.name, 'month', LIMITS);
    await keeperResult();
    expect(await differences(books.test)).toEqual([]);
  });
});

describe('wakes', () => {
  it(`loses none of ${WAKES} that come while the keeper keeps ending`, async () => {
    const { client } = books.temporal;
    const wake = keeperWake({ booksName: books.books.name, coarsest: 'hour', limits: LIMITS });
    const send = () => client.workflow.signalWithStart(wake.workflowType, wake.options);
    const runs = new Set([(await send()).signaledRunId]);
    const latest = client.workflow.getHandle<typeof usageKeeper>(books.names.keeper);
    const untilEnded = async (): Promise<void> => {
      while ((await latest.describe()).status.name === 'RUNNING');
    };
    for (let sent = 1; sent < WAKES; sent += 1) {
      runs.add((await send()).signaledRunId);
      // Looking at it passes the time: the wakes come at all points of a run, many around its end.
      if (sent % 5 === 0) await untilEnded();
      for (let looks = (sent * 7) % 12; looks > 0; looks -= 1) await latest.describe();
    }
    let served = 0;
    for (const runId of runs) {
      const handle = client.workflow.getHandle<typeof usageKeeper>(books.names.keeper, runId);
      served += (await handle.result()).wakes;
    }
    expect(served).toBe(WAKES);
    // Otherwise it never ended while it was being woken.
    expect(runs.size).toBeGreaterThan(10);
  }, 120_000);
});

describe('a period that cannot be built', () => {
  it('is recorded with what PostgreSQL says and what to do, when it was tried long enough', async () => {
    const own = await openTemporalBooks();
    try {
      const [first, second] = [4, 3].map(
        (hours) => own.calendar.startOf('hour', nowMs()) - hours * HOUR_MS,
      );
      await setOrigin(own.test, first ?? 0);
      const across = { startedAtMs: (first ?? 0) + 1, endedAtMs: (second ?? 0) + 1 };
      await insertRuns(own.test, [{ key: 'a', user: 'jay', milliGpus: 1, ...across }]);
      await own.work();
      const keeper = own.temporal.client.workflow.getHandle<typeof usageKeeper>(own.names.keeper);
      const mend = async () => {
        await wakeKeeper(own.temporal, own.books.name, 'hour', LIMITS);
        return keeper.result();
      };
      await mend();
      // By hand: the carry of the second hour is gone, and the second hour must be built from it.
      await own.test.query('delete from usage_hour where period_start_at_ms = $1', [first]);
      await own.test.query('delete from period where start_at_ms = $1', [second]);
      const { outcome, failed } = await mend();
      expect(outcome).not.toContain('by others');
      expect(failed).toBe(1);
      const [failure, ...others] = await currentFailures(own.database);
      expect(others).toEqual([]);
      expect(failure).toMatchObject({ granularity: 'hour', startAtMs: second, code: 'REPLAN' });
      expect(failure?.detail).toMatch(/periods check --deep.*check constraint.*SQLSTATE 23514/);
    } finally {
      await own.close();
    }
  }, 60_000);
});
