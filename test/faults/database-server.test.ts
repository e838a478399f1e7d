/** What can happen to the PostgreSQL server: killed, restarted, stopped, out of connections, out of disk. */
import { spawnSync } from 'node:child_process';
import { chown, rm, stat, writeFile } from 'node:fs/promises';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { aggregate } from '../../activities/aggregate.js';
import { Database } from '../../db/database.js';
import { buildPeriod } from '../../db/period-builder.js';
import { aggregateStore } from '../../workers/aggregate-store.js';
import type { TestDatabase } from '../support/database.js';
import {
  booksText,
  buildWeek,
  calendar,
  cleanBooks,
  emptyLedger,
  failure,
  fillBooks,
  hour,
  plain,
  week,
} from '../support/fault-books.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { differences } from '../support/runs.js';
import { sample } from '../support/seeded-random.js';
import { until } from '../support/temporal-books.js';

/** On a loaded machine a new connection alone takes a while. */
const TIMEOUT_MS = 2_000;
/** For a machine that is busy with other tests. */
const SLACK_MS = 1_500;
const SEED = 17;
const isTorture = process.env['JOBHOURS_TORTURE'] === '1';

/** A file system of 24 MB, or null with the reason on stderr. */
function smallDisk(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'jobhours-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  if (mounted.status === 0) return folder;
  rmSync(folder, { recursive: true });
  const reason = mounted.error?.message ?? String(mounted.stderr).trim();
  process.stderr.write(`F17 is skipped, no small file system can be mounted here: ${reason}\n`);
  return null;
}
const disk = smallDisk();

let server: OwnPostgres;
let test: TestDatabase;
let clean: string[];

beforeAll(async () => {
  server = await OwnPostgres.start({ max_connections: '30' });
  const own = await server.createDatabase('books');
  await own.database.close();
  const database = Database.open({
    url: own.url,
    timeoutMs: TIMEOUT_MS,
    applicationName: 'books',
  });
  test = { ...own, database };
  await fillBooks(test, SEED);
  clean = await cleanBooks(test);
});
afterEach(() => emptyLedger(test));
afterAll(async () => {
  await test.database.close();
  await server.close();
  // Mounted when this file is loaded, so also when no test of it is asked for.
  if (disk === null) return;
  spawnSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

async function backendPid(): Promise<number> {
  const rows = await test.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name = 'books' and state <> 'idle'`,
  );
  return rows[0]?.pid ?? Number.NaN;
}

/** Tries the week again and again, as Temporal does; `fault` comes after the nth steps of all tries together. */
async function buildThrough(
  steps: ReadonlySet<number>,
  fault: () => Promise<void>,
): Promise<number> {
  let [step, faults] = [0, 0];
  const store = aggregateStore({
    database: test.database,
    isDemo: false,
    workflowId: null,
    runId: null,
    onFailure: () => undefined,
  });
  const afterStep = async (): Promise<void> => {
    step += 1;
    if (steps.has(step)) await fault();
  };
  const build: typeof store.build = (period, expectedPartStarts) =>
    buildPeriod(test.database, period, { expectedPartStarts, afterStep });
  await until(
    'the week is built',
    async () => {
      try {
        const hooks = { heartbeat: () => undefined, isCancelled: () => false };
        await aggregate({ ...store, build }, calendar, { ...week, reprocess: 'stale' }, hooks);
        return true;
      } catch (error) {
        // Anything else, or a failure that is not retried, would stop a worker.
        expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
        faults += 1;
        return false;
      }
    },
    isTorture ? 300_000 : 50_000,
  );
  return faults;
}

/** Steps of a whole week: four of each hour, three of each day and of the week. */
const STEPS = Array.from({ length: 72 * 4 + 4 * 3 }, (_, index) => index + 1);

describe('kill -9 (F9, F10)', () => {
  it(
    'of the backend after any step of a build: the final books are those of a clean run',
    async () => {
      const steps = new Set(sample(STEPS, isTorture ? 50 : 6, SEED));
      const faults = await buildThrough(steps, async () => {
        process.kill(await backendPid(), 'SIGKILL');
      });
      process.stderr.write(`F9: seed ${SEED}, ${steps.size} kills, ${faults} failed tries\n`);
      expect(faults).toBeGreaterThanOrEqual(steps.size);
      expect(await booksText(test)).toEqual(clean);
      expect(await differences(test)).toEqual([]);
      expect(await test.query('select 1 from period_failure')).toEqual([]);
    },
    isTorture ? 310_000 : 60_000,
  );

  it.each(['kill', 'immediate'] as const)(
    'of the postmaster, or its immediate restart (%s), in the middle of a week: the final books are those of a clean run',
    async (how) => {
      const steps = new Set(sample(STEPS, isTorture ? 8 : 2, SEED + 1));
      const faults = await buildThrough(steps, async () => {
        await server.end(how);
        await server.startAgain();
      });
      process.stderr.write(
        `F10: seed ${SEED + 1}, ${steps.size} times ${how}, ${faults} failed tries\n`,
      );
      expect(faults).toBeGreaterThanOrEqual(steps.size);
      expect(await booksText(test)).toEqual(clean);
      expect(await differences(test)).toEqual([]);
    },
    isTorture ? 310_000 : 60_000,
  );

  it('of the server for a while: everybody is told at once, and it heals by itself', async () => {
    await server.end('immediate');
    const error = await failure(buildPeriod(test.database, hour(0)));
    expect(error).toMatchObject({ code: 'DATABASE_MISSING', retryable: true });
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    await server.startAgain();
    await buildPeriod(test.database, hour(0));
  });
});

describe('SIGSTOP (F11)', () => {
  it('of a backend in a transaction: an error within the time-out, and the next try waits and heals', async () => {
    let stopped = Number.NaN;
    const error = await failure(
      buildPeriod(test.database, hour(0), {
        afterStep: async (step) => {
          if (step !== 'delete-marks') return;
          stopped = await backendPid();
          process.kill(stopped, 'SIGSTOP');
        },
      }),
    );
    expect(error).toMatchObject({ code: 'DATABASE_MISSING' });
    // One wait for the statement; its connection is destroyed, so the rollback waits for nothing.
    expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    // The stopped one still holds the period's lock.
    const next = buildPeriod(test.database, hour(0));
    const waits = `select 1 from pg_stat_activity where application_name = 'books' and wait_event_type = 'Lock'`;
    await until('the next try waits', async () => (await test.query(waits)).length === 1);
    process.kill(stopped, 'SIGCONT');
    await next;
    await buildWeek(test);
    expect(await booksText(test)).toEqual(clean);
  });

  it('of the postmaster: what is connected goes on, a connect and a long statement end within the time-out', async () => {
    await test.database.execute(plain('select 1'), {});
    const postmaster = await server.postmasterPid();
    process.kill(postmaster, 'SIGSTOP');
    try {
      await test.database.execute(plain('select 2'), {});
      const [long, connect] = await Promise.all([
        failure(test.database.execute(plain('select pg_sleep(20)'), {})),
        failure(
          Database.open({ url: test.url, timeoutMs: TIMEOUT_MS }).execute(plain('select 3'), {}),
        ),
      ]);
      for (const error of [long, connect]) {
        expect(error.code).toBe('DATABASE_MISSING');
        expect(error.tookMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
      }
      expect(long.message).toContain('does not answer a new connection either');
    } finally {
      process.kill(postmaster, 'SIGCONT');
    }
    await test.database.execute(plain('select 4'), {});
  });
});

describe('no connection left (F14)', () => {
  it('is told with SQLSTATE and advice, ends no statement at work, and passes', async () => {
    const taken: pg.Client[] = [];
    // Longer than half of its time-out, so that the watch asks, and is told that no connection is left.
    const long = test.database.execute(plain('select pg_sleep(2.6)'), {});
    const busy = Database.open({ url: test.url, timeoutMs: TIMEOUT_MS });
    try {
      for (;;) {
        const client = new pg.Client({ connectionString: server.directUrl });
        client.on('error', () => undefined);
        try {
          await client.connect();
        } catch {
          break;
        }
        taken.push(client);
      }
      const error = await failure(busy.execute(plain('select 1'), {}));
      expect(error).toMatchObject({ code: 'DATABASE_MISSING', details: { sqlstate: '53300' } });
      expect(error.message).toMatch(
        /SQLSTATE 53300\. It has no connection left: raise max_connections/,
      );
      await expect(long).resolves.toBe(1);
    } finally {
      await Promise.all(taken.map((client) => client.end()));
    }
    await until('there is room again', async () => {
      return busy.execute(plain('select 1'), {}).then(
        () => true,
        () => false,
      );
    });
    await busy.close();
  });

  it('does not come from one process: 200 statements share the connections of its pool', async () => {
    const database = Database.open({ url: test.url, maxConnections: 3, applicationName: 'storm' });
    const most = { sessions: 0 };
    const statements = Array.from({ length: 200 }, () =>
      database.execute(plain('select pg_sleep(0.01)'), {}),
    );
    const watch = setInterval(() => {
      void test
        .query<{ n: string }>(
          `select count(*) as n from pg_stat_activity where application_name = 'storm'`,
        )
        .then(([row]) => (most.sessions = Math.max(most.sessions, Number(row?.n))))
        .catch(() => undefined);
    }, 50);
    await Promise.all(statements);
    clearInterval(watch);
    expect(most.sessions).toBe(3);
    await database.close();
  });
});

(disk === null ? describe.skip : describe)('a full disk (F17)', () => {
  const folder = disk ?? '';
  let full: TestDatabase;
  beforeAll(async () => {
    const place = join(folder, 'tables');
    mkdirSync(place, { mode: 0o700 });
    const { uid, gid } = await stat(join(server.folder, 'data'));
    await chown(place, uid, gid);
    await test.query(`create tablespace small location '${place}'`);
    full = await server.createDatabase('small');
    await fillBooks(full, SEED);
    for (const table of ['usage_hour', 'usage_day', 'usage_week', 'usage_month', 'period']) {
      await full.query(`alter table ${table} set tablespace small`);
    }
  });
  afterAll(() => full.close());

  it('is DATABASE_FULL, which is tried again; other work goes on; with space it heals by itself', async () => {
    const ballast = join(folder, 'ballast');
    await writeFile(ballast, Buffer.alloc(64 * 1024 * 1024)).catch(
      (error: NodeJS.ErrnoException) => {
        expect(error.code).toBe('ENOSPC');
      },
    );
    const error = await failure(buildWeek(full));
    expect(error).toMatchObject({
      code: 'DATABASE_FULL',
      retryable: true,
      details: { sqlstate: '53100' },
    });
    expect(error.message).toMatch(/No space left on device.*SQLSTATE 53100\. Free space/s);
    expect(await full.query('select 1 from period')).toEqual([]);
    expect(await full.query('select 1 from period_failure')).toEqual([]);
    await buildPeriod(test.database, hour(0));
    expect(await full.query('select count(*)::int as runs from run')).toEqual([{ runs: 150 }]);
    await rm(ballast);
    await buildWeek(full);
    expect(await booksText(full)).toEqual(clean);
    expect(await differences(full)).toEqual([]);
  });
});
