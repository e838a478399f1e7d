/**
 * The gauges of a worker: read from the ledger at intervals and set in Temporal's runtime, which serves them. Owns the
 * interval and what happens when a read fails; what they mean is domain/metrics.ts, reading is db/metrics-store.ts.
 */
import { Runtime, type Logger } from '@temporalio/worker';
import type { Database } from '../db/database.js';
import { readForMetrics, type BooksReading } from '../db/metrics-store.js';
import type { Calendar } from '../domain/calendar.js';
import { GAUGES, type Metric } from '../domain/metrics.js';
import { GRANULARITIES } from '../domain/period.js';
import { COUNTED_STATES, countPeriods, newestGoodHourLagMs } from '../domain/period-counts.js';
import { MS_PER_SECOND } from '../domain/units.js';

/** Prometheus usually asks every 15 to 60 s, and no alert waits less than a minute; one read compares the whole ledger. */
const READ_EVERY_MS = 30_000;

export interface GaugeOptions {
  readonly database: Database;
  readonly booksName: string;
  readonly calendar: Calendar;
  readonly graceMs: number;
  /** Tests shorten it. */
  readonly everyMs?: number;
  /** Absent: the runtime's. */
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
}

export interface RunningGauges {
  /** Ends reading; resolves when the last read has come to its end. */
  stop(): Promise<void>;
}

/**
 * Reads now and every 30 s, never two at once. A read that fails sets `jobhours_database_reachable` to 0, is logged once
 * until one succeeds again, and leaves the other gauges as they were.
 */
export function startGauges(options: GaugeOptions): RunningGauges {
  const set = gaugeSetter(options.booksName);
  let isStopped = false;
  let wasReachable = true;
  let timer: NodeJS.Timeout | undefined;
  const round = async (): Promise<void> => {
    const failure = await readOnce(options, set);
    set(GAUGES.databaseReachable, failure === null ? 1 : 0);
    if (!isStopped && (failure === null) !== wasReachable) noteChange(options, failure);
    wasReachable = failure === null;
    if (isStopped) return;
    timer = setTimeout(() => {
      reading = round();
    }, options.everyMs ?? READ_EVERY_MS);
    timer.unref();
  };
  let reading = round();
  return {
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await reading;
    },
  };
}

type Set = (metric: Metric, value: number, labels?: Readonly<Record<string, string>>) => void;

/** Values are floating, because seconds have fractions. The library refuses negative ones. */
function gaugeSetter(books: string): Set {
  const meter = Runtime.instance().metricMeter;
  const gauges = new Map(
    Object.values(GAUGES).map(({ name, help }) => [
      name,
      meter.createGauge(name, 'float', '', help),
    ]),
  );
  return ({ name }, value, labels = {}) => gauges.get(name)?.set(value, { books, ...labels });
}

/** Null when the gauges were set. */
async function readOnce(options: GaugeOptions, set: Set): Promise<Error | null> {
  try {
    setGauges(set, options, await readForMetrics(options.database));
    return null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function setGauges(set: Set, { calendar, graceMs }: GaugeOptions, reading: BooksReading): void {
  const { ledger: state, originAtMs, failed } = reading;
  const input = { state, calendar, originAtMs, graceMs, failed };
  const counts = countPeriods(input);
  for (const granularity of GRANULARITIES) {
    for (const one of COUNTED_STATES) {
      set(GAUGES.periods, counts[granularity][one], { granularity, state: one });
    }
  }
  set(GAUGES.newestGoodHourLag, newestGoodHourLagMs(input) / MS_PER_SECOND);
  set(GAUGES.marksWaiting, reading.marks);
  set(GAUGES.auditPeriodsWrong, reading.auditPeriodsWrong);
  set(GAUGES.auditAge, Math.max(0, state.nowMs - reading.auditedAtMs) / MS_PER_SECOND);
  set(GAUGES.clockSkew, Math.abs(reading.clockSkewMs) / MS_PER_SECOND);
}

function noteChange(
  { logger = Runtime.instance().logger }: GaugeOptions,
  failure: Error | null,
): void {
  if (failure === null) logger.info('the metrics are read again');
  else logger.warn(`the metrics could not be read: ${failure.message}`, { error: failure });
}
