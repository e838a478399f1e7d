/**
 * The gauges of a worker: read from the ledger at intervals and set in Temporal's runtime, which serves them. Owns the
 * interval, what happens when a read fails, and how long figures hold; what they mean is domain/metrics.ts, reading is
 * db/metrics-store.ts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Runtime, type Logger } from '@temporalio/worker';
import type { Database } from '../db/database.js';
import { readForMetrics, type BooksReading } from '../db/metrics-store.js';
import type { Calendar } from '../domain/calendar.js';
import { GAUGES, type Metric } from '../domain/metrics.js';
import { GRANULARITIES } from '../domain/period.js';
import { COUNTED_STATES, countPeriods, newestGoodHourLagMs } from '../domain/period-counts.js';
import { MS_PER_MINUTE, MS_PER_SECOND } from '../domain/units.js';

/** Prometheus usually asks every 15 to 60 s, and no alert waits less than a minute; one read compares the whole ledger. */
const READ_EVERY_MS = 30_000;
/**
 * Figures that are older are withdrawn: a worker that is cut off from the database must not hold up alerts, or raise
 * false ones, beside workers that see the ledger. Less would start the waits of the alerts anew at each failed read.
 */
const KEEP_MS = 5 * MS_PER_MINUTE;
/** A worker that is told to stop does not wait for a server that hangs. */
const STOP_MS = 1_000;

export interface GaugeOptions {
  readonly database: Database;
  readonly booksName: string;
  readonly calendar: Calendar;
  readonly graceMs: number;
  /** Tests shorten both. */
  readonly everyMs?: number;
  readonly keepMs?: number;
  /** Absent: the runtime's. */
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
}

export interface RunningGauges {
  /** Ends reading; resolves when the last read has come to its end, after a second at the latest. */
  stop(): Promise<void>;
}

/**
 * Reads now and every 30 s, never two at once. A read that fails sets `jobhours_database_reachable` to 0, as does one
 * that hangs for five minutes, and leaves the other gauges as they were until their figures are five minutes old: then
 * they become NaN, which no comparison, `max` or `min` of Prometheus takes. Trouble is logged once until it changes.
 */
export function startGauges(options: GaugeOptions): RunningGauges {
  const { everyMs = READ_EVERY_MS, keepMs = KEEP_MS } = options;
  const set = gaugeSetter(options.booksName);
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let shown: readonly Figure[] = [];
  let trouble: Trouble['what'] | null = null;
  const note = (found: Trouble | null): void => {
    const isNews = (found?.what ?? null) !== trouble;
    trouble = found?.what ?? null;
    if (isNews && !isStopped) log(options, found);
  };
  const expiry = setTimeout(() => {
    const failed = attempt('set', () => {
      if (trouble !== 'set') set({ metric: GAUGES.databaseReachable, value: 0 });
      for (const figure of shown) set({ ...figure, value: Number.NaN });
    });
    const error = new Error(`no figures for ${keepMs / MS_PER_SECOND} s`);
    note(failed ?? { what: trouble ?? 'read', error });
  }, keepMs).unref();
  const round = async (): Promise<void> => {
    const reading = await readForMetrics(options.database).catch(asError);
    if (isStopped) return;
    const isRead = !(reading instanceof Error);
    const failed = attempt('set', () => {
      set({ metric: GAUGES.databaseReachable, value: isRead ? 1 : 0 });
      if (!isRead) return;
      shown = figuresOf(options, reading);
      shown.forEach(set);
      expiry.refresh();
    });
    note(failed ?? (isRead ? null : { what: 'read', error: reading }));
    const next = (): void => void (current = round());
    timer = setTimeout(next, everyMs).unref();
  };
  let current = round();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      clearTimeout(expiry);
      await Promise.race([current, delay(STOP_MS, undefined, { ref: false })]);
    },
  };
}

/** Why the gauges do not follow the ledger: it could not be read, or what was read could not be counted or set. */
interface Trouble {
  readonly what: 'read' | 'set';
  readonly error: Error;
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

/** Null when the work was done. */
function attempt(what: Trouble['what'], work: () => void): Trouble | null {
  try {
    work();
    return null;
  } catch (error) {
    return { what, error: asError(error) };
  }
}

/** One value of one series. */
interface Figure {
  readonly metric: Metric;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}
type Set = (figure: Figure) => void;

/** Values are floating, because seconds have fractions. The library refuses negative ones. */
function gaugeSetter(books: string): Set {
  const meter = Runtime.instance().metricMeter;
  const gauges = new Map(
    Object.values(GAUGES).map(({ name, help }) => [
      name,
      meter.createGauge(name, 'float', '', help),
    ]),
  );
  return ({ metric, value, labels = {} }) =>
    gauges.get(metric.name)?.set(value, { books, ...labels });
}

function figuresOf({ calendar, graceMs }: GaugeOptions, reading: BooksReading): readonly Figure[] {
  const { ledger: state, originAtMs, failed } = reading;
  const input = { state, calendar, originAtMs, graceMs, failed };
  const counts = countPeriods(input);
  const periods = GRANULARITIES.flatMap((granularity) =>
    COUNTED_STATES.map((one) => ({
      metric: GAUGES.periods,
      value: counts[granularity][one],
      labels: { granularity, state: one },
    })),
  );
  const seconds = (metric: Metric, ms: number): Figure => ({ metric, value: ms / MS_PER_SECOND });
  return [
    ...periods,
    seconds(GAUGES.newestGoodHourLag, newestGoodHourLagMs(input)),
    { metric: GAUGES.marksWaiting, value: reading.marks },
    { metric: GAUGES.auditPeriodsWrong, value: reading.auditPeriodsWrong },
    seconds(GAUGES.auditAge, Math.max(0, state.nowMs - reading.auditedAtMs)),
    seconds(GAUGES.clockSkew, Math.abs(reading.clockSkewMs)),
  ];
}

function log({ logger = Runtime.instance().logger }: GaugeOptions, trouble: Trouble | null): void {
  try {
    if (trouble === null) logger.info('the metrics are read again');
    else {
      const { what, error } = trouble;
      logger.warn(`the metrics could not be ${what}: ${error.message}`, { error });
    }
  } catch {
    // A log that cannot be written must not end the worker, and nobody else is there to be told.
  }
}
