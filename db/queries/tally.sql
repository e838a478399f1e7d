-- name: tally-month
-- What a month's rows, its days', its hours' and the runs themselves say about [$1, $2). The runs are clipped
-- with the overlap formula, which nothing else in the product uses: so this is an independent figure.
with parts (part, usage_key, run_ms, milli_gpu_ms) as (
  select 'month', usage_key, run_ms::numeric, milli_gpu_ms::numeric
  from usage_month where period_start_at_ms = $1
  union all
  select 'days', usage_key, sum(run_ms), sum(milli_gpu_ms)
  from usage_day where period_start_at_ms >= $1 and period_start_at_ms < $2
  group by usage_key
  union all
  select 'hours', usage_key, sum(run_ms), sum(milli_gpu_ms)
  from usage_hour where period_start_at_ms >= $1 and period_start_at_ms < $2
  group by usage_key
  union all
  select 'runs', usage_key, sum(clipped.length_ms), sum(clipped.length_ms::numeric * milli_gpus)
  from run
  cross join lateral (
    select least(coalesce(ended_at_ms, $2), $2) - greatest(started_at_ms, $1) as length_ms
  ) clipped
  where started_at_ms < $2 and (ended_at_ms is null or ended_at_ms > $1)
  group by usage_key
),
per_key as (
  select usage_key,
    count(distinct run_ms) as run_ms_values,
    count(distinct milli_gpu_ms) as milli_gpu_ms_values,
    count(*) as parts
  from parts where run_ms > 0
  group by usage_key
)
select
  coalesce(sum(run_ms) filter (where part = 'month'), 0) as month_run_ms,
  coalesce(sum(run_ms) filter (where part = 'days'), 0) as days_run_ms,
  coalesce(sum(run_ms) filter (where part = 'hours'), 0) as hours_run_ms,
  coalesce(sum(run_ms) filter (where part = 'runs'), 0) as runs_run_ms,
  coalesce(sum(milli_gpu_ms) filter (where part = 'month'), 0) as month_milli_gpu_ms,
  coalesce(sum(milli_gpu_ms) filter (where part = 'days'), 0) as days_milli_gpu_ms,
  coalesce(sum(milli_gpu_ms) filter (where part = 'hours'), 0) as hours_milli_gpu_ms,
  coalesce(sum(milli_gpu_ms) filter (where part = 'runs'), 0) as runs_milli_gpu_ms,
  (
    select count(*) from per_key
    where parts <> 4 or run_ms_values <> 1 or milli_gpu_ms_values <> 1
  ) as differing_keys
from parts

-- name: count-contents
select
  (select count(*) from run) as runs,
  (select count(distinct (source, job_id)) from run) as jobs,
  (select count(*) from dim_user) as users,
  (select count(*) from dim_space) as spaces,
  (select count(*) from dim_pool) as pools

-- name: count-periods
select granularity, count(*) as periods from period group by granularity
