/** Arranging runs and comparing books with an independent oracle: the overlap formula in plain SQL. */
import { aggregate, type AggregateRequest } from '../../activities/aggregate.js';
import type { AggregateSummary } from '../../activities/period-builds.js';
import type { Calendar } from '../../domain/calendar.js';
import { GRANULARITIES, type Granularity, type Span } from '../../domain/period.js';
import { aggregateStore } from '../../workers/aggregate-store.js';
import type { TestDatabase } from './database.js';

export interface NewRun {
  readonly key: string;
  readonly user: string;
  readonly space?: string;
  readonly pool?: string;
  readonly milliGpus: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
}

const INSERT_RUNS = `
  with given as (
    select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[])
      g (record_key, user_name, space_name, pool_name, milli_gpus, started_at_ms, ended_at_ms)
  ),
  sources as (insert into source (name) values ('test') on conflict (name) do update set name = 'test' returning id),
  users as (insert into dim_user (name) select distinct user_name from given on conflict (name) do update set name = excluded.name returning id, name),
  spaces as (insert into dim_space (name) select distinct space_name from given on conflict (name) do update set name = excluded.name returning id, name),
  pools as (insert into dim_pool (name) select distinct pool_name from given on conflict (name) do update set name = excluded.name returning id, name),
  keys as (
    insert into usage_key (user_id, space_id, pool_id)
    select distinct users.id, spaces.id, pools.id from given
      join users on users.name = user_name join spaces on spaces.name = space_name join pools on pools.name = pool_name
    on conflict (user_id, space_id, pool_id) do update set user_id = excluded.user_id
    returning id, user_id, space_id, pool_id
  )
  insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select sources.id, record_key, record_key, keys.id, milli_gpus, started_at_ms, ended_at_ms, 0
  from given cross join sources
    join users on users.name = user_name join spaces on spaces.name = space_name join pools on pools.name = pool_name
    join keys on keys.user_id = users.id and keys.space_id = spaces.id and keys.pool_id = pools.id`;

/** Inserts runs in one statement, as an import batch would. */
export async function insertRuns(test: TestDatabase, runs: readonly NewRun[]): Promise<void> {
  await test.query(INSERT_RUNS, [
    runs.map((run) => run.key),
    runs.map((run) => run.user),
    runs.map((run) => run.space ?? '-'),
    runs.map((run) => run.pool ?? '-'),
    runs.map((run) => run.milliGpus),
    runs.map((run) => run.startedAtMs),
    runs.map((run) => run.endedAtMs),
  ]);
}

export async function setOrigin(test: TestDatabase, atMs: number): Promise<void> {
  await test.query('update books set origin_at_ms = $1', [atMs]);
}

/** Aggregates as a worker does, without Temporal. */
export function aggregateNow(
  test: TestDatabase,
  calendar: Calendar,
  request: AggregateRequest,
): Promise<AggregateSummary> {
  const store = aggregateStore({
    database: test.database,
    isDemo: false,
    workflowId: null,
    runId: null,
    onFailure: () => undefined,
  });
  return aggregate(store, calendar, request, {
    heartbeat: () => undefined,
    isCancelled: () => false,
  });
}

/** Builds every missing and stale period that touches the span: hours, days, weeks, months. */
export async function aggregateAll(
  test: TestDatabase,
  calendar: Calendar,
  span: Span,
): Promise<AggregateSummary[]> {
  const summaries: AggregateSummary[] = [];
  for (const granularity of ['month', 'week'] as const) {
    for (const period of calendar.periodsTouching(granularity, span)) {
      summaries.push(await aggregateNow(test, calendar, { ...period, reprocess: 'stale' }));
    }
  }
  return summaries;
}

/** Names of the tables and their granularity. */
export const USAGE_TABLES: Readonly<Record<Granularity, string>> = {
  hour: 'usage_hour',
  day: 'usage_day',
  week: 'usage_week',
  month: 'usage_month',
};

/**
 * Rows in which the books differ from the overlap formula, over every period in the ledger. Empty = equal to
 * the last ms. Periods that begin before the origin are compared from the origin's hour on. Up to `mostRows` of each
 * granularity.
 */
export async function differences(
  test: Pick<TestDatabase, 'query'>,
  mostRows = 5,
): Promise<Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = [];
  for (const granularity of GRANULARITIES) {
    found.push(
      ...(await test.query(
        `with frame as (select coalesce(origin_at_ms, 0) as origin from books),
         due as (
           select start_at_ms, greatest(start_at_ms, least(origin, end_at_ms)) as a, end_at_ms as b
           from period cross join frame where granularity = '${granularity}'
         ),
         oracle as (
           select start_at_ms, usage_key,
             sum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a)))::bigint as run_ms,
             sum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a)) * milli_gpus)::bigint as milli_gpu_ms,
             count(*) filter (where started_at_ms >= a) as runs_started,
             count(*) filter (where ended_at_ms < b) as runs_ended,
             count(*) filter (where started_at_ms < a) as runs_carried_in,
             count(*) filter (where ended_at_ms is null or ended_at_ms >= b) as runs_out,
             coalesce(sum(milli_gpus) filter (where ended_at_ms is null or ended_at_ms >= b), 0)::bigint as milli_gpus_out
           from due join run on started_at_ms < b and (ended_at_ms is null or ended_at_ms >= a)
           group by start_at_ms, usage_key
         ),
         books_rows as (
           select u.* from ${USAGE_TABLES[granularity]} u
         )
         select '${granularity}' as granularity, coalesce(o.start_at_ms, u.period_start_at_ms) as start_at_ms,
           row_to_json(o) as oracle, row_to_json(u) as books
         from oracle o full join books_rows u
           on u.period_start_at_ms = o.start_at_ms and u.usage_key = o.usage_key
         where (o.run_ms, o.milli_gpu_ms, o.runs_started, o.runs_ended, o.runs_carried_in, o.runs_out, o.milli_gpus_out)
           is distinct from
           (u.run_ms, u.milli_gpu_ms, u.runs_started, u.runs_ended, u.runs_carried_in, u.runs_out, u.milli_gpus_out)
         order by 2 limit ${mostRows}`,
      )),
    );
  }
  return found;
}

/** One text per ledger row: equal texts mean equal books. */
export async function ledgerDigests(
  test: TestDatabase,
  upToMs = Number.MAX_SAFE_INTEGER,
): Promise<string[]> {
  const rows = await test.query<{ line: string }>(
    `select granularity || ' ' || start_at_ms || ' ' || encode(digest, 'hex') as line
     from period where end_at_ms <= $1 order by granularity, start_at_ms`,
    [upToMs],
  );
  return rows.map((row) => row.line);
}
