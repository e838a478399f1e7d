-- As in 0007_carry.sql, with the same rows; a crowded hour costs a tenth less, because what each run that started in it
-- adds is computed once, and what only few add (those that it ends before) is added for those alone.
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
    isum(e.carried_in) + isum(e.started) - isum(e.ended), isum(e.milli_gpus_out)
  from (
    select c.usage_key, c.runs * (b - a) as run_ms, c.milli_gpus * (b - a) as milli_gpu_ms,
      0::bigint as started, 0::bigint as ended, c.runs as carried_in,
      c.milli_gpus as milli_gpus_in, c.milli_gpus as milli_gpus_out
    from carry c
    union all
    select r.usage_key, isum(r.run_ms), isum(r.run_ms * r.milli_gpus),
      count(*), count(*) - count(*) filter (where r.is_out), 0, 0,
      isum(r.milli_gpus) filter (where r.is_out)
    from (
      select r.usage_key, r.milli_gpus, least(r.ended_at_ms, b) - r.started_at_ms as run_ms,
        (r.ended_at_ms < b) is not true as is_out
      from run r
      where r.started_at_ms >= a and r.started_at_ms < b
      -- So that each is computed once.
      offset 0
    ) r
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
