// The metrics of a real worker, scraped over HTTP and compared with a known ledger.
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wakeKeeper } from '../../client/keeper.js';
import { Calendar } from '../../domain/calendar.js';
import { GAUGES, MEASURED, type Metric } from '../../domain/metrics.js';
import { GRANULARITIES } from '../../domain/period.js';
import { COUNTED_STATES } from '../../domain/period-counts.js';
import { MS_PER_HOUR, MS_PER_SECOND } from '../../domain/units.js';
import type { usageKeeper } from '../../workflows/index.js';
import { startGauges, type GaugeOptions, type RunningGauges } from '../../workers/metrics.js';
import { startWorker, type RunningWorker, type UsageWorkerOptions } from '../../workers/worker.js';
import { itWithPromtool, promtool } from '../support/promtool.js';
import { aggregateNow, insertRuns, setOrigin } from '../support/runs.js';
import { ownLines, samplesOf, scrapeText, type Sample } from '../support/scrape.js';
import {
  LIMITS,
  openTemporalBooks,
  SETTINGS,
  testTemporal,
  until,
  workflowBundle,
  type TemporalBooks,
} from '../support/temporal-books.js';

const CATALOGUE: readonly Metric[] = [...Object.values(GAUGES), ...Object.values(MEASURED)];

let books: TemporalBooks;
let worker: RunningWorker | undefined;
let gauges: RunningGauges | undefined;
let address: string;
const notes: string[] = [];

/** A server on a free port of this machine. */
async function listening(): Promise<{ server: Server; address: string }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  return { server, address: `127.0.0.1:${bound.port}` };
}

const closed = (server: Server): Promise<unknown> =>
  new Promise((resolve) => server.close(resolve));

async function options(metricsAddress: string): Promise<UsageWorkerOptions> {
  return {
    databaseUrl: books.test.url,
    temporal: testTemporal(),
    graceMs: SETTINGS.graceMs,
    catchUpMs: SETTINGS.catchUpMs,
    logLevel: 'error',
    workflowBundle: await workflowBundle(),
    metricsAddress,
  };
}

const samples = async (): Promise<Sample[]> => samplesOf(await scrapeText(address));

/** The value of one series; NaN when it is not there. */
function valueOf(
  all: readonly Sample[],
  name: string,
  labels: Record<string, string> = {},
): number {
  const found = all.filter(
    (one) =>
      one.name === name &&
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  if (found.length > 1) throw new Error(`${found.length} series of ${name}`);
  return found[0]?.value ?? Number.NaN;
}

function hours(all: readonly Sample[]): Record<string, number> {
  const labels = { granularity: 'hour', books: books.books.name };
  return Object.fromEntries(
    COUNTED_STATES.map((state) => [state, valueOf(all, GAUGES.periods.name, { ...labels, state })]),
  );
}

/** Six hours that are over: one good, one stale, one failed, three missing; the present hour has a mark. */
async function arrange(): Promise<void> {
  const start = books.calendar.startOf('hour', Date.now()) - 6 * MS_PER_HOUR;
  const run = (key: string, fromMs: number, toMs: number | null): object => ({
    ...{ key, user: 'wren', milliGpus: 1_500, startedAtMs: fromMs, endedAtMs: toMs },
  });
  await setOrigin(books.test, start);
  await insertRuns(books.test, [run('first', start + 5, start + 90 * 60_000)] as never);
  for (const n of [0, 1]) {
    const hour = books.calendar.periodAt('hour', start + n * MS_PER_HOUR);
    await aggregateNow(books.test, books.calendar, { ...hour, reprocess: 'missing' });
  }
  const inSecond = start + MS_PER_HOUR;
  await insertRuns(books.test, [run('late', inSecond + 7, inSecond + 8)] as never);
  await insertRuns(books.test, [run('now', start + 6 * MS_PER_HOUR, null)] as never);
  await books.test.query(
    `insert into period_failure (granularity, start_at_ms, label, at_ms, code, detail)
     values ('hour', $1, 'x', 0, 'CHECK_FAILED', 'planted'), ('hour', $1, 'x', 1, 'CHECK_FAILED', 'again')`,
    [start + 2 * MS_PER_HOUR],
  );
}

beforeAll(async () => {
  books = await openTemporalBooks('UTC');
  await arrange();
}, 60_000);
afterAll(async () => {
  await gauges?.stop();
  await worker?.shutdown();
  await books.close();
}, 60_000);

describe('the address of the metrics', () => {
  it('is refused with its variable when another process has it', async () => {
    const { server, address: taken } = await listening();
    try {
      await expect(startWorker(await options(taken))).rejects.toMatchObject({
        code: 'CONFIG',
        exitCode: 2,
        message: expect.stringMatching(
          new RegExp(`^JOBHOURS_METRICS=${taken}: .*Address already in use.*free port`),
        ) as unknown,
      });
    } finally {
      await closed(server);
    }
  });

  it('is refused with its variable when it is not one of this machine, or has no such host', async () => {
    for (const wrong of ['192.0.2.1:9464', 'no-such-host.invalid:9464']) {
      await expect(startWorker(await options(wrong))).rejects.toMatchObject({
        code: 'CONFIG',
        message: expect.stringContaining(`JOBHOURS_METRICS=${wrong}`) as unknown,
      });
    }
  });
});

describe('a worker', () => {
  beforeAll(async () => {
    const { server, address: free } = await listening();
    await closed(server);
    address = free;
    worker = await startWorker(await options(free.replace('127.0.0.1', 'localhost')));
    await until('the first read', async () =>
      Number.isFinite(valueOf(await samples(), GAUGES.clockSkew.name)),
    );
  }, 60_000);

  it('serves how many periods are good, missing, stale and failed', async () => {
    const all = await samples();
    expect(hours(all)).toEqual({ good: 1, stale: 1, failed: 1, missing: 3 });
    for (const granularity of GRANULARITIES) {
      for (const state of COUNTED_STATES) {
        expect(valueOf(all, GAUGES.periods.name, { granularity, state })).toBeGreaterThanOrEqual(0);
      }
    }
  });

  it('serves lag, marks, audit and clock', async () => {
    const all = await samples();
    const sinceGood = (Date.now() % MS_PER_HOUR) / MS_PER_SECOND + 5 * 3_600;
    expect(valueOf(all, GAUGES.newestGoodHourLag.name)).toBeGreaterThan(sinceGood - 60);
    expect(valueOf(all, GAUGES.newestGoodHourLag.name)).toBeLessThan(sinceGood + 60);
    const [marks] = await books.test.query<{ marks: string }>(
      'select count(*) marks from usage_change',
    );
    expect(valueOf(all, GAUGES.marksWaiting.name)).toBe(Number(marks?.marks));
    expect(Number(marks?.marks)).toBeGreaterThan(0);
    expect(valueOf(all, GAUGES.auditPeriodsWrong.name)).toBe(0);
    // No audit yet: since the books were opened.
    const openedMs = books.books.openedAtMs;
    expect(valueOf(all, GAUGES.auditAge.name)).toBeLessThan((Date.now() - openedMs) / 1_000 + 1);
    expect(valueOf(all, GAUGES.clockSkew.name)).toBeLessThan(5);
    expect(valueOf(all, GAUGES.databaseReachable.name)).toBe(1);
  });

  it('measures builds and plans of the keeper', async () => {
    await wakeKeeper(books.temporal, books.books.name, 'hour', LIMITS);
    const keeper = books.temporal.client.workflow.getHandle<typeof usageKeeper>(books.names.keeper);
    const { hoursBuilt } = await keeper.result();
    const all = await samples();
    const hour = { granularity: 'hour', books: books.books.name };
    expect(hoursBuilt).toBe(5);
    const { name: built } = MEASURED.periodsBuilt;
    expect(valueOf(all, built, { ...hour, outcome: 'built' })).toBe(5);
    expect(valueOf(all, `${MEASURED.periodDuration.name}_count`, hour)).toBe(5);
    expect(valueOf(all, `${MEASURED.periodDuration.name}_sum`, hour)).toBeLessThan(60);
    const [rows] = await books.test.query<{ rows: string }>(
      'select count(*) rows from usage_hour where period_start_at_ms > $1',
      [books.calendar.startOf('hour', Date.now()) - 6 * MS_PER_HOUR],
    );
    expect(valueOf(all, MEASURED.rowsWritten.name)).toBeGreaterThan(0);
    expect(valueOf(all, MEASURED.rowsWritten.name)).toBeLessThanOrEqual(Number(rows?.rows));
    expect(valueOf(all, MEASURED.rowsRemoved.name)).toBe(0);
    expect(valueOf(all, `${MEASURED.planDuration.name}_count`)).toBeGreaterThanOrEqual(2);
  });

  it('serves the catalogue of metrics and nothing else under our name, without a label of many values', async () => {
    const all = (await samples()).filter(({ name }) => name.startsWith('jobhours_'));
    const base = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');
    expect([...new Set(all.map(({ name }) => base(name)))].sort()).toEqual(
      CATALOGUE.map(({ name }) => name).sort(),
    );
    for (const { name, labels } of all) {
      const known = CATALOGUE.find((metric) => metric.name === base(name))?.labels ?? [];
      expect([name, labels['books']]).toEqual([name, books.books.name]);
      const own = Object.keys(labels).filter((label) => label !== 'le');
      expect([name, ...own.sort()]).toEqual([name, ...['books', ...known].sort()]);
    }
    const bounds = all.filter(
      ({ name, labels }) =>
        name === `${MEASURED.periodDuration.name}_bucket` && labels['granularity'] === 'hour',
    );
    expect(bounds.map(({ labels }) => Number(labels['le'])).filter(Number.isFinite)).toEqual(
      MEASURED.periodDuration.buckets,
    );
  });

  itWithPromtool('serves metrics of which the checker of Prometheus finds no fault', async () => {
    const text = ownLines(await scrapeText(address));
    expect(promtool(['check', 'metrics'], text)).toEqual({ exitCode: 0, output: '' });
    const broken = text.replaceAll('jobhours_plan_duration_seconds', 'jobhours_plan_duration_ms');
    expect(promtool(['check', 'metrics'], broken).exitCode).not.toBe(0);
  });

  it('serves the SDK metrics of Temporal on the same endpoint', async () => {
    expect(await scrapeText(address)).toMatch(/^temporal_\w*request\w*\{/m);
  });
});

describe('the gauges', () => {
  const read = async (name: string): Promise<number> => valueOf(await samples(), name);

  const gaugeOptions = (): GaugeOptions => ({
    database: books.test.database,
    booksName: books.books.name,
    calendar: books.calendar,
    graceMs: SETTINGS.graceMs,
    everyMs: 50,
    keepMs: 1_500,
    logger: {
      info: (text) => void notes.push(`info ${text}`),
      warn: (text) => void notes.push(`warn ${text}`),
    },
  });

  beforeAll(() => {
    gauges = startGauges(gaugeOptions());
  });

  it('follow the ledger: all hours are good after the keeper was there', async () => {
    await until('all good', async () => hours(await samples())['good'] === 6, 10_000);
    expect(hours(await samples())).toEqual({ good: 6, stale: 0, failed: 0, missing: 0 });
    expect(await read(GAUGES.newestGoodHourLag.name)).toBeLessThan(3_660);
  });

  it('say that the database is not reachable, warn once, and say it when it is back', async () => {
    await books.test.query('alter table usage_change rename to usage_change_gone');
    await until('0', async () => (await read(GAUGES.databaseReachable.name)) === 0, 10_000);
    // What was read last stays for a while, so that one failed read starts no alert anew.
    expect(hours(await samples())['good']).toBe(6);
    await until('withdrawn', async () => Number.isNaN(hours(await samples())['good']));
    await books.test.query('alter table usage_change_gone rename to usage_change');
    await until('1', async () => (await read(GAUGES.databaseReachable.name)) === 1, 10_000);
    expect(hours(await samples())['good']).toBe(6);
    expect(notes).toHaveLength(2);
    expect(notes[0]).toMatch(/^warn the metrics could not be read: .*usage_change/);
    expect(notes[1]).toBe('info the metrics are read again');
  });

  it('are withdrawn, each of them, while a read hangs', async () => {
    const other = await books.test.connect();
    await other.query('begin; lock table usage_change');
    await until('0', async () => (await read(GAUGES.databaseReachable.name)) === 0, 10_000);
    const own = new Set<string>(Object.values(GAUGES).map(({ name }) => name));
    const figures = (await samples()).filter(({ name }) => own.has(name));
    expect(figures.filter(({ value }) => !Number.isNaN(value))).toEqual([
      expect.objectContaining({ name: GAUGES.databaseReachable.name, value: 0 }),
    ]);
    expect(figures.length).toBeGreaterThan(20);
    await other.query('commit');
    await until('1', async () => (await read(GAUGES.databaseReachable.name)) === 1, 10_000);
    expect(hours(await samples())['good']).toBe(6);
  });

  it('stop within a second or two while a read hangs', async () => {
    const other = await books.test.connect();
    await other.query('begin; lock table usage_change');
    const hanging = startGauges({ ...gaugeOptions(), everyMs: 10 });
    await until('a read hangs', async () => {
      const waiting = `select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      return (await books.test.query(waiting)).length > 0;
    });
    const sinceMs = performance.now();
    await hanging.stop();
    const tookMs = performance.now() - sinceMs;
    await other.query('commit');
    expect(tookMs).toBeLessThan(2_500);
  });

  it('keep no worker from stopping while a read hangs', async () => {
    const other = await books.test.connect();
    await other.query('begin; lock table usage_change');
    const second = await startWorker(await options(address));
    await until('its read hangs', async () => {
      const waiting = `select from pg_stat_activity where datname = current_database()
        and application_name = 'jobhours worker' and wait_event_type = 'Lock'`;
      return (await books.test.query(waiting)).length > 0;
    });
    const sinceMs = performance.now();
    await second.shutdown();
    const tookMs = performance.now() - sinceMs;
    await other.query('commit');
    expect(tookMs).toBeLessThan(5_000);
  });

  it('that cannot be counted are no database that cannot be reached, and a log that fails ends nothing', async () => {
    const said: string[] = [];
    let faults = 6;
    // Of a zone that no other calendar here has: they are shared.
    const calendar = Calendar.of('Etc/GMT+12');
    const count = calendar.countWithin.bind(calendar);
    calendar.countWithin = (granularity, span) => {
      faults -= 1;
      if (faults >= 0) throw new Error('planted');
      return count(granularity, span);
    };
    const logger = {
      info: (text: string) => void said.push(`info ${text}`),
      warn: (text: string) => {
        said.push(`warn ${text}`);
        throw new Error('the log is full');
      },
    };
    const own = startGauges({ ...gaugeOptions(), calendar, logger });
    try {
      await until('it goes on', () => Promise.resolve(said.length === 2), 10_000);
      expect(said).toEqual([
        'warn the metrics could not be set: planted',
        'info the metrics are read again',
      ]);
      expect(await read(GAUGES.databaseReachable.name)).toBe(1);
    } finally {
      calendar.countWithin = count;
      await own.stop();
    }
  });

  it('keep a wrong audit until one of all periods finds nothing, whatever samples say', async () => {
    const audit = (wrong: number, sample: number | null): Promise<unknown> =>
      books.test.query(
        `insert into audit (began_at_ms, ended_at_ms, asked_by, sample, seed, periods_checked, periods_not_judged, stale_not_judged, periods_wrong, findings)
         select at, at, 'schedule', $2::int, 7, 10, 0, 0, $1::int, '[]'
         from (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint at) now`,
        [wrong, sample],
      );
    const untilWrong = (wrong: number): Promise<void> =>
      until(`${wrong} wrong`, async () => (await read(GAUGES.auditPeriodsWrong.name)) === wrong);
    await audit(3, 100);
    await untilWrong(3);
    expect(await read(GAUGES.auditAge.name)).toBeLessThan(10);
    await audit(5, 100);
    await untilWrong(5);
    await audit(0, 100);
    await audit(2, null);
    await untilWrong(2);
    await audit(0, null);
    await untilWrong(0);
  });
});
