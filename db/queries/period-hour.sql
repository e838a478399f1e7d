-- Building one hour. The order of the statements in the transaction is ledger.md A1 and A2: lock, delete the
-- hour's marks, then read and write everything else in one statement.

-- name: read-frame
select origin_at_ms, floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
  exists (select from period where granularity = $1 and start_at_ms = $2) as is_built
from books

-- name: delete-marks
delete from usage_change where minute >= $1::bigint / 60000 and minute < $2::bigint / 60000

-- name: delete-dirty-rows
delete from usage_hour
where period_start_at_ms = $1
  and not exists (select from period where granularity = 'hour' and start_at_ms = $1)

-- name: build
with fresh as materialized (
  select usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended, runs_carried_in, milli_gpus_carried_in,
    runs_out, milli_gpus_out
  from usage_between($1, $2, true, null, null, null)
  -- One order for the digests and for the index that is written.
  order by usage_key
),
-- What differs from what is there; nothing is there when it is built for the first time. A full join, because no plan for
-- that looks the rows up one by one.
changed as materialized (
  select f.usage_key, f.run_ms, f.milli_gpu_ms, f.runs_started, f.runs_ended, f.runs_carried_in, f.runs_out,
    f.milli_gpus_out, u.usage_key as former_key
  from fresh f
  full join (select * from usage_hour where period_start_at_ms = $1) u on u.usage_key = f.usage_key
  where not $5::boolean
    and (u.run_ms, u.milli_gpu_ms, u.runs_started, u.runs_ended, u.runs_carried_in, u.runs_out, u.milli_gpus_out)
      is distinct from
      (f.run_ms, f.milli_gpu_ms, f.runs_started, f.runs_ended, f.runs_carried_in, f.runs_out, f.milli_gpus_out)
),
removed as (
  delete from usage_hour
  where period_start_at_ms = $1 and usage_key in (select former_key from changed where usage_key is null)
),
updated as (
  update usage_hour u set
    run_ms = c.run_ms, milli_gpu_ms = c.milli_gpu_ms, runs_started = c.runs_started,
    runs_ended = c.runs_ended, runs_carried_in = c.runs_carried_in, runs_out = c.runs_out,
    milli_gpus_out = c.milli_gpus_out
  from changed c
  where u.period_start_at_ms = $1 and u.usage_key = c.former_key and c.usage_key is not null
),
-- No ON CONFLICT: it doubles the price of an insert, and under the period's lock nobody else writes these rows.
added as (
  insert into usage_hour (period_start_at_ms, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out)
  select $1, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out
  from fresh where $5
  union all
  select $1, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out
  from changed where former_key is null
),
content as (
  select count(*) as row_count,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(runs_carried_in) || int8send(milli_gpus_carried_in), ''::bytea
      order by usage_key) filter (where runs_carried_in > 0), '')) as carry_in_digest,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(runs_out) || int8send(milli_gpus_out), ''::bytea
      order by usage_key) filter (where runs_out > 0), '')) as carry_out_digest,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(run_ms) || int8send(milli_gpu_ms) || int8send(runs_started)
        || int8send(runs_ended) || int8send(runs_carried_in) || int8send(runs_out)
        || int8send(milli_gpus_out), ''::bytea
      order by usage_key), '')) as digest
  from fresh
)
insert into period as p (granularity, start_at_ms, end_at_ms, label, mark_from_ms, carry_in_digest,
  carry_out_digest, digest, row_count, aggregated_at_ms)
select 'hour', $1, $2, $3, $4, carry_in_digest, carry_out_digest, digest, row_count,
  floor(extract(epoch from clock_timestamp()) * 1000)::bigint
from content
on conflict (granularity, start_at_ms) do update set
  end_at_ms = excluded.end_at_ms, label = excluded.label, mark_from_ms = excluded.mark_from_ms,
  carry_in_digest = excluded.carry_in_digest, carry_out_digest = excluded.carry_out_digest,
  digest = excluded.digest, row_count = excluded.row_count, aggregated_at_ms = excluded.aggregated_at_ms
returning p.digest, p.row_count,
  case when $5 then p.row_count else (select count(*) from changed where usage_key is not null) end
    as rows_written,
  (select count(*) from changed where usage_key is null) as rows_removed,
  exists (
    select from period n
    where n.granularity = 'hour' and n.start_at_ms = $2 and n.carry_in_digest <> p.carry_out_digest
  ) as successor_is_stale

-- name: read-back
select digest, aggregated_at_ms from period where granularity = $1 and start_at_ms = $2
