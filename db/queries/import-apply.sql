-- name: add-sources
insert into source (name)
select distinct s.source from staged_record s
where s.outcome = 'run' and not exists (select from source known where known.name = s.source)
order by 1
on conflict do nothing

-- name: add-users
insert into dim_user (name)
select distinct s.user_name from staged_record s
where s.outcome = 'run' and not exists (select from dim_user known where known.name = s.user_name)
order by 1
on conflict do nothing

-- name: add-spaces
insert into dim_space (name)
select distinct s.space_name from staged_record s
where s.outcome = 'run' and not exists (select from dim_space known where known.name = s.space_name)
order by 1
on conflict do nothing

-- name: add-pools
insert into dim_pool (name)
select distinct s.pool_name from staged_record s
where s.outcome = 'run' and not exists (select from dim_pool known where known.name = s.pool_name)
order by 1
on conflict do nothing

-- name: add-usage-keys
insert into usage_key (user_id, space_id, pool_id)
select u.id, sp.id, p.id
from (
  select distinct user_name, space_name, pool_name from staged_record where outcome = 'run'
) s
join dim_user u on u.name = s.user_name
join dim_space sp on sp.name = s.space_name
join dim_pool p on p.name = s.pool_name
where not exists (
  select from usage_key known
  where known.user_id = u.id and known.space_id = sp.id and known.pool_id = p.id
)
order by 1, 2, 3
on conflict do nothing

-- name: count-applied
update import_batch set applied_runs = $2 where id = $1 and applied_runs < $2

-- name: prefer-hash-joins
set local enable_nestloop = off

-- name: resolve-staged-runs
insert into staged_run (place, line, source, record_key, job_id, attempt, usage_key, milli_gpus,
  started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated)
select row_number() over (order by s.source, s.record_key), s.line, o.id, s.record_key, s.job_id,
  s.attempt, k.id, s.milli_gpus, s.started_at_ms, s.ended_at_ms, s.reported_ended_at_ms,
  s.end_is_estimated
from staged_record s
join source o on o.name = s.source
join dim_user u on u.name = s.user_name
join dim_space sp on sp.name = s.space_name
join dim_pool p on p.name = s.pool_name
join usage_key k on k.user_id = u.id and k.space_id = sp.id and k.pool_id = p.id
where s.outcome = 'run'

-- name: index-staged-runs
create unique index staged_place on staged_run (place)

-- name: analyze-staged-runs
analyze staged_run

-- name: count-staged
select count(*) as staged from staged_record where outcome = 'run'

-- name: insert-sources
insert into import_source (source, batch, runs, first_started_at_ms, last_started_at_ms, last_at_ms)
-- A run that goes on is known for as long as its source says that it ran.
select s.source, $1, count(*), min(s.started_at_ms), max(s.started_at_ms),
  max(greatest(s.started_at_ms, s.ended_at_ms, known_until(s.started_at_ms, s.ended_at_ms, d.facts)))
from staged_run s join staged_record d on d.line = s.line
group by s.source

-- name: withhold-voided
with voided as (
  delete from staged_run s using voided_record v
  where s.place > $1 and s.place <= $2 and v.source = s.source and v.record_key = s.record_key
  returning s.*
), withheld as (
  insert into withheld_record (source, record_key, batch, rule, job_id, attempt, usage_key,
    milli_gpus, started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated, facts)
  select v.source, v.record_key, $3, 'VOIDED', v.job_id, v.attempt, v.usage_key, v.milli_gpus,
    v.started_at_ms, v.ended_at_ms, v.reported_ended_at_ms, v.end_is_estimated, d.facts
  from voided v join staged_record d on d.line = v.line
)
update staged_record d set outcome = 'set-aside', code = 'VOIDED'
from voided v where d.line = v.line

-- name: lock-changed-runs
-- This and the other statements of a range look up the run of each key: a subquery that locks, or has an offset, stays
-- one. As joins they read all runs for every range until autovacuum had looked at a table that an import was filling.
select array_agg(id) as ids
from (select * from staged_run where place > $1 and place <= $2 order by place) s
cross join lateral (
  select r.id
  from run r
  where r.source = s.source and r.record_key = s.record_key and r.pinned_by is null
    and (r.job_id, r.attempt, r.usage_key, r.milli_gpus, r.started_at_ms, r.ended_at_ms,
        r.reported_ended_at_ms, r.end_is_estimated)
      is distinct from (s.job_id, s.attempt, s.usage_key, s.milli_gpus, s.started_at_ms,
        s.ended_at_ms, s.reported_ended_at_ms, s.end_is_estimated)
    and ($3 or end_certainty(s.ended_at_ms, s.end_is_estimated)
      >= end_certainty(r.ended_at_ms, r.end_is_estimated))
  for update
) locked

-- name: withdraw-reused-keys
with reused as (
  delete from staged_run s
  using run r, usage_key f, usage_key k
  where r.id = any ($1) and r.source = s.source and r.record_key = s.record_key
    and s.place > $2 and s.place <= $3 and f.id = r.usage_key and k.id = s.usage_key
    and f.user_id <> k.user_id and r.started_at_ms <> s.started_at_ms
  returning s.line
)
update staged_record s
set outcome = 'rejected', code = 'KEY_REUSED',
  detail = format(
    'key %s of source %s became known for another user and another start than %s during the import',
    s.record_key, s.source, s.user_name
  )
from reused where s.line = reused.line

-- name: correct-runs
with change as materialized (
  select r.id, run_content(r, d.facts) as former, s.job_id, s.attempt, s.usage_key, s.milli_gpus,
    s.started_at_ms, s.ended_at_ms, s.reported_ended_at_ms, s.end_is_estimated,
    r.job_id <> s.job_id or r.attempt <> s.attempt as job_changed,
    f.user_id <> k.user_id as user_changed,
    f.space_id <> k.space_id as space_changed,
    f.pool_id <> k.pool_id as pool_changed,
    r.milli_gpus <> s.milli_gpus as gpus_changed,
    r.started_at_ms <> s.started_at_ms as start_changed,
    (r.ended_at_ms, r.reported_ended_at_ms, r.end_is_estimated)
      is distinct from (s.ended_at_ms, s.reported_ended_at_ms, s.end_is_estimated) as end_changed,
    r.ended_at_ms is null and s.ended_at_ms is not null and r.usage_key = s.usage_key
      and r.milli_gpus = s.milli_gpus and r.started_at_ms = s.started_at_ms as only_ended
  from run r
  join staged_run s on s.source = r.source and s.record_key = r.record_key
  join usage_key f on f.id = r.usage_key
  join usage_key k on k.id = s.usage_key
  left join run_detail d on d.run = r.id
  where r.id = any ($1) and s.place > $2 and s.place <= $3
), history as (
  insert into run_history (run, former, change, batch, actor, at_ms, reason)
  select id, former, case when only_ended then 'ended' else 'corrected' end, $4, $5, $6, $7
  from change
), written as (
  update run r
  set job_id = c.job_id, attempt = c.attempt, usage_key = c.usage_key, milli_gpus = c.milli_gpus,
    started_at_ms = c.started_at_ms, ended_at_ms = c.ended_at_ms,
    reported_ended_at_ms = c.reported_ended_at_ms, end_is_estimated = c.end_is_estimated,
    seen_at_ms = $6, batch = $4
  from change c where r.id = c.id
)
select
  count(*) filter (where only_ended) as ended,
  count(*) filter (where not only_ended) as corrected,
  count(*) filter (where not only_ended and job_changed) as jobs_changed,
  count(*) filter (where not only_ended and user_changed) as users_changed,
  count(*) filter (where not only_ended and space_changed) as spaces_changed,
  count(*) filter (where not only_ended and pool_changed) as pools_changed,
  count(*) filter (where not only_ended and gpus_changed) as gpus_changed,
  count(*) filter (where not only_ended and start_changed) as starts_changed,
  count(*) filter (where not only_ended and end_changed) as ends_changed
from change

-- name: insert-runs
with fresh as materialized (
  select s.* from staged_run s
  where s.place > $1 and s.place <= $2
    and not exists (
      select from run r where r.source = s.source and r.record_key = s.record_key offset 0
    )
), added as (
  insert into run (source, record_key, job_id, attempt, usage_key, milli_gpus, started_at_ms,
    ended_at_ms, reported_ended_at_ms, end_is_estimated, seen_at_ms, batch)
  select source, record_key, job_id, attempt, usage_key, milli_gpus, started_at_ms,
    ended_at_ms, reported_ended_at_ms, end_is_estimated, $3, $4
  from fresh order by place
  on conflict (source, record_key) do nothing
  returning id, source, record_key
), detailed as (
  insert into run_detail (run, facts)
  select added.id, d.facts
  from added
  join fresh using (source, record_key)
  join staged_record d on d.line = fresh.line
  where d.facts is not null
)
select count(*) as added from added

-- name: refresh-details
insert into run_detail (run, facts)
select r.id, d.facts
from staged_run s
join staged_record d on d.line = s.line
cross join lateral (
  select * from run r where r.source = s.source and r.record_key = s.record_key offset 0
) r
left join run_detail former on former.run = r.id
where s.place > $1 and s.place <= $2 and r.pinned_by is null
  and end_certainty(s.ended_at_ms, s.end_is_estimated)
    >= end_certainty(r.ended_at_ms, r.end_is_estimated)
  and d.facts is not null and former.facts is distinct from d.facts
order by r.id
on conflict (run) do update set facts = excluded.facts

-- name: settle-records
-- One look at the range says of every record whether the run is as it says (confirmed), stays as it was all the same
-- (withheld: $4 lets records without an end change those with one), or must be applied again, because somebody changed
-- the run meanwhile. Nothing is written before nothing is left.
with judged as materialized (
  select s.line, s.source, s.record_key, s.job_id, s.attempt, s.usage_key, s.milli_gpus, s.started_at_ms,
    s.ended_at_ms, s.reported_ended_at_ms, s.end_is_estimated, r.id as run, r.batch as of_batch,
    r.pinned_by is not null as is_pinned,
    (r.job_id, r.attempt, r.usage_key, r.milli_gpus, r.started_at_ms, r.ended_at_ms,
        r.reported_ended_at_ms, r.end_is_estimated)
      is not distinct from (s.job_id, s.attempt, s.usage_key, s.milli_gpus, s.started_at_ms,
        s.ended_at_ms, s.reported_ended_at_ms, s.end_is_estimated) as is_equal,
    $4 or end_certainty(s.ended_at_ms, s.end_is_estimated)
      >= end_certainty(r.ended_at_ms, r.end_is_estimated) as may_change
  from staged_run s
  left join lateral (
    select * from run r where r.source = s.source and r.record_key = s.record_key offset 0
  ) r on true
  where s.place > $1 and s.place <= $2
), counted as (
  select
    count(*) filter (where run is null or not is_equal and not is_pinned and may_change) as unsettled,
    count(*) filter (where not is_equal and not is_pinned and not may_change) as kept,
    count(*) filter (where not is_equal and is_pinned) as pinned
  from judged
), withheld as (
  insert into withheld_record (source, record_key, batch, rule, job_id, attempt, usage_key,
    milli_gpus, started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated, facts)
  select j.source, j.record_key, $3, case when is_pinned then 'PINNED' else 'KEPT' end,
    j.job_id, j.attempt, j.usage_key, j.milli_gpus, j.started_at_ms, j.ended_at_ms,
    j.reported_ended_at_ms, j.end_is_estimated, d.facts
  from judged j join staged_record d on d.line = j.line
  where not is_equal and (select unsettled from counted) = 0
), confirmed as (
  -- Whose content it is comes from this look too.
  insert into run_confirmation (run, batch, of_batch)
  select run, $3, of_batch from judged
  where is_equal and of_batch is distinct from $3 and (select unsettled from counted) = 0
  on conflict do nothing
)
select unsettled, kept, pinned from counted
