-- Building a day, week or month ({coarse}) from the rows of its parts ({part}): the digests of the parts and
-- their rows are read in one statement (ledger.md A5).

-- name: delete-dirty-rows
delete from usage_{coarse}
where period_start_at_ms = $1
  and not exists (select from period where granularity = '{coarse}' and start_at_ms = $1)

-- name: build
with parts as materialized (
  select start_at_ms, end_at_ms, digest
  from period
  where granularity = '{part}' and start_at_ms >= $1 and end_at_ms <= $2
),
edges as materialized (
  select min(start_at_ms) as first_at_ms, max(start_at_ms) as last_at_ms from parts
),
-- By itself, so that no plan sorts the rows of all parts for the order that the few rows of fresh have.
summed as materialized (
  select u.usage_key, isum(u.run_ms) as run_ms, isum(u.milli_gpu_ms) as milli_gpu_ms,
    isum(u.runs_started) as runs_started, isum(u.runs_ended) as runs_ended,
    isum(u.runs_carried_in) filter (where u.period_start_at_ms = edges.first_at_ms) as runs_carried_in,
    isum(u.runs_out) filter (where u.period_start_at_ms = edges.last_at_ms) as runs_out,
    isum(u.milli_gpus_out) filter (where u.period_start_at_ms = edges.last_at_ms) as milli_gpus_out
  from edges
  cross join parts
  join usage_{part} u on u.period_start_at_ms = parts.start_at_ms
  group by u.usage_key
),
fresh as materialized (
  select usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended, runs_carried_in, runs_out, milli_gpus_out
  from summed
  order by usage_key
),
-- What differs from what is there; nothing is there when it is built for the first time. A full join, because no plan for
-- that looks the rows up one by one.
changed as materialized (
  select f.usage_key, f.run_ms, f.milli_gpu_ms, f.runs_started, f.runs_ended, f.runs_carried_in, f.runs_out,
    f.milli_gpus_out, u.usage_key as former_key
  from fresh f
  full join (select * from usage_{coarse} where period_start_at_ms = $1) u on u.usage_key = f.usage_key
  where not $4::boolean
    and (u.run_ms, u.milli_gpu_ms, u.runs_started, u.runs_ended, u.runs_carried_in, u.runs_out, u.milli_gpus_out)
      is distinct from
      (f.run_ms, f.milli_gpu_ms, f.runs_started, f.runs_ended, f.runs_carried_in, f.runs_out, f.milli_gpus_out)
),
removed as (
  delete from usage_{coarse}
  where period_start_at_ms = $1 and usage_key in (select former_key from changed where usage_key is null)
),
updated as (
  update usage_{coarse} u set
    run_ms = c.run_ms, milli_gpu_ms = c.milli_gpu_ms, runs_started = c.runs_started,
    runs_ended = c.runs_ended, runs_carried_in = c.runs_carried_in, runs_out = c.runs_out,
    milli_gpus_out = c.milli_gpus_out
  from changed c
  where u.period_start_at_ms = $1 and u.usage_key = c.former_key and c.usage_key is not null
),
-- No ON CONFLICT: it doubles the price of an insert, and under the period's lock nobody else writes these rows.
added as (
  insert into usage_{coarse} (period_start_at_ms, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out)
  select $1, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out
  from fresh where $4
  union all
  select $1, usage_key, run_ms, milli_gpu_ms, runs_started, runs_ended,
    runs_carried_in, runs_out, milli_gpus_out
  from changed where former_key is null
),
content as (
  select count(*) as row_count,
    sha256(coalesce(string_agg(
      int4send(usage_key) || int8send(run_ms) || int8send(milli_gpu_ms) || int8send(runs_started)
        || int8send(runs_ended) || int8send(runs_carried_in) || int8send(runs_out)
        || int8send(milli_gpus_out), ''::bytea
      order by usage_key), '')) as digest
  from fresh
),
inputs as (
  select sha256(coalesce(string_agg(
    int8send(start_at_ms) || int8send(end_at_ms) || digest, ''::bytea order by start_at_ms), '')) as inputs_digest
  from parts
)
insert into period as p (granularity, start_at_ms, end_at_ms, label, inputs_digest, digest, row_count,
  aggregated_at_ms)
select '{coarse}', $1, $2, $3, inputs_digest, digest, row_count,
  floor(extract(epoch from clock_timestamp()) * 1000)::bigint
from content cross join inputs
on conflict (granularity, start_at_ms) do update set
  end_at_ms = excluded.end_at_ms, label = excluded.label, inputs_digest = excluded.inputs_digest,
  digest = excluded.digest, row_count = excluded.row_count, aggregated_at_ms = excluded.aggregated_at_ms
returning p.digest, p.row_count,
  case when $4 then p.row_count else (select count(*) from changed where usage_key is not null) end
    as rows_written,
  (select count(*) from changed where usage_key is null) as rows_removed,
  (select coalesce(array_agg(start_at_ms order by start_at_ms), '{}') from parts) as part_starts

-- name: verify
select whole.run_ms, whole.milli_gpu_ms, parts.run_ms as parts_run_ms, parts.milli_gpu_ms as parts_milli_gpu_ms
from (
  select coalesce(sum(run_ms), 0) as run_ms, coalesce(sum(milli_gpu_ms), 0) as milli_gpu_ms
  from usage_{coarse} where period_start_at_ms = $1
) whole
cross join (
  select coalesce(sum(run_ms), 0) as run_ms, coalesce(sum(milli_gpu_ms), 0) as milli_gpu_ms
  from usage_{part} where period_start_at_ms = any ($2)
) parts
