/** What PostgreSQL answers to a statement that it refuses or gives up, and what becomes of the connection. */
import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { requireClock } from '../../db/clock.js';
import { Database, type Transaction } from '../../db/database.js';
import { migrationStatus } from '../../db/migrations.js';
import { buildPeriod } from '../../db/period-builder.js';
import { sqlstateOf, translated } from '../../db/sqlstate.js';
import type { JobhoursError } from '../../domain/errors.js';
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
import { until } from '../support/temporal-books.js';

let test: TestDatabase;
let clean: string[];

beforeAll(async () => {
  test = await createTestDatabase();
  await fillBooks(test, 16);
  clean = await cleanBooks(test);
  await test.query('create table account (id int primary key check (id < 100), amount int)');
  await test.query('insert into account values (1, 0), (2, 0)');
});
afterAll(() => test.close());

const add = (transaction: Transaction, id: number): Promise<number> =>
  transaction.execute(plain(`update account set amount = amount + 1 where id = ${id}`), {});

/** Resolves when both called it. */
function meeting(): () => Promise<void> {
  let arrived = 0;
  let open: () => void = () => undefined;
  const both = new Promise<void>((resolve) => (open = resolve));
  return () => {
    arrived += 1;
    if (arrived === 2) open();
    return both;
  };
}

/** The error of the one that loses; the other one must win. */
async function loserOf(works: readonly Promise<unknown>[]): Promise<JobhoursError> {
  const results = await Promise.allSettled(works);
  const lost = results.filter((result) => result.status === 'rejected');
  expect(lost).toHaveLength(1);
  return lost[0]?.reason as JobhoursError;
}

describe('another transaction that was there first is REPLAN (F15)', () => {
  it('by a deadlock', async () => {
    const met = meeting();
    const work = (first: number, second: number): Promise<unknown> =>
      test.database.transaction({}, async (transaction) => {
        await add(transaction, first);
        await met();
        await add(transaction, second);
      });
    const lost = await loserOf([work(1, 2), work(2, 1)]);
    expect(lost).toMatchObject({ code: 'REPLAN', retryable: true, details: { sqlstate: '40P01' } });
    expect(lost.message).toContain('SQLSTATE 40P01');
  });

  it('by a row that changed since the snapshot', async () => {
    const met = meeting();
    const work = (): Promise<unknown> =>
      test.database.transaction({ isolation: 'repeatable read' }, async (transaction) => {
        await transaction.execute(plain('select from account'), {});
        await met();
        await add(transaction, 1);
      });
    expect(await loserOf([work(), work()])).toMatchObject({
      code: 'REPLAN',
      details: { sqlstate: '40001' },
    });
  });

  it.each([
    ['23505', 'a second row of one key', 'insert into account values (1, 0)'],
    ['23514', 'a CHECK', 'insert into account values (100, 0)'],
  ])('by %s: %s', async (sqlstate, _, text) => {
    const error = await failure(test.database.execute(plain(text), {}));
    expect(error).toMatchObject({ code: 'REPLAN', retryable: true, details: { sqlstate } });
    expect(error.message).toContain('constraint account_');
  });
});

describe('a statement that was given up is DATABASE_BUSY and tried again (F16)', () => {
  /** Keeps the builder of an hour waiting for a table while `work` runs. */
  async function whileItWaits(work: (pid: number) => Promise<unknown>): Promise<JobhoursError> {
    await emptyLedger(test);
    const other = await test.connect();
    await other.query('begin; lock table usage_hour in access exclusive mode');
    const database = Database.open({ url: test.url, applicationName: 'waits' });
    const build = failure(buildPeriod(database, hour(0)));
    const waiting = `select pid from pg_stat_activity
      where datname = current_database() and application_name = 'waits' and wait_event_type = 'Lock'`;
    let pid = Number.NaN;
    await until('it waits', async () => {
      const [row] = await test.query<{ pid: number }>(waiting);
      pid = row?.pid ?? pid;
      return row !== undefined;
    });
    await work(pid);
    const error = await build;
    await other.query('commit');
    expect(await test.query('select 1 from period')).toEqual([]);
    await database.close();
    await buildWeek(test);
    expect(await booksText(test)).toEqual(clean);
    return error;
  }

  it('by a cancellation, with the SQLSTATE; the next try builds it', async () => {
    const error = await whileItWaits((pid) => test.query('select pg_cancel_backend($1)', [pid]));
    expect(error).toMatchObject({
      code: 'DATABASE_BUSY',
      retryable: true,
      details: { sqlstate: '57014' },
    });
    expect(error.message).toMatch(/SQLSTATE 57014\. .*try again/);
  });

  it('by a lock that is not to be had in the time that the administrator allows', async () => {
    const [{ name } = { name: '' }] = await test.query<{ name: string }>(
      'select current_database() as name',
    );
    await test.query(`alter database ${name} set lock_timeout = '300ms'`);
    const error = await whileItWaits(() => Promise.resolve());
    await test.query(`alter database ${name} reset lock_timeout`);
    expect(error).toMatchObject({ code: 'DATABASE_BUSY', details: { sqlstate: '55P03' } });
  });

  it('by pg_terminate_backend it is DATABASE_MISSING, and tried again as well (F30)', async () => {
    const error = await whileItWaits((pid) => test.query('select pg_terminate_backend($1)', [pid]));
    expect(error).toMatchObject({ code: 'DATABASE_MISSING', details: { sqlstate: '57P01' } });
  });

  it('every code of the table is translated once', () => {
    const codes = (states: string[]): string[] =>
      states.map((code) => translated({ code, message: 'm' }, 's').code);
    expect(
      codes(['53200', '53400', '53000', '25P03', '57P05', '08006', 'EPIPE', 'EAI_AGAIN']),
    ).toEqual([
      ...['DATABASE_BUSY', 'DATABASE_BUSY', 'DATABASE_BUSY', 'DATABASE_MISSING'],
      ...['DATABASE_MISSING', 'DATABASE_MISSING', 'DATABASE_MISSING', 'DATABASE_MISSING'],
    ]);
    expect(codes(['42P01', 'ENOENT', 'P0001'])).toEqual(Array(3).fill('DATABASE_FAILURE'));
    expect(sqlstateOf({ code: 'EPIPE' })).toBeNull();
    expect(sqlstateOf({ code: '23505' })).toBe('23505');
  });
});

describe('a connection that the server ends never ends the process (F30)', () => {
  const endAll = (name: string): Promise<unknown> =>
    test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = $1`,
      [name],
    );

  it('idle in the pool, busy, between two statements of a transaction, held by an import', async () => {
    const database = Database.open({ url: test.url, applicationName: 'ended' });
    const works = (): Promise<number> => database.execute(plain('select 1'), {});
    await Promise.all([works(), works(), works()]);
    await endAll('ended');
    await until('the pool is usable', () =>
      works().then(
        () => true,
        () => false,
      ),
    );

    const busy = failure(database.execute(plain('select pg_sleep(20)'), {}));
    const isBusy = `select 1 from pg_stat_activity where application_name = 'ended' and state = 'active'`;
    await until('it is busy', async () => (await test.query(isBusy)).length === 1);
    await endAll('ended');
    expect((await busy).code).toBe('DATABASE_MISSING');

    const between = await failure(
      database.transaction({}, async (transaction) => {
        await transaction.execute(plain('select 1'), {});
        await endAll('ended');
        await transaction.execute(plain('select 2'), {});
      }),
    );
    expect(between.code).toBe('DATABASE_MISSING');

    const held = await failure(
      database.connection(async (connection) => {
        await connection.execute(plain('select 1'), {});
        await endAll('ended');
        await connection.execute(plain('select 2'), {});
      }),
    );
    expect(held.code).toBe('DATABASE_MISSING');
    await works();
    await database.close();
  });
});

describe('the settings of a session', () => {
  const shown = {
    ...plain(`select current_setting('idle_in_transaction_session_timeout') as idle,
      current_setting('tcp_keepalives_idle')::int + 3 * current_setting('tcp_keepalives_interval')::int as dead_after_s`),
    row: { idle: 'text', dead_after_s: 'int4' },
  } as const;

  it('end a stopped writer after 2 minutes, a reader after an hour, a dead client after one minute (F4)', async () => {
    const inTransaction = (readOnly: boolean): Promise<unknown> =>
      test.database.transaction({ readOnly }, (transaction) => transaction.one(shown, {}));
    expect(await inTransaction(false)).toEqual({ idle: '2min', dead_after_s: 60 });
    expect(await inTransaction(true)).toEqual({ idle: '1h', dead_after_s: 60 });
    expect(await inTransaction(false)).toEqual({ idle: '2min', dead_after_s: 60 });
  });

  it('give a stopped builder its end: the lock is free, its late statement is refused (F4, I25)', async () => {
    await emptyLedger(test);
    const error = await failure(
      buildPeriod(test.database, hour(0), {
        afterStep: async (step) => {
          if (step !== 'delete-marks') return;
          await test.query(
            `select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and state = 'idle in transaction'`,
          );
          await buildPeriod(test.database, hour(0));
        },
      }),
    );
    expect(error.code).toBe('DATABASE_MISSING');
    await buildWeek(test);
    expect(await booksText(test)).toEqual(clean);
  });
});

describe('the message of DATABASE_MISSING', () => {
  async function closedPort(): Promise<number> {
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }

  it.each(['127.0.0.1', 'localhost'])(
    'names the server at %s and what to do, never the password (I40)',
    async (host) => {
      const port = await closedPort();
      const url = `postgres://me:canary@${host}:${port}/books`;
      const database = Database.open({ url });
      for (const error of [
        await failure(database.execute(plain('select 1'), {})),
        await failure(migrationStatus(url)),
      ]) {
        expect(error.code).toBe('DATABASE_MISSING');
        expect(error.message).toContain(`PostgreSQL at ${host}:${port}/books is missing`);
        expect(error.message).toContain('ECONNREFUSED');
        expect(error.message).toContain('See that it runs and can be reached from here');
        expect(JSON.stringify([error.message, error.details])).not.toContain('canary');
      }
      await database.close();
    },
  );

  it.each(['postgres://me:canary@[/books', 'mysql://me:canary@host/db'])(
    'is CONFIG when the address is none, without the password: %s',
    (url) => {
      const open = (): unknown => Database.open({ url });
      expect(open).toThrow(/DATABASE_URL: expected postgres/);
      expect(open).not.toThrow(/canary/);
    },
  );

  it('tells a pool whose connections all stay in use from a server that is gone', async () => {
    const database = Database.open({ url: test.url, maxConnections: 1, timeoutMs: 1_000 });
    const long = database.execute(plain('select pg_sleep(2)'), {});
    const error = await failure(database.execute(plain('select 1'), {}));
    expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
    expect(error.message).toContain('All connections of this process stayed in use');
    await long;
    await database.close();
  });
});

describe('the clock of this machine (F20)', () => {
  const databaseNow = Date.now;

  it.each([0, 90_000, -90_000, 290_000, -290_000])('may be %d ms off', async (offMs) => {
    const nowMs = await requireClock(test.database, () => databaseNow() + offMs);
    expect(Math.abs(nowMs - databaseNow())).toBeLessThan(5_000);
  });

  it.each([310_000, -310_000, 86_400_000, -86_400_000])(
    'is CLOCK_SKEW when it is %d ms off, with both instants and the difference',
    async (offMs) => {
      const error = await failure(requireClock(test.database, () => databaseNow() + offMs));
      expect(error).toMatchObject({ code: 'CLOCK_SKEW', retryable: true });
      expect(error.message).toMatch(
        /^the clocks are \d+ s apart, 5 minutes are allowed: this machine says 20\d\d-.*Z, the database 20\d\d-.*Z\. .*timedatectl/,
      );
      expect(Math.abs(Number(error.details['skewMs']) - offMs)).toBeLessThan(5_000);
    },
  );

  it('is not blamed for a slow network: half of the round trip may be its own', async () => {
    // The answer takes two minutes, and the clock is 5.5 minutes ahead at most.
    const said = [databaseNow() + 270_000, databaseNow() + 390_000];
    await requireClock(test.database, () => said.shift() ?? Number.NaN);
    const alone = databaseNow() + 330_000;
    await expect(requireClock(test.database, () => alone)).rejects.toMatchObject({
      code: 'CLOCK_SKEW',
    });
  });
});
