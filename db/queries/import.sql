-- name: configure-session
-- Random pages are cheap here: runs are looked up in the order of their keys, and a plan that reads all runs for
-- every batch would cost more the longer the history is.
select
  set_config('random_page_cost', '1.1', false) as pages,
  set_config('plan_cache_mode', 'force_custom_plan', false) as plans,
  set_config('temp_buffers', '64MB', false) as buffers,
  set_config('work_mem', '64MB', false) as sorts

-- name: create-staged-records
create temporary table staged_record (like public.staged_record)

-- name: create-staged-runs
create temporary table staged_run (like public.staged_run)

-- name: index-staged-keys
create index staged_key on staged_record (source, record_key) where outcome = 'run'

-- name: index-staged-lines
create unique index staged_line on staged_record (line)

-- name: analyze-staged-records
analyze staged_record

-- name: index-rejects
create index staged_reject on staged_record (line) where outcome = 'rejected'

-- name: reject-duplicate-keys
with doubled as materialized (
  select source, record_key from staged_record where outcome = 'run'
  group by source, record_key having count(*) > 1
), contradicting as materialized (
  select source, record_key, count(*) as records,
    array_to_string((array_agg(line order by line))[1:5], ', ') as lines
  from doubled join staged_record s using (source, record_key)
  where s.outcome = 'run'
  group by source, record_key
  having count(distinct (
    job_id, attempt, user_name, space_name, pool_name, milli_gpus, started_at_ms, ended_at_ms,
    reported_ended_at_ms, end_is_estimated
  )) > 1
)
update staged_record s
set outcome = 'rejected', code = 'KEY_DUPLICATE',
  detail = format(
    'key %s of source %s stands %s times with different content, lines %s%s',
    c.record_key, c.source, c.records, c.lines, case when c.records > 5 then ', ...' else '' end
  )
from contradicting c
where s.outcome = 'run' and s.source = c.source and s.record_key = c.record_key

-- name: drop-repeated-records
with doubled as materialized (
  select source, record_key from staged_record where outcome = 'run'
  group by source, record_key having count(*) > 1
), ranked as materialized (
  select s.ctid, row_number() over (
    partition by source, record_key order by s.facts desc nulls last, s.line
  ) as place
  from doubled join staged_record s using (source, record_key)
  where s.outcome = 'run'
)
update staged_record s set outcome = 'repeated'
from ranked where s.ctid = ranked.ctid and ranked.place > 1

-- name: reject-reused-keys
update staged_record s
set outcome = 'rejected', code = 'KEY_REUSED',
  detail = format(
    'key %s of source %s is known for another user and another start than %s: another job? give --key',
    s.record_key, s.source, s.user_name
  )
from source o
join run r on r.source = o.id
where s.outcome = 'run' and s.source = o.name and s.record_key = r.record_key
  and r.started_at_ms <> s.started_at_ms
  and s.user_name <> (
    select u.name from usage_key k join dim_user u on u.id = k.user_id where k.id = r.usage_key
  )

-- name: count-outcomes
select outcome, code, count(*) as records from staged_record group by outcome, code

-- name: total-runs
select
  count(*) filter (where ended_at_ms is null) as running,
  count(*) filter (where milli_gpus > 0) as with_gpus,
  count(*) filter (where end_is_estimated) as estimated,
  count(distinct user_name) as users,
  count(distinct space_name) filter (where space_name <> '-') as spaces,
  count(distinct pool_name) filter (where pool_name <> '-') as pools,
  min(started_at_ms) as first_at_ms,
  max(greatest(started_at_ms, ended_at_ms)) as last_at_ms,
  coalesce(sum(ended_at_ms - started_at_ms), 0) as run_ms,
  coalesce(sum((ended_at_ms - started_at_ms)::numeric * milli_gpus), 0) as milli_gpu_ms,
  count(*) filter (where ended_at_ms > reported_ended_at_ms) as lengthened,
  coalesce(sum(ended_at_ms - reported_ended_at_ms)
    filter (where ended_at_ms > reported_ended_at_ms), 0) as lengthened_ms,
  count(*) filter (where started_at_ms < $1) as before_origin
from staged_record where outcome = 'run'

-- name: rejects-after
select line, code, detail, record from staged_record
where outcome = 'rejected' and line > $1
order by line limit $2

-- name: insert-batch
insert into import_batch (format, input_name, actor, started_at_ms)
values ($1, $2, $3, $4)
returning id

-- name: insert-rejects
insert into rejected_record (batch, line, code, detail, record, at_ms)
select $1, line, code, detail, record, $2 from staged_record
where outcome = 'rejected' order by line

-- name: finish-batch
update import_batch set applied_at_ms = $2, counts = $3 where id = $1
