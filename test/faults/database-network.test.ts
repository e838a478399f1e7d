/** What a network can do to a statement: nothing hangs, nothing is done twice, half an answer is none. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '../../db/database.js';
import { buildPeriod } from '../../db/period-builder.js';
import { StatementWatch } from '../../db/statement-watch.js';
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

const numbersTo = (last: number) =>
  ({
    ...plain(
      `select g as n, repeat('x', 200) || ' row ' || g as word from generate_series(1, ${last}) g`,
    ),
    row: { n: 'int4', word: 'text' },
  }) as const;
const numbers = numbersTo(50_000);
/** More than the buffers between the server and the proxy hold. */
const TOO_MANY = 400_000;

/** A connection at rest in the pool, so that the stall meets a statement and not the connect. */
const warm = (): Promise<unknown> => far.database.execute(plain('select 1'), {});

/** How long nothing was heard, as the message says it. */
function waitedMsIn({ message }: Error): number {
  return Number(/no sign of an answer for (\d+\.\d) s/.exec(message)?.[1]) * 1_000;
}
const ROUNDING_MS = 50;

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
    expect(waitedMsIn(error)).toBeGreaterThanOrEqual(TIMEOUT_MS / 2);
    expect(waitedMsIn(error)).toBeLessThanOrEqual(error.tookMs + ROUNDING_MS);
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
    // It is given up after half of the time-out, and says so.
    expect(waitedMsIn(error)).toBeLessThan(TIMEOUT_MS);
    expect(waitedMsIn(error)).toBeLessThanOrEqual(error.tookMs + ROUNDING_MS);
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
    const error = await failure(far.database.rows(numbersTo(TOO_MANY), {}));
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

describe('the backend that the watch looks for', () => {
  const look = (settings: string): Promise<unknown> =>
    test.query(`alter database ${new URL(test.url).pathname.slice(1)} ${settings}`);
  beforeAll(async () => {
    // New sessions of the database, such as the watch's, find these in the place of PostgreSQL's own.
    await test.query('create schema set_back');
    await test.query(`create function set_back.clock_timestamp() returns timestamptz
      return pg_catalog.clock_timestamp() - interval '1 day'`);
    await test.query('create schema reused');
    await test.query(`create view reused.pg_stat_activity as
      select pid, state, wait_event_type, backend_start + interval '1 us' as backend_start
      from pg_catalog.pg_stat_activity`);
  });
  afterEach(() => look('reset search_path'));

  it('is found when the clock of the server was set back behind the start of its connection (F20)', async () => {
    await warm();
    await look('set search_path = set_back, public, pg_catalog');
    await expect(far.database.execute(plain('select pg_sleep(2.6)'), {})).resolves.toBe(1);
  });

  it('is not another one that was given its pid, however busy that is', async () => {
    await warm();
    await look('set search_path = reused, public, pg_catalog');
    const error = await failure(far.database.execute(plain('select pg_sleep(20)'), {}));
    expect(error.message).toContain('the server has lost this connection');
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  });
});

describe('a watch that is not let in', () => {
  const SHORT_MS = 1_000;
  /** By SQLSTATE: how the server refuses new connections of a role. */
  const REFUSALS = {
    '28P01': (role: string) => `alter role ${role} password 'rotated'`,
    '28000': (role: string) => `alter role ${role} nologin`,
    '53300': (role: string) => `alter role ${role} connection limit 0`,
  };

  const states = Object.keys(REFUSALS) as (keyof typeof REFUSALS)[];

  /** Runs `run` for each role on a connection that was there before the server refused new ones. */
  async function eachRefused<T>(
    run: (database: Database) => Promise<T>,
    before: () => void = () => undefined,
  ): Promise<T[]> {
    const roles = states.map((sqlstate) => `watched_${sqlstate.toLowerCase()}`);
    const databases = roles.map((username) => {
      const url = Object.assign(new URL(far.url), { username, password: 'first' });
      return Database.open({ url: url.href, timeoutMs: SHORT_MS });
    });
    try {
      for (const [index, role] of roles.entries()) {
        await test.query(`create role ${role} login password 'first'`);
        await databases[index]?.execute(plain('select 1'), {});
      }
      for (const [index, state] of states.entries()) {
        await test.query(REFUSALS[state](roles[index] ?? ''));
      }
      before();
      return await Promise.all(databases.map(run));
    } finally {
      await Promise.all(databases.map((database) => database.close()));
      for (const role of roles) await test.query(`drop role ${role}`);
    }
  }

  it('leaves a statement at work in peace: the server lives (F13, F14)', async () => {
    const rows = await eachRefused((database) => database.execute(plain('select pg_sleep(3)'), {}));
    expect(rows).toEqual([1, 1, 1]);
  });

  it('waits for a lost statement ten times the time-out, and not without end (F13, F14)', async () => {
    const errors = await eachRefused(
      (database) => failure(database.execute(plain('select pg_sleep(60)'), {})),
      () => proxy.stall('open'),
    );
    for (const [index, error] of errors.entries()) {
      expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
      expect(error.message).toContain(`SQLSTATE ${states[index]}`);
      expect(waitedMsIn(error)).toBeGreaterThanOrEqual(10 * SHORT_MS);
      expect(error.tookMs).toBeLessThan(11 * SHORT_MS + SLACK_MS);
    }
  }, 30_000);

  it('knows at once that a statement is lost when its database is not there', async () => {
    const url = Object.assign(new URL(test.url), { pathname: '/no_such_database' });
    const watch = new StatementWatch({ url: url.href, timeoutMs: TIMEOUT_MS });
    const client = await test.connect();
    client.on('error', () => undefined);
    const answer = client.query('select pg_sleep(20)');
    answer.catch(() => undefined);
    const error = await failure(watch.during(client, 'sleep', answer));
    expect(error.message).toContain('the server has lost this connection');
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
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
    // Staging, the import's number, names, three batches, the end.
    expect(cuts).toBe(7);
    expect((await runsOf(books)).length).toBe(91);
    expect(await books.query('select 1 from run_history')).toEqual([]);
    await database.close();
    await books.close();
  });
});
