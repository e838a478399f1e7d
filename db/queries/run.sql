-- name: list
-- Newest first, so that a limit ends the scan of run_started early.
select r.id, o.name as source, r.record_key, r.job_id, r.attempt, k.user_name, k.space_name, k.pool_name,
  r.milli_gpus, r.started_at_ms, r.ended_at_ms, r.reported_ended_at_ms,
  r.end_is_estimated, r.batch, r.pinned_by
from run r
join source o on o.id = r.source
join named_usage_key k on k.id = r.usage_key
where ($1::text is null or k.user_name = $1) and ($2::text is null or o.name = $2)
  and ($3::bigint is null or r.ended_at_ms is null or r.ended_at_ms >= $3)
  and ($4::bigint is null or r.started_at_ms < $4)
  and (not $5 or r.ended_at_ms is null)
order by r.started_at_ms desc, r.id desc limit $6

-- name: find
select r.id, o.name as source, r.record_key, r.job_id, r.attempt, k.user_name, k.space_name, k.pool_name,
  r.milli_gpus, r.started_at_ms, r.ended_at_ms, r.reported_ended_at_ms,
  r.end_is_estimated, r.batch, r.pinned_by
from run r
join source o on o.id = r.source
join named_usage_key k on k.id = r.usage_key
where r.id = $1

-- name: lock
select id from run where id = $1 for update

-- name: ids-of-key
-- A key is unique in its source only; removed runs are found by what removed them.
select r.id, o.name as source from source o join run r on r.source = o.id and r.record_key = $1
where $2::text is null or o.name = $2
union
select h.run, o.name
from source o
join voided_record v on v.source = o.id and v.record_key = $1
join run_history h on h.batch = v.batch and h.undone_by is null and h.former ->> 'record_key' = $1
where $2::text is null or o.name = $2
order by 1 limit 10

-- A job's runs are its attempts. No index: this is asked when neither number nor key fits. Removed runs are found by
-- what removed them.
-- name: ids-of-job
select r.id, o.name as source from run r join source o on o.id = r.source
where r.job_id = $1 and ($2::text is null or o.name = $2)
union
select h.run, o.name
from voided_record v
join source o on o.id = v.source
join run_history h on h.batch = v.batch and h.undone_by is null and h.former ->> 'job_id' = $1
where $2::text is null or o.name = $2
order by 1 limit 10

-- name: facts
select facts from run_detail where run = $1

-- name: history
-- With names instead of their ids, as they are called now.
select h.id, h.change, h.batch, h.actor, h.at_ms, h.reason, h.undone_by, h.former_batch,
  o.name as source, h.former ->> 'record_key' as record_key, h.former ->> 'job_id' as job_id,
  (h.former ->> 'attempt')::integer as attempt, k.user_name, k.space_name, k.pool_name,
  (h.former ->> 'milli_gpus')::integer as milli_gpus,
  (h.former ->> 'started_at_ms')::bigint as started_at_ms,
  (h.former ->> 'ended_at_ms')::bigint as ended_at_ms,
  (h.former ->> 'reported_ended_at_ms')::bigint as reported_ended_at_ms,
  (h.former ->> 'end_is_estimated')::boolean as end_is_estimated,
  (h.former ->> 'pinned_by')::bigint as pinned_by
from run_history h
join source o on o.id = (h.former ->> 'source')::integer
join named_usage_key k on k.id = (h.former ->> 'usage_key')::integer
where h.run = $1
order by h.id

-- name: confirmations
select c.batch, b.started_at_ms as at_ms, b.input_name, b.actor
from run_confirmation c join import_batch b on b.id = c.batch
where c.run = $1 and b.undone_by is null order by c.batch

-- name: source-reaches-beyond
-- Of a source that is said to have ended: rarely asked, so all its runs are read.
select count(*) as runs, max(coalesce(r.ended_at_ms, r.started_at_ms)) as last_at_ms
from run r join source o on o.id = r.source
where o.name = $1 and (r.ended_at_ms is null or r.ended_at_ms > $2)

-- name: source-known
select exists (select from source where name = $1) as is_known

-- name: keep-former
insert into run_history (run, former, change, batch, actor, at_ms, reason)
select r.id, run_content(r, d.facts), $2, $3, $4, $5, $6
from run r left join run_detail d on d.run = r.id
where r.id = $1

-- name: void-key
insert into voided_record (source, record_key, batch)
select source, record_key, $2 from run where id = $1

-- name: delete
delete from run where id = $1

-- name: add-user
insert into dim_user (name) values ($1) on conflict do nothing

-- name: add-space
insert into dim_space (name) values ($1) on conflict do nothing

-- name: add-pool
insert into dim_pool (name) values ($1) on conflict do nothing

-- name: add-usage-key
insert into usage_key (user_id, space_id, pool_id)
select u.id, s.id, p.id from dim_user u, dim_space s, dim_pool p
where u.name = $1 and s.name = $2 and p.name = $3
on conflict do nothing

-- name: correct
update run r
set usage_key = k.id, milli_gpus = $5, started_at_ms = $6, ended_at_ms = $7,
  reported_ended_at_ms = $8, end_is_estimated = $9, batch = $10, pinned_by = $10
from named_usage_key k
where r.id = $1 and k.user_name = $2 and k.space_name = $3 and k.pool_name = $4
