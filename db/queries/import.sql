-- name: configure-session
-- Random pages are cheap here: runs and records are looked up in the order of their keys, and a plan that reads all of
-- them for every range would cost more the longer the history and the input are.
select
  set_config('random_page_cost', '1.1', false) as pages,
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

-- name: has-former-names
select exists (select from former_name) as has_some

-- name: read-former-users
update staged_record s set user_name = u.name
from (select distinct on (name) name, id from former_name where noun = 'user' order by name, batch desc) f
join dim_user u on u.id = f.id
where s.user_name = f.name and not exists (select from dim_user known where known.name = f.name)

-- name: read-former-spaces
update staged_record s set space_name = p.name
from (select distinct on (name) name, id from former_name where noun = 'space' order by name, batch desc) f
join dim_space p on p.id = f.id
where s.space_name = f.name and not exists (select from dim_space known where known.name = f.name)

-- name: other-zones
select exists (
  select from import_source i
  join import_batch b on b.id = i.batch
  join source o on o.id = i.source
  where b.undone_by is null and b.read_as <> $1
    and o.name in (select distinct source from staged_record where outcome = 'run')
) as has_some

-- name: reject-moved-jobs
-- The same job in another zone has another key, because its submit moved; its length stays, to the ms.
update staged_record s
set outcome = 'rejected', code = 'TIME_ZONE_SUSPECT',
  detail = format(
    'job %s of %s is there already, %s %s, from import %s, which read its times in %s: one of the zones is wrong; jobhours import undo %s, or say its --zone',
    s.job_id, s.source, make_interval(secs => abs(s.started_at_ms - r.started_at_ms) / 1000),
    case when s.started_at_ms > r.started_at_ms then 'earlier' else 'later' end, b.id, b.read_as, b.id
  )
from source o
join run r on r.source = o.id
join import_batch b on b.id = r.batch
where s.outcome = 'run' and s.source = o.name and s.job_id = r.job_id and s.record_key <> r.record_key
  and b.read_as <> $1
  and s.ended_at_ms - s.started_at_ms is not distinct from r.ended_at_ms - r.started_at_ms
  and s.started_at_ms <> r.started_at_ms
  and (s.started_at_ms - r.started_at_ms) % 900000 = 0
  and abs(s.started_at_ms - r.started_at_ms) <= 26 * 3600000

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
  and r.pinned_by is null and r.started_at_ms <> s.started_at_ms
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
-- Nobody knows how far a run reaches that goes on.
insert into import_batch (format, input_name, actor, reopen, started_at_ms, content, read_as, runs,
  first_at_ms, last_at_ms)
select $1, $2, $3, $4, $5, $6, $7, count(*), min(started_at_ms),
  case when bool_and(ended_at_ms is not null) then max(ended_at_ms) end
from staged_record where outcome = 'run'
returning id

-- name: insert-rejects
-- What somebody dismissed stays dismissed when a later import brings it again.
insert into rejected_record (batch, line, code, detail, record, at_ms, started_at_ms, ended_at_ms,
  dismissed_at_ms, dismissed_reason, dismissed_by)
select $1, s.line, s.code, s.detail, s.record, $2, s.started_at_ms, s.ended_at_ms,
  known.dismissed_at_ms, known.dismissed_reason, known.dismissed_by
from staged_record s
left join (
  select distinct on (r.code, r.detail, r.record) r.*
  from rejected_record r
  join import_batch b on b.id = r.batch
  join import_batch d on d.id = r.dismissed_by
  where b.undone_by is null and d.act = 'dismiss'
  order by r.code, r.detail, r.record, r.id
) known on known.code = s.code and known.detail = s.detail and known.record = s.record
where s.outcome = 'rejected' and not exists (
  select from rejected_record own where own.batch = $1 and own.line = s.line and own.record = s.record
)
order by s.line

-- name: finish-batch
update import_batch set applied_at_ms = $2, counts = $3 where id = $1
