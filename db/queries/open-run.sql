-- name: page
-- Open imported runs by start, where each was seen last, and the first later import that reached beyond its start
-- and did not show it. Sightings are imports that gave its content, then or now, that confirmed it, or whose record
-- of it was withheld.
with page as (
  select r.*, o.name as source_name
  from run r join source o on o.id = r.source
  where r.ended_at_ms is null and o.name <> 'jobhours'
    and ($1::text is null or o.name = $1)
    and (r.started_at_ms, r.id) > ($2, $3)
  order by r.started_at_ms, r.id limit $4
)
select page.id, page.source_name as source, page.record_key, page.job_id, page.attempt,
  k.user_name, k.space_name, k.pool_name, page.milli_gpus, page.started_at_ms, page.ended_at_ms,
  page.reported_ended_at_ms, page.end_is_estimated, page.batch, page.pinned_by,
  d.facts ->> 'timelimit' as time_limit, seen.batch as seen_batch, seen.last_at_ms as seen_until_ms,
  unseen.batch as unseen_batch
from page
join named_usage_key k on k.id = page.usage_key
left join run_detail d on d.run = page.id
left join lateral last_sighting(page.id, page.source, page.record_key, page.batch) seen on true
left join lateral (
  select i.batch
  from import_source i join import_batch b on b.id = i.batch
  where i.source = page.source and i.batch > coalesce(seen.batch, 0) and b.undone_by is null
    and b.applied_at_ms is not null and i.last_started_at_ms > page.started_at_ms
    and i.last_at_ms > coalesce(seen.last_at_ms, page.started_at_ms)
  order by i.batch limit 1
) unseen on true
order by page.started_at_ms, page.id

-- name: unseen
-- The open runs that an import reached beyond and did not show, and the last instant at which they are known to have
-- run: what the newest import that showed them knows of, or what their source had counted. Runs corrected by hand stay.
-- $1 the import, $2 the minimum countable duration.
select r.id, seen.batch as seen_batch, greatest(
    seen.last_at_ms, r.started_at_ms + $2, known_until(r.started_at_ms, null, d.facts)
  ) as ended_at_ms
from import_source i
join import_batch b on b.id = i.batch and b.undone_by is null
join run r on r.source = i.source and r.ended_at_ms is null
  and r.started_at_ms < i.last_started_at_ms and r.pinned_by is null
left join run_detail d on d.run = r.id
left join lateral last_sighting(r.id, r.source, r.record_key, r.batch) seen on true
where i.batch = $1 and seen.batch is distinct from $1
  and i.last_at_ms > coalesce(seen.last_at_ms, r.started_at_ms)
order by r.started_at_ms, r.id

-- name: close
-- $1, $2 runs and their ends, $3 the act.
with unseen as (
  select * from unnest($1::bigint[], $2::bigint[]) u (id, ended_at_ms)
), history as (
  insert into run_history (run, former, change, batch, actor, at_ms, reason)
  select r.id, run_content(r, d.facts), 'ended', $3, $4, $5, $6
  from unseen join run r using (id) left join run_detail d on d.run = r.id
), closed as (
  update run r set ended_at_ms = unseen.ended_at_ms, end_is_estimated = true, batch = $3
  from unseen where r.id = unseen.id
  returning r.*
)
select c.id, o.name as source, c.record_key, c.job_id, c.attempt, k.user_name, k.space_name, k.pool_name,
  c.milli_gpus, c.started_at_ms, c.ended_at_ms, c.reported_ended_at_ms, c.end_is_estimated, c.batch, c.pinned_by
from closed c
join source o on o.id = c.source
join named_usage_key k on k.id = c.usage_key
order by c.started_at_ms, c.id
