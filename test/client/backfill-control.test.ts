// A backfill in the operator's hands: pause, unpause, cancel; and backfills that lost their workflow.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { WorkflowHandle } from '@temporalio/client';
import { cancelBackfill, pauseBackfill } from '../../client/backfill-control.js';
import { previewBackfill } from '../../client/backfill-preview.js';
import { showBackfill } from '../../client/backfill-view.js';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { aggregateNow, differences, insertRuns, setOrigin } from '../support/runs.js';
import {
  LIMITS,
  openTemporalBooks,
  testTemporal,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';
import { endWorkerProcesses, startWorkerProcess } from '../support/worker-process.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const opened: TemporalBooks[] = [];
afterAll(async () => {
  await endWorkerProcesses();
  for (const one of opened) await one.close();
});

/** Books whose runs lie in the 70 days before now: three months at least. */
async function openBooks(): Promise<TemporalBooks> {
  const plain = await openTemporalBooks();
  // A keeper that catches up little leaves the machine to the backfill.
  const one = { ...plain, work: (more = {}) => plain.work({ catchUpMs: HOUR_MS, ...more }) };
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

async function waitingBuilds(one: TemporalBooks): Promise<number> {
  const waiting = await one.test.query(
    `select from pg_locks where relation = 'usage_hour'::regclass and not granted
     and database = (select oid from pg_database where datname = current_database())`,
  );
  return waiting.length;
}

const builds = (one: TemporalBooks): Promise<void> =>
  until('a build waits', async () => (await waitingBuilds(one)) > 0);

/** A range of days before now that neither catch-up nor look-back reaches. */
function far(one: TemporalBooks, fromDays: number, toDays: number): { start: number; end: number } {
  const now = one.calendar.startOf('hour', Date.now());
  return { start: now - fromDays * DAY_MS, end: now - toDays * DAY_MS };
}

/** True when Temporal knows the workflow of the backfill. */
const isKnown = (one: TemporalBooks, name: string): Promise<boolean> =>
  one.temporal.client.workflow
    .getHandle(one.names.backfill(name))
    .describe()
    .then(
      () => true,
      () => false,
    );

/** The number of children that a backfill has started. */
async function pieces(one: TemporalBooks, name: string): Promise<number> {
  const handle = one.temporal.client.workflow.getHandle(one.names.backfill(name));
  const { events } = await handle.fetchHistory();
  return (events ?? []).filter((event) => event.childWorkflowExecutionStartedEventAttributes)
    .length;
}

async function hasHeardOfCancel(handle: WorkflowHandle): Promise<boolean> {
  const { events } = await handle.fetchHistory();
  return (events ?? []).some((event) => event.workflowExecutionCancelRequestedEventAttributes);
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

/** Lets the first `times` builds of an hour fail with that SQLSTATE: by default as if another transaction had won. */
async function losingHour(
  one: TemporalBooks,
  hourAtMs: number,
  times: number,
  sqlstate = '40001',
): Promise<void> {
  const name = `losing_${hourAtMs}`;
  await one.test.query(`create sequence ${name}`);
  await one.test.query(
    `create function ${name}() returns trigger language plpgsql as $$
     begin
       if nextval('${name}') <= ${times} then
         raise exception 'lost for a test' using errcode = '${sqlstate}';
       end if;
       return new;
     end $$`,
  );
  await one.test.query(
    `create trigger ${name} before insert on period for each row
     when (new.start_at_ms = ${hourAtMs} and new.granularity = 'hour') execute function ${name}()`,
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

  it('has stopped in every lane when it says that it has ended', async () => {
    const one = await openBooks();
    await one.work();
    const release = await holdBuilds(one);
    const request = { ...REQUEST, lanes: 3, name: 'lanes', ...far(one, 200, 70) };
    const { name } = await createBackfill(one.temporal, one, request);
    await until('two lanes wait in a build', async () => (await waitingBuilds(one)) >= 2);
    const cancelled = cancelBackfill(one.temporal, one, name);
    const handle = one.temporal.client.workflow.getHandle(one.names.backfill(name));
    await until('it has heard', () => hasHeardOfCancel(handle));
    await release();
    const { endedAtMs, outcome, hoursBuilt } = await cancelled;
    expect(outcome).toBe('cancelled');
    await until(
      'whatever was on its way has arrived',
      async () => (await waitingBuilds(one)) === 0,
    );
    const [found] = await one.test.query<{ hours: number; after: number }>(
      `select count(*)::int as hours, (count(*) filter (where aggregated_at_ms > $1))::int as after
       from period where granularity = 'hour' and start_at_ms >= $2 and end_at_ms <= $3`,
      [endedAtMs, request.start, request.end],
    );
    expect(found).toEqual({ hours: hoursBuilt, after: 0 });
  }, 60_000);

  it('is cancelled, not failed, when its worker died in the middle of a build (F1)', async () => {
    const one = await openBooks();
    const dying = startWorkerProcess({
      ...{ url: one.test.url, temporal: testTemporal() },
      selfSignal: { name: 'SIGKILL', statement: 40, of: 'period-hour/build', when: 'sent' },
    });
    await dying.polling;
    const request = { ...REQUEST, name: 'orphan', ...far(one, 200, 190) };
    const { name } = await createBackfill(one.temporal, one, request);
    expect(await dying.exited).toBe('SIGKILL');
    const cancelled = cancelBackfill(one.temporal, one, name);
    await one.work();
    expect((await cancelled).outcome).toBe('cancelled');
    expect(await one.test.query('select * from period_failure')).toEqual([]);
  }, 90_000);

  it('is not started again by its name', async () => {
    const one = await openBooks();
    await one.work();
    await insertOpen(one, 'late', { cancelled: true });
    const request = { ...REQUEST, name: 'late', start: 0, end: 1 };
    const { startAtMs, endAtMs } = await stateOf(one, 'late');
    await createBackfill(one.temporal, one, { ...request, start: startAtMs, end: endAtMs });
    expect(await isKnown(one, 'late')).toBe(false);
  });

  it('ends at once when it is paused', async () => {
    const one = await openBooks();
    await one.work();
    await insertOpen(one, 'p', { paused: true });
    await wakeKeeper(one.temporal, one.books.name, 'hour', LIMITS);
    await until('it is started', () => isKnown(one, 'p'));
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

describe('a backfill that did not hear what its operator wants', () => {
  // The client died between its note in PostgreSQL and its word to the workflow.
  const note = (one: TemporalBooks, what: string): Promise<unknown> =>
    one.test.query(`update backfill set ${what} where name = 'deaf'`);
  const wake = (one: TemporalBooks): Promise<void> =>
    wakeKeeper(one.temporal, one.books.name, 'hour', LIMITS);

  it('is told by the keeper that it is paused, and that it goes on', async () => {
    const one = await openBooks();
    await one.work();
    const release = await holdBuilds(one);
    await createBackfill(one.temporal, one, { ...REQUEST, name: 'deaf', ...far(one, 74, 70) });
    await builds(one);
    await note(one, 'paused_at_ms = 1');
    await wake(one);
    const handle = one.temporal.client.workflow.getHandle(one.names.backfill('deaf'));
    await until('it is paused', async () => (await handle.query('isPaused')) === true);
    await release();
    await one.temporal.client.workflow.getHandle(one.names.keeper).result();
    expect((await stateOf(one, 'deaf')).outcome).toBeNull();
    await note(one, 'paused_at_ms = null');
    await wake(one);
    await until('it has ended', async () => (await stateOf(one, 'deaf')).outcome === 'completed');
  }, 60_000);

  it('is told by the keeper that it is cancelled', async () => {
    const one = await openBooks();
    await one.work();
    const release = await holdBuilds(one);
    await createBackfill(one.temporal, one, { ...REQUEST, name: 'deaf', ...far(one, 74, 70) });
    await builds(one);
    await note(one, 'cancelled_at_ms = 1');
    await wake(one);
    const handle = one.temporal.client.workflow.getHandle(one.names.backfill('deaf'));
    await until('it has heard', async () => hasHeardOfCancel(handle));
    await release();
    await until('it has ended', async () => (await stateOf(one, 'deaf')).outcome === 'cancelled');
  }, 60_000);

  it('is not run a second time when it had completed', async () => {
    const one = await openBooks();
    await one.work();
    const request = { ...REQUEST, name: 'deaf', ...far(one, 71, 70) };
    await createBackfill(one.temporal, one, request);
    await waitForBackfill(one.temporal, one, 'deaf', () => undefined);
    const handle = one.temporal.client.workflow.getHandle(one.names.backfill('deaf'));
    await handle.result();
    const { runId } = await handle.describe();
    await note(one, 'ended_at_ms = null, outcome = null');
    await createBackfill(one.temporal, one, request);
    expect((await handle.describe()).runId).toBe(runId);
  }, 60_000);
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

describe('a backfill that builds again', () => {
  it('counts no failure that it has mended itself', async () => {
    const one = await openBooks();
    const { start, end } = far(one, 75, 70);
    await losingHour(one, start + 5 * HOUR_MS, 1, 'P0001');
    await losingHour(one, start + 30 * HOUR_MS, 6);
    await one.work();
    const { name } = await createBackfill(one.temporal, one, { ...REQUEST, start, end });
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(await one.test.query('select code from period_failure')).toHaveLength(1);
    expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
  }, 60_000);

  it('still leaves stale periods alone when only missing ones were asked for', async () => {
    const one = await openBooks();
    const { start, end } = far(one, 75, 70);
    await setOrigin(one.test, start);
    const day = { startAtMs: start, endAtMs: start + DAY_MS };
    for (const hour of one.calendar.periodsTouching('hour', day)) {
      await aggregateNow(one.test, one.calendar, { ...hour, reprocess: 'stale' });
    }
    const late = { startedAtMs: start + 3 * HOUR_MS, endedAtMs: start + 4 * HOUR_MS - 1 };
    await insertRuns(one.test, [{ key: 'late', user: 'user1', milliGpus: 1, ...late }]);
    await losingHour(one, start + 30 * HOUR_MS, 6);
    await one.work();
    const request = { ...REQUEST, start, end, reprocess: 'missing' } as const;
    const { name } = await createBackfill(one.temporal, one, request);
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed', hoursBuilt: 4 * 24 });
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
