// Clocks that disagree (F20): nothing is judged by a wrong clock, and work goes on by itself when it is right again.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wakeKeeper } from '../../client/keeper.js';
import { currentFailures } from '../../db/ledger-store.js';
import { differences, insertRuns, ledgerDigests, setOrigin } from '../support/runs.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

let books: TemporalBooks;
beforeAll(async () => {
  books = await openTemporalBooks();
  const now = books.calendar.startOf('hour', Date.now());
  await setOrigin(books.test, now - 3 * HOUR_MS);
  await insertRuns(books.test, [
    {
      ...{ key: 'a', user: 'jay', milliGpus: 1_000 },
      ...{ startedAtMs: now - 2 * HOUR_MS + 5, endedAtMs: null },
    },
  ]);
});
afterAll(() => books.close());

describe('a worker whose clock is not the database’s', () => {
  it.each([
    ['ahead', 6 * MINUTE_MS],
    ['behind', -6 * MINUTE_MS],
    ['a day ahead', 24 * HOUR_MS],
  ])('does not start when it is %s (F20)', async (_how, skewMs) => {
    await expect(books.work({ ownNowMs: () => Date.now() + skewMs })).rejects.toMatchObject({
      code: 'CLOCK_SKEW',
    });
  });

  it('builds nothing after a step of the clock, and goes on when it is right again (F20)', async () => {
    let skewMs = 4 * MINUTE_MS;
    await books.work({ ownNowMs: () => Date.now() + skewMs });
    skewMs = 26 * HOUR_MS;
    await wakeKeeper(books.temporal, books.books.name, 'month', LIMITS);
    const keeper = books.temporal.client.workflow.getHandle(books.names.keeper);
    await until('the plan was refused', async () => {
      const { raw } = await keeper.describe();
      return (raw.pendingActivities ?? []).some((activity) =>
        activity.lastFailure?.message?.includes('the clocks are'),
      );
    });
    expect(await ledgerDigests(books.test)).toEqual([]);
    const [newest] = await currentFailures(books.test.database);
    expect(newest).toMatchObject({ granularity: 'hour', code: 'CLOCK_SKEW' });
    expect(newest?.detail).toContain('timedatectl');
    skewMs = -2 * MINUTE_MS;
    await keeper.result();
    expect((await ledgerDigests(books.test)).length).toBeGreaterThanOrEqual(3);
    expect(await differences(books.test)).toEqual([]);
    expect(await currentFailures(books.test.database)).toEqual([]);
  }, 60_000);
});
