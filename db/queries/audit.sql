-- Auditing the books: rows of usage against the runs, digests against rows, the ledger against the calendar. All reads
-- of one chunk share one snapshot: REPEATABLE READ, read only.

-- name: ledger-rows
select granularity, start_at_ms, end_at_ms
from period
where start_at_ms < $2::bigint and end_at_ms > $1::bigint
order by granularity, start_at_ms

-- Starts of periods of which there are rows, one index probe each: the rows themselves may be millions.
-- name: dirty-rows
with recursive starts (at_ms) as (
  (
    select period_start_at_ms from usage_{granularity}
    where period_start_at_ms >= $1 and period_start_at_ms < $2
    order by period_start_at_ms limit 1
  )
  union all
  select (
    select u.period_start_at_ms from usage_{granularity} u
    where u.period_start_at_ms > starts.at_ms and u.period_start_at_ms < $2
    order by u.period_start_at_ms limit 1
  )
  from starts where starts.at_ms is not null
)
select at_ms as start_at_ms,
  (select count(*) from usage_{granularity} where period_start_at_ms = at_ms) as rows
from starts
where at_ms is not null
  and not exists (select from period where granularity = '{granularity}' and start_at_ms = at_ms)
order by at_ms

-- Rows of the asked periods against the overlap formula over the runs; nothing is shared with usage_between. The runs
-- are read once: $5 and $6 are the edges of what the periods cover, and width_bucket finds the first of these spans
-- that ends after a run began. A run then makes one slice for each period that it touches and no other; periods of
-- one granularity do not overlap. Like the builder, a run touches the period that begins when it ends: it is carried
-- in there and ends there.
-- name: row-differences
with asked as materialized (
  select given.granularity, given.start_at_ms, given.from_at_ms, given.end_at_ms
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
    as given (granularity, start_at_ms, from_at_ms, end_at_ms)
),
shape as materialized (
  select granularity,
    array_agg(start_at_ms order by start_at_ms) as starts,
    array_agg(from_at_ms order by start_at_ms) as froms,
    array_agg(end_at_ms order by start_at_ms) as ends
  from asked group by granularity
),
touching as materialized (
  select usage_key, started_at_ms, ended_at_ms, milli_gpus
  from run
  where started_at_ms < $7::bigint
    and (ended_at_ms is null
      or ended_at_ms >= ($5::bigint[])[width_bucket(started_at_ms, $6::bigint[]) + 1])
),
slice as (
  select shape.granularity, shape.starts[number] as start_at_ms, shape.froms[number] as a, shape.ends[number] as b,
    r.usage_key, r.started_at_ms, r.ended_at_ms, r.milli_gpus
  from touching r
  cross join shape
  cross join lateral generate_series(
    width_bucket(r.started_at_ms, shape.ends) + 1,
    case when r.ended_at_ms is null then cardinality(shape.froms)
      else width_bucket(r.ended_at_ms, shape.froms) end
  ) number
  -- Kept apart: else the sums would be grouped over rows that still carry the arrays.
  offset 0
),
recomputed as (
  select granularity, start_at_ms, usage_key,
    isum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a))) as run_ms,
    isum(greatest(0, least(coalesce(ended_at_ms, b), b) - greatest(started_at_ms, a)) * milli_gpus) as milli_gpu_ms,
    count(*) filter (where started_at_ms >= a) as runs_started,
    count(*) filter (where ended_at_ms < b) as runs_ended,
    count(*) filter (where started_at_ms < a) as runs_carried_in,
    count(*) filter (where ended_at_ms is null or ended_at_ms >= b) as runs_out,
    isum(case when ended_at_ms < b then 0 else milli_gpus end) as milli_gpus_out
  from slice
  group by granularity, start_at_ms, usage_key
),
stored as (
  select 'hour' as granularity, u.* from asked
  join usage_hour u on asked.granularity = 'hour' and u.period_start_at_ms = asked.start_at_ms
  union all
  select 'day', u.* from asked
  join usage_day u on asked.granularity = 'day' and u.period_start_at_ms = asked.start_at_ms
  union all
  select 'week', u.* from asked
  join usage_week u on asked.granularity = 'week' and u.period_start_at_ms = asked.start_at_ms
  union all
  select 'month', u.* from asked
  join usage_month u on asked.granularity = 'month' and u.period_start_at_ms = asked.start_at_ms
),
differing as (
  select coalesce(s.granularity, f.granularity) as granularity,
    coalesce(s.period_start_at_ms, f.start_at_ms) as start_at_ms,
    coalesce(s.usage_key, f.usage_key) as usage_key,
    s.run_ms, s.milli_gpu_ms, s.runs_started, s.runs_ended, s.runs_carried_in, s.runs_out, s.milli_gpus_out,
    f.run_ms as fresh_run_ms, f.milli_gpu_ms as fresh_milli_gpu_ms, f.runs_started as fresh_runs_started,
    f.runs_ended as fresh_runs_ended, f.runs_carried_in as fresh_runs_carried_in, f.runs_out as fresh_runs_out,
    f.milli_gpus_out as fresh_milli_gpus_out
  from stored s
  full join recomputed f
    on f.granularity = s.granularity and f.start_at_ms = s.period_start_at_ms and f.usage_key = s.usage_key
  where
    (s.run_ms, s.milli_gpu_ms, s.runs_started, s.runs_ended, s.runs_carried_in, s.runs_out, s.milli_gpus_out)
    is distinct from
    (f.run_ms, f.milli_gpu_ms, f.runs_started, f.runs_ended, f.runs_carried_in, f.runs_out, f.milli_gpus_out)
),
numbered as (
  select differing.*,
    count(*) over (partition by granularity, start_at_ms) as rows,
    row_number() over (partition by granularity, start_at_ms order by usage_key) as number
  from differing
)
-- A row that was put there by hand may have a usage key that names nobody.
select n.granularity, n.start_at_ms, n.usage_key, k.user_name, k.space_name, k.pool_name, n.rows,
  n.run_ms, n.milli_gpu_ms, n.runs_started, n.runs_ended, n.runs_carried_in, n.runs_out, n.milli_gpus_out,
  n.fresh_run_ms, n.fresh_milli_gpu_ms, n.fresh_runs_started, n.fresh_runs_ended, n.fresh_runs_carried_in,
  n.fresh_runs_out, n.fresh_milli_gpus_out
from numbered n
left join named_usage_key k on k.id = n.usage_key
where n.number <= $8::integer
order by n.granularity, n.start_at_ms, n.usage_key

-- Ledger rows of the asked periods that do not fit the rows they vouch for. The digests are those of the builder
-- (period-hour.sql, period-coarse.sql), over what is stored.
-- name: digest-differences
select p.start_at_ms, p.row_count as row_count, held.row_count as held_row_count,
  encode(p.digest, 'hex') as digest, encode(held.digest, 'hex') as held_digest,
  encode(p.carry_out_digest, 'hex') as carry_digest,
  case when p.granularity = 'hour' then encode(held.carry_digest, 'hex') end as held_carry_digest
from unnest($1::bigint[]) as asked (start_at_ms)
join period p on p.granularity = '{granularity}' and p.start_at_ms = asked.start_at_ms
cross join lateral (
  select count(*) as row_count,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(run_ms) || int8send(milli_gpu_ms) || int8send(runs_started)
        || int8send(runs_ended) || int8send(runs_carried_in) || int8send(runs_out)
        || int8send(milli_gpus_out), ''::bytea
      order by usage_key), '')) as digest,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(runs_out) || int8send(milli_gpus_out), ''::bytea
      order by usage_key) filter (where runs_out > 0), '')) as carry_digest
  from usage_{granularity} u
  where u.period_start_at_ms = p.start_at_ms
) held
where p.row_count <> held.row_count or p.digest <> held.digest or p.carry_out_digest <> held.carry_digest
order by p.start_at_ms

-- name: insert-audit
insert into audit (began_at_ms, ended_at_ms, asked_by, sample, seed, from_at_ms, to_at_ms, periods_checked,
  periods_not_judged, stale_not_judged, periods_wrong, findings)
values ($1, greatest($1, floor(extract(epoch from clock_timestamp()) * 1000)::bigint), $2, $3, $4, $5, $6, $7, $8,
  $9, $10, $11)

-- Wrong periods stay wrong until somebody mends them, but a later sample may miss them: so the worst audit since the
-- newest one of all periods counts. Only a complete audit that left out nothing in the ledger says that all is well.
-- name: standing
select newest.ended_at_ms, newest.asked_by, newest.sample, worst.periods_wrong
from (
  select coalesce(max(periods_wrong), 0) as periods_wrong from audit
  where id >= coalesce((
    select max(id) from audit
    where sample is null and from_at_ms is null and to_at_ms is null and stale_not_judged = 0
  ), 0)
) worst
left join (
  select ended_at_ms, asked_by, sample from audit order by ended_at_ms desc, id desc limit 1
) newest on true

-- name: delete-ledger-row
delete from period
where granularity = '{granularity}' and start_at_ms = $1 and end_at_ms = $2
  and (not $3::boolean or end_at_ms > floor(extract(epoch from clock_timestamp()) * 1000))

-- name: delete-dirty-rows
delete from usage_{granularity}
where period_start_at_ms = $1
  and not exists (select from period where granularity = '{granularity}' and start_at_ms = $1)
