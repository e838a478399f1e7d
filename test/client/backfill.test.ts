// Backfills through a real Temporal server: equal results however they are cut, interrupted or doubled.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import { showBackfill } from '../../client/backfill-view.js';
import type { Backfill } from '../../client/backfill-view.js';
import { Calendar } from '../../domain/calendar.js';
import { GRANULARITIES, type Span } from '../../domain/period.js';
import { differences, insertRuns, ledgerDigests, type NewRun } from '../support/runs.js';
import {
  openTemporalBooks,
  testTemporal,
  LIMITS,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const endAtMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
/** The month that was over three days ago. */
const wholeMonth = Calendar.of('UTC').previous(
  Calendar.of('UTC').periodAt('month', endAtMs - 3 * DAY_MS),
);
const beforeMs = process.env['JOBHOURS_TORTURE'] === '1' ? 30 * DAY_MS : DAY_MS;
/** A whole month and parts of others, up to the last hour that is over: the keeper finds nothing to do behind it. */
const RANGE: Span = { startAtMs: wholeMonth.startAtMs - beforeMs - 6 * HOUR_MS, endAtMs };
/** In the whole month of the range, with a whole week around it. */
const INSIDE_MS = wholeMonth.startAtMs + 10 * DAY_MS + 3 * HOUR_MS;
const ALL: BackfillRequest = {
  start: RANGE.startAtMs,
  end: RANGE.endAtMs,
  lanes: 2,
  reprocess: 'stale',
  name: null,
};

/** Runs of every length from 0 ms to weeks, some still running; equal for equal counts. */
function someRuns(count: number): NewRun[] {
  let state = 12_345;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  return Array.from({ length: count }, (_, number) => {
    const startedAtMs = Math.floor(
      RANGE.startAtMs - 3 * DAY_MS + random() * (RANGE.endAtMs - RANGE.startAtMs + 3 * DAY_MS),
    );
    const lengthMs = Math.floor(10 ** (random() * 9.2) - 1);
    return {
      key: `r${number}`,
      user: `user${number % 7}`,
      milliGpus: Math.floor(random() * 8_000),
      startedAtMs,
      endedAtMs: number % 50 === 0 ? null : startedAtMs + lengthMs,
    };
  });
}

let books: TemporalBooks;
let reference: string[];
const opened: TemporalBooks[] = [];
const children: ChildProcess[] = [];

async function openWithRuns(zone = 'UTC'): Promise<TemporalBooks> {
  const one = await openTemporalBooks(zone);
  opened.push(one);
  await insertRuns(one.test, someRuns(400));
  return one;
}

async function createAndWait(
  one: TemporalBooks,
  request: Partial<BackfillRequest> = {},
): Promise<Backfill> {
  const { name } = await createBackfill(one.temporal, one, { ...ALL, ...request });
  return waitForBackfill(one.temporal, one, name, () => undefined);
}

/** Of the range: an hour may have passed since. */
const digests = (one: TemporalBooks): Promise<string[]> => ledgerDigests(one.test, RANGE.endAtMs);

const originOf = async (one: TemporalBooks): Promise<unknown> =>
  (await one.test.query('select origin_at_ms from books'))[0]?.['origin_at_ms'];

beforeAll(async () => {
  books = await openWithRuns();
  await books.work();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  for (const one of opened) await one.close();
});

describe('a backfill', () => {
  it('builds every hour, day, week and month of its range, equal to the overlap formula (G1, G2)', async () => {
    const seen: number[] = [];
    const { name } = await createBackfill(books.temporal, books, ALL);
    const ended = await waitForBackfill(books.temporal, books, name, ({ done, of }) =>
      seen.push(done / of),
    );
    expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
    expect(ended.hoursBuilt).toBe((RANGE.endAtMs - RANGE.startAtMs) / HOUR_MS);
    expect(seen.at(-1)).toBe(1);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(await differences(books.test)).toEqual([]);
    const counts = await books.test.query(
      `select granularity, count(*)::int as n from period where end_at_ms <= ${RANGE.endAtMs} group by 1 order by 1`,
    );
    // The first day, week and month begin before the origin; the last ones are not over yet.
    const over = GRANULARITIES.map((granularity) => ({
      granularity,
      n: [...books.calendar.periodsTouching(granularity, RANGE)].filter(
        (period) => period.endAtMs <= RANGE.endAtMs,
      ).length,
    }));
    expect(counts).toEqual(over.sort((a, b) => a.granularity.localeCompare(b.granularity)));
    reference = await digests(books);
  }, 60_000);

  it('sets an origin that is null to its start', async () => {
    expect(await originOf(books)).toBe(String(RANGE.startAtMs));
  });

  it('changes nothing when it is repeated, whatever is reprocessed (G5)', async () => {
    const again = await createAndWait(books);
    expect(again).toMatchObject({ outcome: 'completed', periodsBuilt: 0 });
    const all = await createAndWait(books, {
      start: INSIDE_MS,
      end: INSIDE_MS + 3 * DAY_MS,
      reprocess: 'all',
    });
    expect(all.hoursBuilt).toBe(72);
    expect(await digests(books)).toEqual(reference);
  });

  it('gives one result with two workers and two backfills of one range at once (G5)', async () => {
    const one = await openWithRuns();
    await Promise.all([one.work(), one.work()]);
    const both = await Promise.all([
      createAndWait(one, { lanes: 4, name: 'a' }),
      createAndWait(one, { lanes: 1, name: 'b' }),
    ]);
    expect(both.map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
    expect(await digests(one)).toEqual(reference);
    expect(await differences(one.test)).toEqual([]);
  }, 90_000);

  it('hands over to a next run when its history is long, with an equal result', async () => {
    const one = await openWithRuns();
    await one.work();
    const short = { ...one, limits: { ...LIMITS, longestHistory: 12 } };
    const { name } = await createBackfill(one.temporal, short, { ...ALL, lanes: 2 });
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed', periodsBuilt: reference.length });
    expect(await digests(one)).toEqual(reference);
    const { client } = one.temporal;
    const runs = [];
    for await (const run of client.workflow.list({ query: `WorkflowType = 'backfill'` })) {
      if (run.workflowId === one.names.backfill(name)) runs.push(run);
    }
    expect(runs.length).toBeGreaterThan(1);
  }, 60_000);

  it('notes a piece that fails, goes on with the others, and says so', async () => {
    const one = await openWithRuns();
    await one.work();
    const bad = INSIDE_MS;
    await one.test.query(
      `create function refuse() returns trigger language plpgsql as $$
       begin raise exception 'refused for a test' using errcode = 'P0001'; end $$`,
    );
    await one.test.query(
      `create trigger refused before insert on period for each row
       when (new.start_at_ms = ${bad} and new.granularity = 'hour') execute function refuse()`,
    );
    const ended = await createAndWait(one, { name: 'noted' });
    expect(ended).toMatchObject({ outcome: 'completed with failures', periodsFailed: 1 });
    // Everything but that hour, its day, its week and its month.
    expect(await digests(one)).toHaveLength(reference.length - 4);
    const { failures, progress } = await showBackfill(one.database, one.calendar, 'noted');
    expect(failures).toMatchObject([{ granularity: 'hour', code: 'DATABASE_FAILURE' }]);
    expect(progress.of - progress.done).toBe(1);
    await one.test.query('drop trigger refused on period');
    expect((await createAndWait(one)).outcome).toBe('completed');
    expect(await digests(one)).toEqual(reference);
  }, 60_000);

  it('keeps its range from the keeper while it runs', async () => {
    const one = await openWithRuns();
    await one.work();
    const hour = one.calendar.startOf('hour', Date.now()) - 3_600_000;
    const session = await one.test.connect();
    await session.query('begin');
    await session.query('lock table usage_hour in exclusive mode');
    const { name } = await createBackfill(one.temporal, one, {
      ...ALL,
      ...{ start: hour - 5 * 3_600_000, end: hour },
    });
    await wakeKeeper(one.temporal, one.books.name, 'hour', LIMITS);
    const keeper = one.temporal.client.workflow.getHandle(one.names.keeper);
    // Only the hour behind the range is the keeper's; it waits for the locked table too.
    await until('the keeper builds', async () => {
      const { events } = await keeper.fetchHistory();
      return (events ?? []).some((event) => event.childWorkflowExecutionStartedEventAttributes);
    });
    await session.query('commit');
    expect(await keeper.result()).toMatchObject({ hoursBuilt: 1, failed: 0 });
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended).toMatchObject({ hoursBuilt: 5, outcome: 'completed' });
    expect(await differences(one.test)).toEqual([]);
  }, 60_000);

  it('moves the origin only to the past, and what began before it is exact afterwards', async () => {
    const one = await openWithRuns();
    await one.work();
    const middle = INSIDE_MS + 15 * DAY_MS;
    await createAndWait(one, { start: middle, end: middle + 5 * HOUR_MS });
    expect(await originOf(one)).toBe(String(middle));
    await createAndWait(one);
    expect(await originOf(one)).toBe(String(RANGE.startAtMs));
    const [first] = await one.test.query(
      "select mark_from_ms from period where granularity = 'hour' and start_at_ms = $1",
      [middle],
    );
    expect(first).toEqual({ mark_from_ms: String(middle) });
    await createAndWait(one, { start: middle + DAY_MS });
    expect(await originOf(one)).toBe(String(RANGE.startAtMs));
    expect(await differences(one.test)).toEqual([]);
    expect(await digests(one)).toEqual(reference);
  }, 60_000);

  it('stops within seconds when its worker is told to, and goes on in another', async () => {
    const one = await openWithRuns();
    const first = await one.work();
    const { name } = await createBackfill(one.temporal, one, ALL);
    await until('some hours are built', async () => (await digests(one)).length > 50);
    const startedMs = performance.now();
    await first.shutdown();
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect((await digests(one)).length).toBeLessThan(reference.length);
    expect(await one.test.query('select code from period_failure')).toEqual([]);
    await one.work();
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended.outcome).toBe('completed');
    expect(await digests(one)).toEqual(reference);
  }, 60_000);

  it('goes on when its worker is killed in the middle, with an equal result (G9)', async () => {
    const one = await openWithRuns();
    const killed = spawn(
      process.execPath,
      [fileURLToPath(new URL('../support/worker-child.mjs', import.meta.url))],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: {
          ...process.env,
          CHILD_WORKER: JSON.stringify({ url: one.test.url, temporal: testTemporal() }),
        },
      },
    );
    children.push(killed);
    const short = { ...one, limits: { ...LIMITS, heartbeatMs: 3_000 } };
    const { name } = await createBackfill(one.temporal, short, ALL);
    const hours = async (): Promise<number> =>
      Number((await one.test.query('select count(*)::int as n from period'))[0]?.['n']);
    await until('some hours are built', async () => (await hours()) > 50);
    await killHard(killed);
    const before = await hours();
    expect(before).toBeLessThan(reference.length);
    await one.work();
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended.outcome).toBe('completed');
    expect(await digests(one)).toEqual(reference);
    expect(await differences(one.test)).toEqual([]);
  }, 90_000);
});

async function killHard(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

describe('creating a backfill', () => {
  it('joins the one of the same name and range, and refuses another range (BACKFILL_EXISTS)', async () => {
    const first = await createAndWait(books, { name: 'named' });
    const joined = await createBackfill(books.temporal, books, {
      ...ALL,
      end: 'now',
      name: 'named',
    });
    expect(joined.createdAtMs).toBe(first.createdAtMs);
    await expect(
      createBackfill(books.temporal, books, { ...ALL, end: RANGE.endAtMs - DAY_MS, name: 'named' }),
    ).rejects.toMatchObject({ code: 'BACKFILL_EXISTS' });
  });

  it('is healed by repeating it after a crash between its row and its workflow', async () => {
    await books.test.query(
      `insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms)
       values ('crashed', $1, $2, 2, 'stale', 0)`,
      [RANGE.startAtMs, RANGE.endAtMs],
    );
    expect((await createAndWait(books, { name: 'crashed' })).outcome).toBe('completed');
  });

  it('tells a waiting client when its workflow was terminated, and goes on when repeated', async () => {
    const one = await openWithRuns();
    const worker = await one.work();
    const { name } = await createBackfill(one.temporal, one, ALL);
    const waiting = waitForBackfill(one.temporal, one, name, () => undefined);
    await one.temporal.client.workflow.getHandle(one.names.backfill(name)).terminate('test');
    await expect(waiting).rejects.toThrow(`jobhours backfill create --name "${name}" --wait`);
    expect((await createAndWait(one, { name })).outcome).toBe('completed');
    expect(await digests(one)).toEqual(reference);
    await worker.shutdown();
  }, 60_000);

  it('ends as cancelled when its workflow is cancelled', async () => {
    const one = await openWithRuns();
    await one.work();
    const { name } = await createBackfill(one.temporal, one, ALL);
    await one.temporal.client.workflow.getHandle(one.names.backfill(name)).cancel();
    const ended = await waitForBackfill(one.temporal, one, name, () => undefined);
    expect(ended.outcome).toBe('cancelled');
    expect(await differences(one.test)).toEqual([]);
  }, 60_000);

  it.each([
    ['PERIOD_OPEN', 'of the future (B68)', { start: Date.UTC(2090, 0), end: Date.UTC(2090, 1) }],
    ['PERIOD_OPEN', 'that reaches into the future (B68)', { end: Date.UTC(2090, 1) }],
    ['RANGE_INVALID', 'that ends before it starts (B68)', { end: RANGE.startAtMs - 1 }],
    ['RANGE_INVALID', 'that is empty (B68)', { end: RANGE.startAtMs }],
    ['LIMIT_INVALID', 'with no lane', { lanes: 0 }],
    ['LIMIT_INVALID', 'with half a lane', { lanes: 1.5 }],
    ['USAGE', 'with a name that has control characters', { name: 'a\nb' }],
  ])('answers %s for a range or request %s', async (code, _what, request) => {
    await expect(
      createBackfill(books.temporal, books, { ...ALL, ...request }),
    ).rejects.toMatchObject({ code });
  });

  it('answers NOT_FOUND for the oldest of no runs, and for a name that nobody gave', async () => {
    const one = await openTemporalBooks();
    opened.push(one);
    await one.work();
    await expect(
      createBackfill(one.temporal, one, { ...ALL, start: 'oldest' }),
    ).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(showBackfill(one.database, one.calendar, 'x')).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('answers NO_WORKER within 10 s when nobody polls', async () => {
    const one = await openWithRuns();
    const startedMs = performance.now();
    await expect(createBackfill(one.temporal, one, ALL)).rejects.toMatchObject({
      code: 'NO_WORKER',
    });
    expect(performance.now() - startedMs).toBeLessThan(12_000);
    expect(await one.test.query('select * from backfill')).toEqual([]);
  });
});
