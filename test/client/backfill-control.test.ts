// A backfill in the operator's hands: pause, unpause, cancel; and backfills that lost their workflow.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { cancelBackfill, pauseBackfill } from '../../client/backfill-control.js';
import { previewBackfill } from '../../client/backfill-preview.js';
import { showBackfill } from '../../client/backfill-view.js';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { differences, insertRuns } from '../support/runs.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const opened: TemporalBooks[] = [];
afterAll(async () => {
  for (const one of opened) await one.close();
});

/** Books whose runs lie in the 70 days before now: three months at least. */
async function openBooks(): Promise<TemporalBooks> {
  const one = await openTemporalBooks();
  opened.push(one);
  const now = one.calendar.startOf('hour', Date.now());
  await insertRuns(
    one.test,
    Array.from({ length: 140 }, (_, number) => ({
      key: `r${number}`,
      user: `user${number % 3}`,
      milliGpus: 500 * (number % 5),
      startedAtMs: now - 70 * DAY_MS + number * 12 * HOUR_MS + number * 1_001,
      endedAtMs: now - 70 * DAY_MS + number * 12 * HOUR_MS + (number % 40) * HOUR_MS + 7_777_777,
    })),
  );
  return one;
}

const REQUEST: BackfillRequest = {
  ...{ start: 'oldest', end: 'now', lanes: 1, reprocess: 'stale', name: null },
};

const stateOf = async (one: TemporalBooks, name: string) =>
  (await showBackfill(one.database, one.calendar, name)).backfill;

/** Stops every build until the returned function is called. */
async function holdBuilds(one: TemporalBooks): Promise<() => Promise<void>> {
  const session = await one.test.connect();
  await session.query('begin');
  await session.query('lock table usage_hour in exclusive mode');
  return async () => {
    await session.query('commit');
  };
}

const builds = async (one: TemporalBooks): Promise<void> => {
  await until(
    'a build waits',
    async () =>
      (
        await one.test.query(
          `select from pg_locks where relation = 'usage_hour'::regclass and not granted
           and database = (select oid from pg_database where datname = current_database())`,
        )
      ).length > 0,
  );
};

/** The number of children that a backfill has started. */
async function pieces(one: TemporalBooks, name: string): Promise<number> {
  const handle = one.temporal.client.workflow.getHandle(one.names.backfill(name));
  const { events } = await handle.fetchHistory();
  return (events ?? []).filter((event) => event.childWorkflowExecutionStartedEventAttributes)
    .length;
}

/** An open backfill of the last days that nobody started: its client died, or Temporal lost it. */
async function insertOpen(
  one: TemporalBooks,
  name: string,
  more: { paused?: boolean; cancelled?: boolean } = {},
): Promise<void> {
  const now = one.calendar.startOf('hour', Date.now());
  await one.test.query(
    `insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms, cancelled_at_ms)
     values ($1, $2, $3, 1, 'stale', 0, $4, $5)`,
    [
      ...[name, now - 5 * DAY_MS, now - HOUR_MS],
      ...[more.paused === true ? 1 : null, more.cancelled === true ? 1 : null],
    ],
  );
}

describe('a backfill that is paused', () => {
  it('finishes the month that is being built, begins no other, and goes on when it is unpaused', async () => {
    const one = await openBooks();
    await one.work();
    const release = await holdBuilds(one);
    const { name } = await createBackfill(one.temporal, one, { ...REQUEST, name: 'held' });
    await builds(one);
    expect((await pauseBackfill(one.temporal, one, name, true)).pausedAtMs).not.toBeNull();
    await release();
    const first = one.calendar.periodAt('month', Date.now() - 70 * DAY_MS);
    await until('the first month is finished', async () => {
      const handle = one.temporal.client.workflow.getHandle(
        one.names.period('month', first.startAtMs),
      );
      return (await handle.describe()).status.name === 'COMPLETED';
    });
    // A wake and its answer: whatever the backfill would have begun has begun by now.
    await wakeKeeper(one.temporal, one.books.name, 'hour', LIMITS);
    await one.temporal.client.workflow.getHandle(one.names.keeper).result();
    expect(await pieces(one, name)).toBe(1);
    const { backfill, progress } = await showBackfill(one.database, one.calendar, name);
    expect(backfill).toMatchObject({ endedAtMs: null, outcome: null });
    expect(progress.leftMs).toBeNull();
    expect((await pauseBackfill(one.temporal, one, name, false)).pausedAtMs).toBeNull();
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
    expect(await differences(one.test)).toEqual([]);
  }, 90_000);

  it('stays paused when its workflow hands over to a next run', async () => {
    const one = await openBooks();
    await one.work();
    const release = await holdBuilds(one);
    const short = { ...one, limits: { ...LIMITS, longestHistory: 5 } };
    const { name } = await createBackfill(one.temporal, short, { ...REQUEST, name: 'long' });
    await builds(one);
    await pauseBackfill(one.temporal, one, name, true);
    await release();
    const { client } = one.temporal;
    await until('a second run', async () => {
      const { raw } = await client.workflow.getHandle(one.names.backfill(name)).describe();
      const info = raw.workflowExecutionInfo;
      return info?.firstRunId !== info?.execution?.runId && Number(info?.historyLength) > 3;
    });
    expect(await pieces(one, name)).toBe(0);
    await pauseBackfill(one.temporal, one, name, false);
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended.outcome).toBe('completed');
  }, 90_000);
});

describe('a backfill that is cancelled', () => {
  it('stops between two periods, keeps what was built, and gives its range back to the keeper', async () => {
    const one = await openBooks();
    await one.work();
    const { name } = await createBackfill(one.temporal, one, { ...REQUEST, name: 'cut' });
    await until(
      'some hours are built',
      async () => (await showBackfill(one.database, one.calendar, name)).progress.done > 30,
    );
    const ended = await cancelBackfill(one.temporal, one, name);
    expect(ended.outcome).toBe('cancelled');
    expect(ended.hoursBuilt).toBeGreaterThan(30);
    expect(await differences(one.test)).toEqual([]);
    expect(await one.test.query('select * from period_failure')).toEqual([]);
    const keeper = one.temporal.client.workflow.getHandle(one.names.keeper);
    await until('the keeper is awake', () =>
      keeper.describe().then(
        () => true,
        () => false,
      ),
    );
    await expect(cancelBackfill(one.temporal, one, name)).rejects.toMatchObject({
      code: 'BACKFILL_ENDED',
    });
    await expect(pauseBackfill(one.temporal, one, name, true)).rejects.toMatchObject({
      code: 'BACKFILL_ENDED',
    });
  }, 60_000);

  it('ends at once when it is paused', async () => {
    const one = await openBooks();
    await one.work();
    await insertOpen(one, 'p', { paused: true });
    await wakeKeeper(one.temporal, one.books.name, 'hour', LIMITS);
    await until('it is started', async () =>
      one.temporal.client.workflow
        .getHandle(one.names.backfill('p'))
        .describe()
        .then(
          () => true,
          () => false,
        ),
    );
    expect(await pieces(one, 'p')).toBe(0);
    expect(await cancelBackfill(one.temporal, one, 'p')).toMatchObject({
      ...{ outcome: 'cancelled', hoursBuilt: 0, periodsFailed: 0 },
    });
  }, 60_000);

  it('ends without a workflow too', async () => {
    const one = await openBooks();
    await insertOpen(one, 'lost');
    expect((await cancelBackfill(one.temporal, one, 'lost')).outcome).toBe('cancelled');
  });

  it('answers NOT_FOUND for a name that nobody gave', async () => {
    const one = await openBooks();
    await expect(cancelBackfill(one.temporal, one, 'x')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(pauseBackfill(one.temporal, one, 'x', true)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('an open backfill without a workflow', () => {
  let one: TemporalBooks;
  beforeAll(async () => {
    one = await openBooks();
    await one.test.query('update books set origin_at_ms = $1', [
      one.calendar.startOf('hour', Date.now()) - 5 * DAY_MS,
    ]);
    await one.work();
  });

  const wakeAndSee = async (name: string, outcome: string): Promise<void> => {
    await wakeKeeper(one.temporal, one.books.name, 'month', LIMITS);
    await until(
      `${name} is ${outcome}`,
      async () => (await stateOf(one, name)).outcome === outcome,
    );
  };

  it('is started again by the keeper when Temporal lost it', async () => {
    await insertOpen(one, 'lost');
    await wakeAndSee('lost', 'completed');
    expect(await differences(one.test)).toEqual([]);
  }, 60_000);

  it('ends as cancelled when the operator had asked for that', async () => {
    await insertOpen(one, 'unwanted', { cancelled: true });
    await wakeAndSee('unwanted', 'cancelled');
  }, 60_000);

  it('ends as cancelled when it was terminated by hand', async () => {
    const release = await holdBuilds(one);
    const { name } = await createBackfill(one.temporal, one, {
      ...REQUEST,
      ...{ reprocess: 'all', name: 'ended' },
    });
    await one.temporal.client.workflow.getHandle(one.names.backfill(name)).terminate('test');
    await release();
    await wakeAndSee(name, 'cancelled');
  }, 60_000);
});

describe('a backfill whose periods are changed while it builds them', () => {
  /** Lets the first `times` builds of an hour lose against another transaction. */
  async function losingHour(one: TemporalBooks, hourAtMs: number, times: number): Promise<void> {
    await one.test.query('create sequence tries');
    await one.test.query(
      `create function lose() returns trigger language plpgsql as $$
       begin
         if nextval('tries') <= ${times} then
           raise exception 'lost for a test' using errcode = '40001';
         end if;
         return new;
       end $$`,
    );
    await one.test.query(
      `create trigger losing before insert on period for each row
       when (new.start_at_ms = ${hourAtMs} and new.granularity = 'hour') execute function lose()`,
    );
  }

  it('builds them again, and that is no failure', async () => {
    const one = await openBooks();
    await losingHour(one, one.calendar.startOf('hour', Date.now()) - 3 * DAY_MS, 6);
    await one.work();
    const { name } = await createBackfill(one.temporal, one, {
      ...REQUEST,
      start: Date.now() - 5 * DAY_MS,
    });
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
    expect(await one.test.query('select * from period_failure')).toEqual([]);
    expect(await differences(one.test)).toEqual([]);
  }, 60_000);

  it('records them when they lose every time', async () => {
    const one = await openBooks();
    const hour = one.calendar.startOf('hour', Date.now()) - 3 * DAY_MS;
    await losingHour(one, hour, 1_000_000);
    await one.work();
    const { name } = await createBackfill(one.temporal, one, {
      ...REQUEST,
      start: Date.now() - 5 * DAY_MS,
    });
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed with failures', periodsFailed: 1 });
    const { failures } = await showBackfill(one.database, one.calendar, name);
    expect(failures).toMatchObject([{ granularity: 'hour', code: 'REPLAN' }]);
  }, 60_000);
});

describe('the preview of a backfill', () => {
  it('is what is built then, and estimates by the speed of the newest hours', async () => {
    const one = await openBooks();
    const now = one.calendar.startOf('hour', Date.now());
    const request = { ...REQUEST, start: now - 9 * DAY_MS, end: now - 2 * DAY_MS };
    const before = await previewBackfill(one, request);
    expect(before).toMatchObject({ hoursToBuild: 7 * 24, hoursPerSecond: null, originAtMs: null });
    await one.work();
    const { name } = await createBackfill(one.temporal, one, request);
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    const built = before.stretches
      .filter(({ action }) => action === 'build')
      .reduce((sum, { periods }) => sum + periods, 0);
    expect(ended.periodsBuilt).toBe(built);
    const after = await previewBackfill(one, request);
    expect(after.hoursToBuild).toBe(0);
    expect(after.hoursPerSecond).toBeGreaterThan(0);
    const all = await previewBackfill(one, { ...request, reprocess: 'all' });
    expect(all.hoursToBuild).toBe(7 * 24);
  }, 60_000);
});
