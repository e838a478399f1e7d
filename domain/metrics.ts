/**
 * The one catalogue of our Prometheus metrics: names, kinds, help, labels, buckets. Measuring is the activities' and the
 * worker's; Temporal's own metrics (`temporal_*`) stand beside them on the same endpoint.
 * Units are base units and stand last in a name. No user, space or job is ever a label: their number has no bound.
 */

export interface Metric {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Besides `books`, which every metric has. */
  readonly labels: readonly ('granularity' | 'state' | 'outcome')[];
  /** Upper bounds of a histogram, in the unit of its name. */
  readonly buckets?: readonly number[];
}

/** A quiet hour takes 5 ms, a month of many users seconds, an hour of millions of runs minutes. */
const BUILD_BUCKETS_SECONDS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];
/** One try of a plan may take 30 s unless the settings say otherwise. */
const PLAN_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What the ledger and the audits say: read every 30 s by each worker (workers/metrics.ts). */
export const GAUGES = {
  databaseReachable: gauge(
    'jobhours_database_reachable',
    '1 when the last read of the ledger succeeded; 0: the other gauges are those of the last read that did, NaN once it is 5 minutes old',
  ),
  periods: gauge('jobhours_periods', 'Periods in the ledger or due, by state', [
    'granularity',
    'state',
  ]),
  newestGoodHourLag: gauge(
    'jobhours_newest_good_hour_lag_seconds',
    'Time since the end of the newest good hour; since the first expected hour began when none is good; 0 when none is due',
  ),
  marksWaiting: gauge(
    'jobhours_marks_waiting',
    'Marks of changed usage that no build has taken yet, those of the present hour too',
  ),
  auditPeriodsWrong: gauge(
    'jobhours_audit_periods_wrong',
    'The most periods that one audit found wrong, since the newest audit of all periods (that one too)',
  ),
  auditAge: gauge(
    'jobhours_audit_age_seconds',
    'Time since the newest audit ended; since the books were opened when there was none',
  ),
  clockSkew: gauge(
    'jobhours_clock_skew_seconds',
    "How far the worker's clock and the database's are apart, either way; uncertain by half a round trip",
  ),
} as const satisfies Record<string, Metric>;

/** What the activities do, in the moment they do it. */
export const MEASURED = {
  periodDuration: {
    name: 'jobhours_period_duration_seconds',
    kind: 'histogram',
    help: 'Time to build one period, its commit included; failed builds too',
    labels: ['granularity'],
    buckets: BUILD_BUCKETS_SECONDS,
  },
  planDuration: {
    name: 'jobhours_plan_duration_seconds',
    kind: 'histogram',
    help: 'Time to read the ledger and to decide what is built next',
    labels: [],
    buckets: PLAN_BUCKETS_SECONDS,
  },
  periodsBuilt: {
    name: 'jobhours_periods_built_total',
    kind: 'counter',
    help: 'Builds by outcome: built, failed, or replanned because another transaction was first',
    labels: ['granularity', 'outcome'],
  },
  rowsWritten: {
    name: 'jobhours_rows_written_total',
    kind: 'counter',
    help: 'Rows of usage that builds inserted or changed',
    labels: [],
  },
  rowsRemoved: {
    name: 'jobhours_rows_removed_total',
    kind: 'counter',
    help: 'Rows of usage that builds removed, dirty ones too',
    labels: [],
  },
} as const satisfies Record<string, Metric>;

function gauge(name: string, help: string, labels: Metric['labels'] = []): Metric {
  return { name, kind: 'gauge', help, labels };
}
