/**
 * What builds and plans tell while they happen: a line of the log and Prometheus metrics. Owns which line has which level
 * and fields; names of metrics are domain/metrics.ts, what is built and planned is decided elsewhere.
 */
import { log } from '@temporalio/activity';
import type { MetricCounter, MetricHistogram, MetricMeter } from '@temporalio/common';
import type { BuildResult } from '../db/period-builder.js';
import { isJobhoursError } from '../domain/errors.js';
import { MEASURED, type Metric } from '../domain/metrics.js';
import type { Granularity, Period } from '../domain/period.js';
import { MS_PER_SECOND } from '../domain/units.js';
import type { BuildSummary } from './build-summary.js';
import type { AggregateStore } from './period-builds.js';
import type { UsageDoor } from './usage-door.js';

/** A request of more builds than these tells each at DEBUG: a backfill of ten years has 86,000 of them. */
const FEW_BUILDS = 5;
/** Tasks that a plan tells by name. */
const TOLD = 5;

/** `store` with every build logged and measured. `builds` says how many builds the request has announced so far. */
export function observed(
  store: AggregateStore,
  door: UsageDoor,
  builds: () => number,
): AggregateStore {
  const meter = buildMeter(door);
  return {
    ...store,
    build: async (period, expectedPartStarts) => {
      const startedAtMs = performance.now();
      try {
        const result = await store.build(period, expectedPartStarts);
        const durationMs = performance.now() - startedAtMs;
        meter.built(period, result, durationMs);
        noteBuild(period, result, durationMs, builds() <= FEW_BUILDS);
        return result;
      } catch (error) {
        const outcome = isJobhoursError(error, 'REPLAN') ? 'replanned' : 'failed';
        meter.notBuilt(period, outcome, performance.now() - startedAtMs);
        throw error;
      }
    },
  };
}

function noteBuild(
  { granularity, label }: Period,
  { rowsWritten, rowsRemoved, dirtyRowsRemoved }: BuildResult,
  durationMs: number,
  isOneOfFew: boolean,
): void {
  const fields = {
    ...{ granularity, label, rowsWritten, rowsRemoved, dirtyRowsRemoved },
    durationMs: Math.round(durationMs),
  };
  log[isOneOfFew ? 'info' : 'debug'](`${granularity} ${label} built`, fields);
}

/** One line for a whole request. */
export function noteSummary(summary: BuildSummary): void {
  const { outcome, buildMs, ...rest } = summary;
  const counts = Object.entries(rest).filter(([, value]) => typeof value === 'number');
  log.info(`aggregate: ${outcome}`, { ...Object.fromEntries(counts), durationMs: buildMs });
}

/** What is told of a plan. */
interface ToldPlan {
  readonly tasks: readonly Pick<Period, 'granularity' | 'label'>[];
  readonly periods: number;
  readonly blocked: number;
}

/** One line for a plan: what it will do at INFO, that nothing is to do at DEBUG. Measures it too. */
export function notePlan(
  { booksName, meter }: UsageDoor,
  coarsest: Granularity,
  { tasks, periods, blocked }: ToldPlan,
  durationMs: number,
): void {
  const duration = histogram(meter, MEASURED.planDuration);
  duration.record(durationMs / MS_PER_SECOND, { books: booksName });
  const told = tasks.slice(0, TOLD).map(({ granularity, label }) => `${granularity} ${label}`);
  const rest = tasks.length > TOLD ? `, and ${tasks.length - TOLD} more` : '';
  const fields = {
    ...{ coarsest, periods, blocked },
    tasks: tasks.length,
    durationMs: Math.round(durationMs),
  };
  if (tasks.length === 0) log.debug('plan: nothing is to be built', fields);
  else log.info(`plan: ${periods} periods are to be built: ${told.join(', ')}${rest}`, fields);
}

interface BuildMeter {
  built(period: Period, result: BuildResult, durationMs: number): void;
  notBuilt(period: Period, outcome: 'replanned' | 'failed', durationMs: number): void;
}

function buildMeter({ booksName: books, meter }: UsageDoor): BuildMeter {
  const duration = histogram(meter, MEASURED.periodDuration);
  const periods = counter(meter, MEASURED.periodsBuilt);
  const written = counter(meter, MEASURED.rowsWritten);
  const removed = counter(meter, MEASURED.rowsRemoved);
  const count = (granularity: Granularity, outcome: string, durationMs: number): void => {
    periods.add(1, { books, granularity, outcome });
    duration.record(durationMs / MS_PER_SECOND, { books, granularity });
  };
  return {
    built: ({ granularity }, { rowsWritten, rowsRemoved, dirtyRowsRemoved }, durationMs) => {
      count(granularity, 'built', durationMs);
      written.add(rowsWritten, { books });
      removed.add(rowsRemoved + dirtyRowsRemoved, { books });
    },
    notBuilt: ({ granularity }, outcome, durationMs) => count(granularity, outcome, durationMs),
  };
}

function histogram(meter: MetricMeter, { name, help }: Metric): MetricHistogram {
  return meter.createHistogram(name, 'float', '', help);
}

function counter(meter: MetricMeter, { name, help }: Metric): MetricCounter {
  // The library adds the suffix of counters.
  return meter.createCounter(name.replace(/_total$/, ''), '', help);
}
