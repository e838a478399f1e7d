-- name: list
select r.batch, r.line, r.code, r.detail, r.record, r.at_ms, r.dismissed_at_ms, r.dismissed_reason,
  d.actor as dismissed_by
from rejected_record r
join import_batch b on b.id = r.batch
left join import_batch d on d.id = r.dismissed_by
where ($1::bigint is null or r.batch = $1)
  and ($2 or r.dismissed_at_ms is null and b.undone_by is null)
  and (r.batch, r.line) > ($3, $4)
order by r.batch, r.line limit $5

-- name: dismiss
-- The same record with the same fault too, wherever another import brought it.
update rejected_record r
set dismissed_at_ms = $4, dismissed_reason = $5, dismissed_by = $3
from (
  select distinct code, detail, record from rejected_record
  where batch = $1 and ($2::bigint is null or line = $2) and dismissed_at_ms is null
) said
where r.dismissed_at_ms is null
  and r.code = said.code and r.detail = said.detail and r.record = said.record
