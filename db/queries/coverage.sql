-- What was declared of sources, and rejected records that nobody dismissed. Both count while their import does.

-- name: add-source
insert into source (name) values ($1) on conflict do nothing

-- The sources of the import's records, and one that need not have any.
-- name: declare
insert into source_coverage (source, from_at_ms, to_at_ms, batch)
select source, $2::bigint, $3::bigint, $1::bigint from import_source where batch = $1
union
select id, $2::bigint, $3::bigint, $1::bigint from source where name = $4

-- name: declared
select s.name, s.ended_at_ms, array_agg(c.from_at_ms order by c.from_at_ms, c.id) as froms,
  array_agg(c.to_at_ms order by c.from_at_ms, c.id) as tos
from source_coverage c
join source s on s.id = c.source
join import_batch b on b.id = c.batch
where b.undone_by is null
group by s.id
order by s.name

-- An import that covers a span knows of its sources until the end of it.
-- name: reach
update import_source i set last_at_ms = greatest(i.last_at_ms, $2::bigint) where i.batch = $1

-- Where they may lie: between the times that could be read, and without end to a side where none could.
-- name: open-rejects
select r.batch, r.records, places.froms, places.tos
from (
  select batch, count(*) as records, range_agg(case
    when ended_at_ms < started_at_ms then int8range(ended_at_ms, started_at_ms, '[]')
    else int8range(started_at_ms, ended_at_ms, '[]')
  end) as places
  from rejected_record where dismissed_at_ms is null group by batch
) r
join import_batch b on b.id = r.batch and b.undone_by is null
cross join lateral (
  select array_agg(coalesce(lower(place), $1)) as froms, array_agg(coalesce(upper(place), $2)) as tos
  from unnest(r.places) as place
) places
order by r.batch

-- Imports that applied some of their runs and not all, and that no later import finished by bringing the same again.
-- name: unfinished
select u.id as batch, u.input_name, u.started_at_ms, u.runs, u.applied_runs, u.first_at_ms, u.last_at_ms
from import_batch u
where u.act is null and u.applied_at_ms is null and u.undone_by is null and u.applied_runs > 0
  and not exists (
    select from import_batch later
    where later.id > u.id and later.content = u.content and later.applied_at_ms is not null
      and later.undone_by is null
  )
order by u.id

-- name: list
select s.name, s.ended_at_ms, last_import.batch, last_import.input_name, last_import.started_at_ms,
  last_import.last_at_ms
from source s
left join lateral (
  select i.batch, b.input_name, b.started_at_ms, i.last_at_ms
  from import_source i
  join import_batch b on b.id = i.batch and b.undone_by is null
  where i.source = s.id
  order by i.batch desc limit 1
) last_import on true
order by s.name

-- name: end
update source s set ended_at_ms = $2
from (select id, ended_at_ms as former from source where name = $1 for update) before
where s.id = before.id
returning before.former
