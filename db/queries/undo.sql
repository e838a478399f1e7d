-- name: create-undone-runs
create temporary table undone_run (like public.undone_run)

-- name: later-changes
-- Live changes of what the batch gave: the first ones, and how many there are.
select h.run, s.name as source, h.former ->> 'record_key' as record_key, h.change, h.batch,
  coalesce(b.act, 'import of ' || b.input_name) as what, h.actor, count(*) over () as changes
from run_history h
join source s on s.id = (h.former ->> 'source')::integer
left join import_batch b on b.id = h.batch
where h.former_batch = $1 and h.undone_by is null
order by h.batch, h.id limit 3

-- name: collect-undone-runs
-- A confirmation is no heir when it might not have led to this content by itself: it knows less of the end than what
-- comes back, or the same, a former correction by hand stands, or records wait that count now. Then it is applied like
-- those.
insert into undone_run (run, source, record_key, former, heir)
select t.run, t.source, t.record_key, t.former, heir.batch
from (
  select h.run, (h.former ->> 'source')::integer as source, h.former ->> 'record_key' as record_key,
    h.former
  from run_history h where h.batch = $1 and h.undone_by is null
  union all
  select r.id, r.source, r.record_key, null
  from run r
  where r.batch = $1 and not exists (
    select from run_history h where h.batch = $1 and h.undone_by is null and h.run = r.id
  )
) t
left join run r on r.id = t.run
left join lateral jsonb_populate_record(null::run, t.former) f on true
left join lateral (
  select c.batch
  from run_confirmation c join import_batch b on b.id = c.batch
  where c.run = r.id and c.of_batch = $1 and b.undone_by is null
    and f.pinned_by is null
    and (r.job_id, r.attempt, r.usage_key, r.milli_gpus, r.started_at_ms, r.ended_at_ms,
        r.reported_ended_at_ms, r.end_is_estimated)
      is distinct from (f.job_id, f.attempt, f.usage_key, f.milli_gpus, f.started_at_ms,
        f.ended_at_ms, f.reported_ended_at_ms, f.end_is_estimated)
    -- Another user and another start would have been KEY_REUSED.
    and (t.former is null or r.started_at_ms = f.started_at_ms or (
      select count(distinct k.user_id) = 1 from usage_key k where k.id in (r.usage_key, f.usage_key)
    ))
    and not exists (
      select from withheld_record w join import_batch i on i.id = w.batch
      where w.source = t.source and w.record_key = t.record_key and i.undone_by is null
        and w.batch > coalesce(f.batch, 0)
    )
    and (t.former is null or end_certainty(r.ended_at_ms, r.end_is_estimated)
      >= end_certainty(f.ended_at_ms, f.end_is_estimated))
  order by c.batch limit 1
) heir on true

-- name: index-undone-runs
create index undone_run_key on undone_run (source, record_key)

-- name: analyze-undone-runs
analyze undone_run

-- name: withhold-confirmations
with unheard as (
  delete from run_confirmation c using undone_run u
  where c.run = u.run and c.of_batch = $1 and u.heir is null
  returning c.run, c.batch
)
insert into withheld_record (source, record_key, batch, rule, job_id, attempt, usage_key,
  milli_gpus, started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated, facts)
select r.source, r.record_key, c.batch, 'KEPT', r.job_id, r.attempt, r.usage_key, r.milli_gpus,
  r.started_at_ms, r.ended_at_ms, r.reported_ended_at_ms, r.end_is_estimated, d.facts
from unheard c
join run r on r.id = c.run
left join run_detail d on d.run = r.id
on conflict do nothing

-- name: inherit-history
insert into run_history (run, former, change, batch, actor, at_ms, reason)
select u.run, u.former, h.change, u.heir, b.actor, b.started_at_ms,
  'import of ' || b.input_name
from undone_run u
join run_history h on h.run = u.run and h.batch = $1 and h.undone_by is null
join import_batch b on b.id = u.heir

-- name: inherit-runs
update run r set batch = u.heir, pinned_by = null
from undone_run u where u.run = r.id and u.heir is not null

-- name: inherit-confirmations
with own as (
  delete from run_confirmation c using undone_run u
  where c.run = u.run and c.batch = u.heir
)
update run_confirmation c set of_batch = u.heir
from undone_run u
where c.run = u.run and c.of_batch = $1 and c.batch <> u.heir

-- name: keep-undone-values
insert into run_history (run, former, change, batch, actor, at_ms, reason, undone_by)
select r.id, run_content(r, d.facts),
  case when u.former is null then 'removed' else 'corrected' end, $1, $2, $3, $4, $1
from undone_run u
join run r on r.id = u.run
left join run_detail d on d.run = r.id
where u.heir is null

-- name: remove-runs
delete from run r using undone_run u
where u.run = r.id and u.former is null and u.heir is null

-- name: restore-runs
update run r
set job_id = f.job_id, attempt = f.attempt, usage_key = f.usage_key, milli_gpus = f.milli_gpus,
  started_at_ms = f.started_at_ms, ended_at_ms = f.ended_at_ms,
  reported_ended_at_ms = f.reported_ended_at_ms, end_is_estimated = f.end_is_estimated,
  seen_at_ms = f.seen_at_ms, batch = f.batch, pinned_by = f.pinned_by
from undone_run u, jsonb_populate_record(null::run, u.former) f
where r.id = u.run and u.former is not null and u.heir is null

-- name: bring-back-runs
insert into run overriding system value
select f.*
from undone_run u, jsonb_populate_record(null::run, u.former) f
where u.former is not null and not exists (select from run r where r.id = u.run)
order by u.source, u.record_key

-- name: remove-details
delete from run_detail d using undone_run u
where d.run = u.run and u.heir is null and u.former is not null and not u.former ? 'facts'

-- name: restore-details
insert into run_detail (run, facts)
select run, former -> 'facts' from undone_run
where heir is null and former ? 'facts'
on conflict (run) do update set facts = excluded.facts

-- name: mark-history
update run_history set undone_by = $2 where batch = $1 and undone_by is null

-- name: lift-voids
delete from voided_record where batch = $1

-- name: dismiss-rejects
update rejected_record
set dismissed_at_ms = $3, dismissed_reason = $4, dismissed_by = $2
where batch = $1 and dismissed_at_ms is null

-- name: reopen-rejects
update rejected_record
set dismissed_at_ms = null, dismissed_reason = null, dismissed_by = null
where dismissed_by = $1

-- name: count-undone
select count(*) filter (where heir is not null) as kept,
  count(*) filter (where heir is null and former is null) as removed,
  count(*) filter (where heir is null and former is not null) as restored
from undone_run

-- name: waiting-batches
select w.batch, b.actor, b.input_name, b.reopen
from undone_run u
join withheld_record w using (source, record_key)
join import_batch b on b.id = w.batch
left join run r using (source, record_key)
where b.undone_by is null and w.batch > coalesce(r.batch, 0)
group by w.batch, b.actor, b.input_name, b.reopen
order by w.batch

-- name: clear-staged-runs
delete from staged_run

-- name: clear-staged-records
delete from staged_record

-- name: stage-withheld
-- As the import would stage them, with a number for a line; only what came after the run's present content.
with moved as (
  delete from withheld_record w using undone_run u
  where w.batch = $1 and w.source = u.source and w.record_key = u.record_key
    and w.batch > coalesce((
      select r.batch from run r where r.source = w.source and r.record_key = w.record_key
    ), 0)
  returning w.*
), placed as (
  select row_number() over (order by o.name, m.record_key) as place, m.*
  from moved m join source o on o.id = m.source
), recorded as (
  insert into staged_record (line, outcome, record, facts, source, record_key, user_name)
  select p.place, 'run', p.record_key, p.facts, o.name, p.record_key, u.name
  from placed p
  join source o on o.id = p.source
  join usage_key k on k.id = p.usage_key
  join dim_user u on u.id = k.user_id
)
insert into staged_run (place, line, source, record_key, job_id, attempt, usage_key, milli_gpus,
  started_at_ms, ended_at_ms, reported_ended_at_ms, end_is_estimated)
select place, place, source, record_key, job_id, attempt, usage_key, milli_gpus, started_at_ms,
  ended_at_ms, reported_ended_at_ms, end_is_estimated
from placed
