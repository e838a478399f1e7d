-- What runs at an instant, found by short index ranges instead of one scan over all runs.

create index run_open on run (started_at_ms) include (usage_key, milli_gpus) where ended_at_ms is null;
-- Runs of a day and longer are few. What is shorter and runs at an instant ends within a day of it.
create index run_long on run (ended_at_ms) include (started_at_ms, usage_key, milli_gpus)
  where ended_at_ms - started_at_ms >= 86400000;

-- The carry at each of the instants, from the runs: those that started before it and end at or after it. The instants
-- are whole minutes, ascending, each once.
-- No run is missed: a start before a whole minute and an end at or after it lie in different minutes, so
-- run_ended_elsewhere has it. No entry is read twice, however many instants there are: each is read for the last
-- instant at or before its end, and the slice of instants from the run's start to there is what it touches.
-- Like usage_between: LANGUAGE sql, STABLE, neither STRICT nor SET, and never called with a sub-select, so that it is
-- inlined.
create function carry_at(instants bigint[])
returns table (at_ms bigint, usage_key integer, runs bigint, milli_gpus bigint)
language sql stable as $$
  select touched.at_ms, r.usage_key, count(*), isum(r.milli_gpus)
  from (
    select running.usage_key, running.milli_gpus, running.started_at_ms, cardinality(instants) as last_place
    from run running
    where running.ended_at_ms is null and running.started_at_ms < instants[cardinality(instants)]
    union all
    select short.usage_key, short.milli_gpus, short.started_at_ms, place.number::integer
    from unnest(instants) with ordinality place (at_ms, number)
    join run short
      on short.ended_at_ms >= place.at_ms
      and short.ended_at_ms < least(place.at_ms + 86400000, instants[place.number + 1])
      and short.started_at_ms < place.at_ms
      and short.ended_at_ms - short.started_at_ms < 86400000
      and short.started_at_ms / 60000 <> short.ended_at_ms / 60000
    union all
    select long.usage_key, long.milli_gpus, long.started_at_ms, place.number::integer
    from unnest(instants) with ordinality place (at_ms, number)
    join run long
      on long.ended_at_ms >= place.at_ms
      and long.ended_at_ms < coalesce(instants[place.number + 1], 9223372036854775807)
      and long.started_at_ms < place.at_ms
      and long.ended_at_ms - long.started_at_ms >= 86400000
  ) r
  -- unnest of a slice, not generate_series, whose estimate of 1,000 rows would spoil the plans around it.
  cross join lateral unnest(instants[width_bucket(r.started_at_ms, instants) + 1 : r.last_place]) touched (at_ms)
  group by touched.at_ms, r.usage_key
$$;

-- As in 0003_ledger.sql, except that the carry comes from carry_at where it came from a scan.
create or replace function usage_between(
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
    select scan.usage_key, scan.runs, scan.milli_gpus
    from carry_at(array[a]) scan
    where carry_keys is null and not exists (select from previous)
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
