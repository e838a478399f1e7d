-- name: insert-act
insert into import_batch (format, input_name, actor, started_at_ms, applied_at_ms, act, reason, undoes, counts)
values ('manual', $1, $2, $3, $3, $4, $5, $6, $7)
returning id

-- name: set-counts
update import_batch set counts = $2 where id = $1

-- name: lock-batch
select id, format, input_name, actor, started_at_ms, applied_at_ms, act, reason, reopen, undoes, undone_by,
  counts
from import_batch where id = $1 for update

-- name: find-batch
select id, format, input_name, actor, started_at_ms, applied_at_ms, act, reason, reopen, undoes, undone_by,
  counts
from import_batch where id = $1

-- name: list-batches
select id, format, input_name, actor, started_at_ms, applied_at_ms, act, reason, reopen, undoes, undone_by,
  counts
from import_batch order by id desc limit $1

-- name: closing-act
-- What ended open runs rests on the import that did not show them, and on those that showed them last.
select id from import_batch
where act = 'close-unseen' and undone_by is null
  and (counts ->> 'import' = $1::bigint::text or counts -> 'seen' ? $1::bigint::text)
order by id desc limit 1

-- name: later-end
select max(later.id) as id
from import_batch act join import_batch later on later.input_name = act.input_name
where act.id = $1 and later.act = 'end-source' and later.undone_by is null and later.id > act.id

-- name: mark-undone
update import_batch set undone_by = $2 where id = $1

-- name: count-effects
select
  (select count(*) from run where batch = $1) as runs_given,
  (select count(*) from run_history where former_batch = $1 and undone_by is null) as changed_later,
  (select count(*) from rejected_record where batch = $1) as rejects,
  (select count(*) from rejected_record where batch = $1 and dismissed_at_ms is null) as open_rejects,
  (select count(*) from withheld_record where batch = $1) as withheld

-- name: batch-coverage
select s.name as source, c.from_at_ms, c.to_at_ms
from source_coverage c join source s on s.id = c.source
where c.batch = $1 order by s.name, c.from_at_ms

-- name: batch-sources
select s.name as source, i.runs, i.first_started_at_ms, i.last_at_ms
from import_source i join source s on s.id = i.source
where i.batch = $1 order by s.name
