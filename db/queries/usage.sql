-- What reports read. All in one snapshot: REPEATABLE READ, read only.

-- Usage keys and their names, those of one user, space or pool when one is given.
-- name: keys
select id as usage_key, user_name, space_name, pool_name from named_usage_key
where ($1::text is null or user_name = $1)
  and ($2::text is null or space_name = $2)
  and ($3::text is null or pool_name = $3)

-- name: known-names
select
  $1::text is null or exists (select from dim_user where name = $1) as is_user_known,
  $2::text is null or exists (select from dim_space where name = $2) as is_space_known,
  $3::text is null or exists (select from dim_pool where name = $3) as is_pool_known

-- Sums over pieces of one table of the ledger ({granularity}). A piece is a span of whole periods of one row of the
-- report; what it carries in is what its first period carried in. $3 has the group of usage key k at k (from 1), -1 for
-- none: a look into an array costs less than a join, and no plan makes it slow. Lateral, so that each piece is one range
-- of the primary key.
-- name: ledger
select piece.number::integer as number, usage.group_number, usage.run_ms, usage.milli_gpu_ms,
  usage.runs_started, usage.runs_ended, usage.runs_carried_in
from unnest($1::bigint[], $2::bigint[]) with ordinality as piece (start_at_ms, end_at_ms, number)
cross join lateral (
  select ($3::integer[])[u.usage_key] as group_number,
    sum(u.run_ms) as run_ms, sum(u.milli_gpu_ms) as milli_gpu_ms,
    sum(u.runs_started) as runs_started, sum(u.runs_ended) as runs_ended,
    coalesce(sum(u.runs_carried_in) filter (where u.period_start_at_ms = piece.start_at_ms), 0)
      as runs_carried_in
  from usage_{granularity} u
  where u.period_start_at_ms >= piece.start_at_ms and u.period_start_at_ms < piece.end_at_ms
    and ($3::integer[])[u.usage_key] >= 0
  group by 1
) usage

-- The same for a few usage keys ($3, with their groups $4), and pieces in time order: the keys are looked up together in
-- each period.
-- name: ledger-of-few-keys
select piece.number, ($4::integer[])[array_position($3::integer[], u.usage_key)] as group_number,
  sum(u.run_ms) as run_ms, sum(u.milli_gpu_ms) as milli_gpu_ms,
  sum(u.runs_started) as runs_started, sum(u.runs_ended) as runs_ended,
  coalesce(sum(u.runs_carried_in) filter (where p.start_at_ms = ($1::bigint[])[piece.number]), 0)
    as runs_carried_in
from period p
cross join lateral (select width_bucket(p.start_at_ms, $1::bigint[]) as number) piece
-- Kept apart, or another order of these joins might be chosen.
cross join lateral (
  select * from usage_{granularity} one
  where one.period_start_at_ms = p.start_at_ms and one.usage_key = any ($3::integer[])
  offset 0
) u
where p.granularity = '{granularity}'
  and p.start_at_ms >= ($1::bigint[])[1] and p.start_at_ms < ($2::bigint[])[cardinality($2::bigint[])]
  and p.start_at_ms < ($2::bigint[])[piece.number]
group by 1, 2

-- name: computed
select usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
  runs_carried_in, milli_gpus_carried_in, runs_out, milli_gpus_out
from usage_between($1, $2, $3, $4, $5, $6)

-- Runs of a window that the minimum lengthened: such a run is no longer than the minimum, so it started at most that
-- long before the window.
-- name: lengthened
select count(*) as runs,
  coalesce(sum(ended_at_ms - reported_ended_at_ms), 0)::bigint as lengthened_ms
from run
where ended_at_ms > reported_ended_at_ms
  and started_at_ms >= $1::bigint - $3::bigint and started_at_ms < $2::bigint and ended_at_ms > $1::bigint
  and ($4::integer[] is null or usage_key = any ($4))
