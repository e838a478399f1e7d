/** What a network can do to a statement: nothing hangs, nothing is done twice, half an answer is none. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '../../db/database.js';
import { buildPeriod } from '../../db/period-builder.js';
import { isJobhoursError } from '../../domain/errors.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import {
  booksText,
  buildWeek,
  cleanBooks,
  emptyLedger,
  failure,
  fillBooks,
  hour,
  plain,
} from '../support/fault-books.js';
import { importText, runsOf, sacct, sacctLine } from '../support/imports.js';
import { differences } from '../support/runs.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { until } from '../support/temporal-books.js';

/** On a loaded machine a new connection alone takes a while. */
const TIMEOUT_MS = 2_000;
/** For a machine that is busy with other tests. */
const SLACK_MS = 1_500;
const SEED = 4;

let proxy: TcpProxy;
let test: TestDatabase;
/** The same database behind the proxy, with a short time-out. */
let far: TestDatabase;
let clean: string[];

beforeAll(async () => {
  test = await createTestDatabase();
  await fillBooks(test, SEED);
  await test.query('create table noted (id serial, word text)');
  clean = await cleanBooks(test);
  proxy = await TcpProxy.start(Number(new URL(test.url).port));
  const database = Database.open({
    url: proxy.through(test.url),
    timeoutMs: TIMEOUT_MS,
    applicationName: 'far',
  });
  far = { ...test, url: proxy.through(test.url), database };
});
afterEach(() => {
  proxy.delayMs = 0;
  proxy.resume();
});
afterAll(async () => {
  await far.database.close();
  await test.close();
  await proxy.close();
});

const numbers = {
  ...plain(
    `select g as n, repeat('x', 200) || ' row ' || g as word from generate_series(1, 50000) g`,
  ),
  row: { n: 'int4', word: 'text' },
} as const;

/** A connection at rest in the pool, so that the stall meets a statement and not the connect. */
const warm = (): Promise<unknown> => far.database.execute(plain('select 1'), {});

describe('a stalled network (F13)', () => {
  it.each<[string, (database: Database) => Promise<unknown>]>([
    ['a single statement', (database) => database.execute(plain('select 1'), {})],
    [
      'a statement in a transaction',
      (database) =>
        database.transaction({}, async (transaction) => {
          proxy.stall();
          await transaction.execute(plain('select 1'), {});
        }),
    ],
    ['begin', (database) => database.transaction({}, () => Promise.resolve())],
    [
      'commit',
      (database) =>
        database.transaction({}, async (transaction) => {
          await transaction.execute(plain(`insert into noted (word) values ('stalled')`), {});
          proxy.stall();
        }),
    ],
    [
      'rollback',
      (database) =>
        database.transaction({}, async (transaction) => {
          proxy.stall();
          await transaction.execute(plain('select 1'), {});
        }),
    ],
    [
      'COPY',
      (database) =>
        database.transaction({}, async (transaction) => {
          proxy.stall();
          await transaction.copyInto('noted (word)', ['a\n', 'b\n']);
        }),
    ],
    [
      'a connection of its own',
      (database) =>
        database.connection(async (connection) => {
          proxy.stall();
          await connection.execute(plain('select 1'), {});
        }),
    ],
  ])('ends %s within the configured time-out, and names server and time', async (name, work) => {
    await warm();
    if (['a single statement', 'begin'].includes(name)) proxy.stall();
    const error = await failure(work(far.database));
    expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
    expect(error.message).toContain(`127.0.0.1:${proxy.port}/test_`);
    expect(error.message).toContain(`no answer for ${TIMEOUT_MS / 1_000} s`);
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    proxy.resume();
    await warm();
  });

  it('ends a connect within the time-out, and all who wait for one of the pool', async () => {
    proxy.stall();
    const database = Database.open({ url: far.url, timeoutMs: TIMEOUT_MS, maxConnections: 2 });
    const errors = await Promise.all(
      Array.from({ length: 10 }, () => failure(database.execute(plain('select 1'), {}))),
    );
    expect(errors.map(({ code }) => code)).toEqual(errors.map(() => 'DATABASE_MISSING'));
    expect(Math.max(...errors.map(({ tookMs }) => tookMs))).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    proxy.resume();
    await database.execute(plain('select 1'), {});
    await database.close();
  });

  it('of one connection only: the server says that nobody works on the statement', async () => {
    const work = far.database.transaction({}, async (transaction) => {
      proxy.stall('open');
      await transaction.execute(plain('select 1'), {});
    });
    const error = await failure(work);
    expect(error.message).toContain('the server works on nothing for this connection');
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  });

  it('in the middle of a row stream gives no rows at all', async () => {
    await warm();
    const sprung = proxy.set({
      from: 'server',
      bytes: ' row 20000',
      nth: 1,
      then: () => proxy.stall('open'),
    });
    const error = await failure(far.database.rows(numbers, {}));
    await sprung;
    expect(error).toMatchObject({ code: 'DATABASE_MISSING' });
    expect(error.message).toContain('the server still waits for what was sent');
    expect(error.tookMs).toBeLessThan(3 * TIMEOUT_MS);
  });

  it('leaves no session and no connection of the watch behind', async () => {
    await failure(
      far.database.transaction({}, async (transaction) => {
        proxy.stall();
        await transaction.execute(plain('select 1'), {});
      }),
    );
    proxy.resume();
    const sessions = `select 1 from pg_stat_activity where datname = current_database()
      and (application_name = 'jobhours watch' or (application_name = 'far' and state <> 'idle'))`;
    await until('the sessions are gone', async () => (await test.query(sessions)).length === 0);
    await until('the connections are gone', () => Promise.resolve(proxy.open <= 4));
  });
});

describe('a statement that takes longer than the time-out (F13)', () => {
  it('is not given up while the server works on it', async () => {
    const connected = proxy.connected;
    await far.database.execute(plain('select pg_sleep(5.2)'), {});
    // The watch asked, each time on a connection of its own.
    expect(proxy.connected - connected).toBeGreaterThanOrEqual(4);
  });

  it('is not given up while it waits for a lock', async () => {
    const other = await test.connect();
    await other.query('begin; lock table noted');
    const insert = far.database.execute(plain(`insert into noted (word) values ('late')`), {});
    await delay(2_600);
    await other.query('commit');
    await expect(insert).resolves.toBe(1);
  });

  it('is not given up while its rows arrive slowly, nor COPY while its source is slow', async () => {
    proxy.delayMs = 300;
    const rows = await far.database.rows(numbers, {});
    expect(rows).toHaveLength(50_000);
    proxy.delayMs = 0;
    async function* slowly(): AsyncGenerator<string> {
      yield 'first\n';
      await delay(2_600);
      yield 'last\n';
    }
    await far.database.transaction({}, (transaction) =>
      transaction.copyInto('noted (word)', slowly()),
    );
    const words = `select word from noted where word in ('first', 'last') order by id`;
    expect(await test.query(words)).toEqual([{ word: 'first' }, { word: 'last' }]);
  });

  it('asks the server of nobody when statements are short', async () => {
    await warm();
    const connected = proxy.connected;
    for (let n = 0; n < 200; n += 1) await far.database.execute(plain('select 1'), {});
    expect(proxy.connected).toBe(connected);
  });
});

describe('a slow network (F13)', () => {
  it('builds a week with 100 ms of delay to and fro, equal to the last row', async () => {
    await emptyLedger(test);
    await buildWeek(test);
    await test.query(`delete from period where start_at_ms >= ${hour(70).startAtMs}`);
    proxy.delayMs = 100;
    await buildWeek(far);
    expect(await booksText(test)).toEqual(clean);
  });
});

describe('a connection that is cut', () => {
  it('in the middle of a row stream is never a partial result (F13)', async () => {
    for (const nth of [1, 2, 3]) {
      await warm();
      const sprung = proxy.set({ from: 'server', bytes: ' row 1000', nth, then: 'cut after' });
      await expect(far.database.rows(numbers, {})).rejects.toMatchObject({
        code: 'DATABASE_MISSING',
      });
      await sprung;
    }
    expect(await far.database.rows(numbers, {})).toHaveLength(50_000);
  });

  it.each(['cut before', 'cut after'] as const)(
    'at COMMIT (%s the server has it): the caller knows that he does not know, and nothing is doubled (F12, G5)',
    async (then) => {
      await emptyLedger(test);
      const sprung = proxy.set({ from: 'client', bytes: 'commit\0', nth: 1, then });
      const error = await failure(buildPeriod(far.database, hour(0)));
      await sprung;
      expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
      if (then === 'cut after') {
        await until(
          'the server has committed',
          async () => (await test.query('select 1 from period')).length === 1,
        );
      } else {
        expect(await test.query('select 1 from period')).toEqual([]);
      }
      await buildWeek(far);
      expect(await booksText(test)).toEqual(clean);
      expect(await differences(test)).toEqual([]);
    },
  );

  it('at any COMMIT of a week: each time the next try goes on where it ended (F12, G5)', async () => {
    await emptyLedger(test);
    let cuts = 0;
    for (let isDone = false; !isDone;) {
      const then = cuts % 2 === 0 ? 'cut after' : 'cut before';
      void proxy.set({ from: 'client', bytes: 'commit\0', nth: 12, then });
      try {
        await buildWeek(far);
        isDone = true;
      } catch (error) {
        if (!isJobhoursError(error, 'DATABASE_MISSING')) throw error;
        cuts += 1;
      }
    }
    void proxy.set({ from: 'client', bytes: 'never', nth: 1, then: 'cut before' });
    expect(cuts).toBeGreaterThanOrEqual(4);
    expect(await booksText(test)).toEqual(clean);
  });

  it('at each COMMIT of an import: repeating it counts no record twice (F12, G7)', async () => {
    const books = await createTestDatabase();
    await fillBooks(books, SEED, 1);
    const database = Database.open({ url: proxy.through(books.url), timeoutMs: TIMEOUT_MS });
    const text = Array.from({ length: 90 }, (_, n) => sacctLine({ jobidraw: String(n + 1) })).join(
      '\n',
    );
    let cuts = 0;
    for (let nth = 1; cuts === nth - 1; nth += 1) {
      void proxy.set({ from: 'client', bytes: 'commit\0', nth, then: 'cut after' });
      await importText({ ...books, database }, sacct, text, { batchSize: 30 }).catch(
        (error: unknown) => {
          if (!isJobhoursError(error, 'DATABASE_MISSING')) throw error;
          cuts += 1;
        },
      );
    }
    // Staging, names, three batches, the end.
    expect(cuts).toBe(6);
    expect((await runsOf(books)).length).toBe(91);
    expect(await books.query('select 1 from run_history')).toEqual([]);
    await database.close();
    await books.close();
  });
});
