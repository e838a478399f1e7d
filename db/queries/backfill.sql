-- Backfills: what was asked for and how it ended. How far one is, is read from the ledger.

-- name: lock-creation
lock table backfill in share row exclusive mode

-- name: insert
insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms)
values ($1, $2, $3, $4, $5, $6)

-- name: find
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, hours_built, periods_built,
  periods_failed, ended_at_ms, outcome
from backfill
where name = $1

-- name: list
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, hours_built, periods_built,
  periods_failed, ended_at_ms, outcome
from backfill
order by created_at_ms desc, name
limit $1

-- name: open
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, hours_built, periods_built,
  periods_failed, ended_at_ms, outcome
from backfill
where ended_at_ms is null
order by created_at_ms, name

-- name: end
update backfill
set hours_built = $2, periods_built = $3, periods_failed = $4, outcome = $5,
  ended_at_ms = floor(extract(epoch from clock_timestamp()) * 1000)::bigint,
  cancelled_at_ms = case when $5 = 'cancelled'
    then coalesce(cancelled_at_ms, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
    else cancelled_at_ms end
where name = $1 and ended_at_ms is null

-- name: ledger-hours
select count(*) as hours, count(*) filter (where aggregated_at_ms >= $3) as hours_since
from period
where granularity = 'hour' and start_at_ms >= $1 and end_at_ms <= $2

-- name: failures-since
select granularity, label, code, detail
from (
  select distinct on (f.granularity, f.start_at_ms) f.granularity, f.start_at_ms, f.label, f.code, f.detail, f.at_ms
  from period_failure f
  where f.at_ms >= $3 and f.start_at_ms < $2
    and (f.start_at_ms >= $1 or f.granularity <> 'hour')
    and not exists (
      select from period p
      where p.granularity = f.granularity and p.start_at_ms = f.start_at_ms and p.aggregated_at_ms >= f.at_ms
    )
  order by f.granularity, f.start_at_ms, f.at_ms desc
) newest
order by start_at_ms, granularity
limit $4
