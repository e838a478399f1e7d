// Failures on the way from an activity to the operator: recorded, coded, and never tried for ever.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WorkflowFailedError } from '@temporalio/client';
import type { KeeperInput } from '../../domain/workflow-input.js';
import type { Period } from '../../domain/period.js';
import { wakeKeeper } from '../../client/keeper.js';
import type { aggregatePeriod, usageKeeper } from '../../workflows/index.js';
import { differences, insertRuns, ledgerDigests, setOrigin } from '../support/runs.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const HOUR_MS = 3_600_000;

let books: TemporalBooks;
let origin: number;
beforeAll(async () => {
  books = await openTemporalBooks();
  origin = books.calendar.startOf('hour', Date.now()) - 4 * HOUR_MS;
  await setOrigin(books.test, origin);
  await insertRuns(books.test, [
    {
      key: 'a',
      user: 'jay',
      milliGpus: 333,
      startedAtMs: origin - 5,
      endedAtMs: origin + 2 * HOUR_MS + 5,
    },
  ]);
  await books.work();
});
afterAll(() => books.close());

const hour = (n: number): Period => books.calendar.periodAt('hour', origin + n * HOUR_MS);

function start(period: Period, booksName = books.books.name) {
  return books.temporal.client.workflow.start<typeof aggregatePeriod>('aggregatePeriod', {
    workflowId: books.names.period(period.granularity, period.startAtMs),
    taskQueue: books.names.usageQueue,
    args: [{ ...period, booksName, limits: LIMITS, reprocess: 'stale' }],
  });
}

async function keep(): Promise<Awaited<ReturnType<typeof usageKeeper>>> {
  await wakeKeeper(books.temporal, books.books.name, 'hour', LIMITS);
  return keeperHandle().result();
}

const keeperHandle = () =>
  books.temporal.client.workflow.getHandle<typeof usageKeeper>(books.names.keeper);

const failures = () =>
  books.test.query<{
    start_at_ms: string;
    code: string;
    sqlstate: string | null;
    workflow_id: string;
  }>('select start_at_ms, code, sqlstate, workflow_id from period_failure order by id');

describe('a period that cannot be built', () => {
  it('is recorded with code, SQLSTATE and workflow, left out until the next wake, and stops no other', async () => {
    const bad = hour(1);
    await books.test.query(
      `create function refuse() returns trigger language plpgsql as $$
       begin raise exception 'refused for a test' using errcode = 'P0001'; end $$`,
    );
    await books.test.query(
      `create trigger refused before insert on period for each row
       when (new.start_at_ms = ${bad.startAtMs} and new.granularity = 'hour') execute function refuse()`,
    );
    const result = await keep();
    expect(result).toMatchObject({ failed: 1, hoursBuilt: 3 });
    expect(await ledgerDigests(books.test)).toHaveLength(3);
    expect(await failures()).toEqual([
      {
        start_at_ms: String(bad.startAtMs),
        code: 'DATABASE_FAILURE',
        sqlstate: 'P0001',
        workflow_id: books.names.period('hour', bad.startAtMs),
      },
    ]);
    await books.test.query('drop trigger refused on period');
    expect(await keep()).toMatchObject({ failed: 0 });
    expect(await ledgerDigests(books.test)).toHaveLength(4);
    expect(await differences(books.test)).toEqual([]);
  });

  it('is NO_PROGRESS when it is planned three times with the same inputs', async () => {
    const stuck = hour(2);
    await books.test.query(
      `create function spoil() returns trigger language plpgsql as $$
       begin new.carry_in_digest = '\\x00'; return new; end $$`,
    );
    await books.test.query(
      `create trigger spoiled before insert or update on period for each row
       when (new.start_at_ms = ${stuck.startAtMs} and new.granularity = 'hour') execute function spoil()`,
    );
    await insertRuns(books.test, [
      {
        key: 'c',
        user: 'jay',
        milliGpus: 1,
        startedAtMs: stuck.startAtMs,
        endedAtMs: stuck.endAtMs,
      },
    ]);
    expect(await keep()).toMatchObject({ failed: 1 });
    expect((await failures()).at(-1)).toMatchObject({
      start_at_ms: String(stuck.startAtMs),
      code: 'NO_PROGRESS',
    });
    await books.test.query('drop trigger spoiled on period');
    expect(await keep()).toMatchObject({ failed: 0 });
    expect(await differences(books.test)).toEqual([]);
  });
});

describe('a request for other books', () => {
  it('is refused with BOOKS_MISMATCH and not tried again', async () => {
    const handle = await start(hour(0), 'others');
    const error = await handle.result().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(WorkflowFailedError);
    const events = (await handle.fetchHistory()).events ?? [];
    const starts = events.filter((event) => event.activityTaskStartedEventAttributes);
    expect(starts.map((event) => event.activityTaskStartedEventAttributes?.attempt)).toEqual([
      1, 1,
    ]);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error as Error))).toContain('Workflow');
  });
});

describe('a keeper', () => {
  it('waits for a period that another workflow builds, and looks at it again', async () => {
    const taken = hour(3);
    await insertRuns(books.test, [
      {
        key: 'b',
        user: 'jay',
        milliGpus: 1,
        startedAtMs: taken.startAtMs,
        endedAtMs: taken.startAtMs + 1,
      },
    ]);
    // Holds the hour's lock, so that the other workflow is busy while the keeper plans.
    const session = await books.test.connect();
    await session.query('begin');
    await session.query(`select * from period where start_at_ms = ${taken.startAtMs} for update`);
    const other = await start(taken);
    const kept = keep();
    await until('the keeper met the other workflow', async () => {
      const { events } = await keeperHandle().fetchHistory();
      return (events ?? []).some((event) => event.startChildWorkflowExecutionFailedEventAttributes);
    });
    await session.query('commit');
    await other.result();
    expect(await kept).toMatchObject({ failed: 0 });
    expect(await differences(books.test)).toEqual([]);
  });

  it('hands over to a next run when its history is long, and forgets nothing', async () => {
    await setOrigin(books.test, origin - 12 * HOUR_MS);
    const { client } = books.temporal;
    const input: KeeperInput = {
      booksName: books.books.name,
      limits: { ...LIMITS, longestHistory: 40 },
    };
    const handle = await client.workflow.start<typeof usageKeeper>('usageKeeper', {
      workflowId: books.names.keeper,
      taskQueue: books.names.usageQueue,
      args: [input],
    });
    const result = await handle.result();
    expect(result.failed).toBe(0);
    expect(result.hoursBuilt).toBeGreaterThanOrEqual(12);
    const first = await client.workflow
      .getHandle(books.names.keeper, handle.firstExecutionRunId)
      .fetchHistory();
    expect(first.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes).toBeDefined();
    expect(await differences(books.test)).toEqual([]);
  });
});
