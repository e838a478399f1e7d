-- Usage per period, the ledger, and the one formula.

create table usage_hour (
  period_start_at_ms bigint not null,
  usage_key integer not null,
  run_ms bigint not null check (run_ms >= 0),
  milli_gpu_ms bigint not null check (milli_gpu_ms >= 0),
  runs_started bigint not null check (runs_started >= 0),
  runs_ended bigint not null check (runs_ended >= 0),
  runs_carried_in bigint not null check (runs_carried_in >= 0),
  runs_out bigint not null check (runs_out >= 0),
  milli_gpus_out bigint not null check (milli_gpus_out >= 0),
  primary key (period_start_at_ms, usage_key),
  constraint conservation check (runs_carried_in + runs_started - runs_ended = runs_out)
);
create table usage_day (like usage_hour including constraints including indexes);
create table usage_week (like usage_hour including constraints including indexes);
create table usage_month (like usage_hour including constraints including indexes);
create index usage_day_key on usage_day (usage_key, period_start_at_ms);

-- The ledger: a row exists exactly when that period has been aggregated.
create table period (
  granularity text not null check (granularity in ('hour', 'day', 'week', 'month')),
  start_at_ms bigint not null check (start_at_ms % 60000 = 0),
  end_at_ms bigint not null check (end_at_ms % 60000 = 0),
  label text not null,
  -- Hours: marks in [mark_from_ms, end_at_ms) are this hour's. The first hour of the books owns all earlier ones (A4).
  mark_from_ms bigint check (mark_from_ms % 60000 = 0),
  -- Hours: sha256 over what ran at the start that it was built from, and over what ran at its end.
  carry_in_digest bytea,
  carry_out_digest bytea,
  -- Coarser periods: sha256 over the digests of the parts that it was built from.
  inputs_digest bytea,
  -- sha256 over the rows that it holds.
  digest bytea not null,
  row_count bigint not null,
  aggregated_at_ms bigint not null,
  primary key (granularity, start_at_ms),
  unique (granularity, end_at_ms),
  check (end_at_ms > start_at_ms),
  check (
    case when granularity = 'hour'
      then mark_from_ms <= start_at_ms and carry_in_digest is not null and carry_out_digest is not null
        and inputs_digest is null
      else mark_from_ms is null and carry_in_digest is null and carry_out_digest is null
        and inputs_digest is not null
    end
  )
);

create table period_failure (
  id bigint generated always as identity primary key,
  granularity text not null,
  start_at_ms bigint not null,
  label text not null,
  at_ms bigint not null,
  code text not null,
  sqlstate text,
  detail text not null,
  workflow_id text,
  run_id text
);
create index period_failure_period on period_failure (granularity, start_at_ms, at_ms);

-- Usage of [a, b) per usage key: the sum of what ran on since before a (the carry), what started inside, and
-- what older runs take back by ending inside (hour-statement.md section 12). a is a whole minute, because the
-- partial index compares minutes; b may be any instant. The carry is, in this order: the given one (three arrays of
-- one length), the ledger hour that ends at a (when from_ledger), or one scan of the runs.
-- LANGUAGE sql, STABLE, neither STRICT nor SET, and called with parameters: so it is inlined into its caller
-- and reads its caller's snapshot.
create function usage_between(
  a bigint, b bigint, from_ledger boolean,
  carry_keys integer[], carry_runs bigint[], carry_milli_gpus bigint[]
) returns table (
  usage_key integer, run_ms bigint, milli_gpu_ms bigint, runs_started bigint, runs_ended bigint,
  runs_carried_in bigint, milli_gpus_carried_in bigint, runs_out bigint, milli_gpus_out bigint
) language sql stable as $$
  with previous as materialized (
    select p.start_at_ms from period p
    where from_ledger and carry_keys is null and p.granularity = 'hour' and p.end_at_ms = a
  ),
  carry as (
    select given.usage_key, given.runs, given.milli_gpus
    from unnest(carry_keys, carry_runs, carry_milli_gpus) given (usage_key, runs, milli_gpus)
    union all
    select h.usage_key, h.runs_out, h.milli_gpus_out
    from previous join usage_hour h on h.period_start_at_ms = previous.start_at_ms
    where h.runs_out > 0
    union all
    select r.usage_key, count(*), isum(r.milli_gpus)
    from run r
    where carry_keys is null and not exists (select from previous)
      and r.started_at_ms < a and (r.ended_at_ms is null or r.ended_at_ms >= a)
    group by r.usage_key
  )
  select
    e.usage_key, isum(e.run_ms), isum(e.milli_gpu_ms), isum(e.started), isum(e.ended),
    isum(e.carried_in), isum(e.milli_gpus_in),
    isum(e.carried_in + e.started - e.ended), isum(e.milli_gpus_out)
  from (
    select c.usage_key, c.runs * (b - a) as run_ms, c.milli_gpus * (b - a) as milli_gpu_ms,
      0::bigint as started, 0::bigint as ended, c.runs as carried_in,
      c.milli_gpus as milli_gpus_in, c.milli_gpus as milli_gpus_out
    from carry c
    union all
    select r.usage_key, isum(least(r.ended_at_ms, b) - r.started_at_ms),
      isum((least(r.ended_at_ms, b) - r.started_at_ms) * r.milli_gpus),
      count(*), count(*) filter (where r.ended_at_ms < b), 0, 0,
      isum(case when r.ended_at_ms < b then 0 else r.milli_gpus end)
    from run r
    where r.started_at_ms >= a and r.started_at_ms < b
    group by r.usage_key
    union all
    select r.usage_key, r.ended_at_ms - b, (r.ended_at_ms - b) * r.milli_gpus,
      0, 1, 0, 0, -r.milli_gpus
    from run r
    where r.ended_at_ms >= a and r.ended_at_ms < b and r.started_at_ms < a
      and r.started_at_ms / 60000 <> r.ended_at_ms / 60000
  ) e
  group by e.usage_key
$$;
