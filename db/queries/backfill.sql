-- Backfills: what was asked for and how it ended. How far one is, is read from the ledger.

-- name: lock-creation
lock table backfill in share row exclusive mode

-- name: insert
insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms)
values ($1, $2, $3, $4, $5, $6)

-- name: find
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms, cancelled_at_ms,
  hours_built, periods_built, periods_failed, ended_at_ms, outcome
from backfill
where name = $1

-- name: list
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms, cancelled_at_ms,
  hours_built, periods_built, periods_failed, ended_at_ms, outcome
from backfill
order by created_at_ms desc, name
limit $1

-- name: open
select name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms, cancelled_at_ms,
  hours_built, periods_built, periods_failed, ended_at_ms, outcome
from backfill
where ended_at_ms is null
order by created_at_ms, name

-- name: pause
update backfill
set paused_at_ms = case when $2
    then coalesce(paused_at_ms, floor(extract(epoch from clock_timestamp()) * 1000)::bigint) end
where name = $1 and ended_at_ms is null

-- name: cancel
update backfill
set cancelled_at_ms = coalesce(cancelled_at_ms, floor(extract(epoch from clock_timestamp()) * 1000)::bigint)
where name = $1 and ended_at_ms is null

-- What was built is counted in the ledger: a worker that died cannot tell what it had built.
-- name: end
update backfill b
set periods_failed = $2, outcome = $3, hours_built = built.hours, periods_built = built.periods,
  ended_at_ms = floor(extract(epoch from clock_timestamp()) * 1000)::bigint
from (
  select own.name, count(*) filter (where p.granularity = 'hour') as hours, count(p.granularity) as periods
  from backfill own
  left join period p on p.start_at_ms < own.end_at_ms and p.end_at_ms > own.start_at_ms
    and p.aggregated_at_ms >= own.created_at_ms
  where own.name = $1
  group by own.name
) built
where b.name = built.name and b.ended_at_ms is null

-- Hours of a range in the ledger; those built since $3; those built in the last $4 ms.
-- name: ledger-hours
select count(granularity) as hours, count(*) filter (where aggregated_at_ms >= $3) as hours_since,
  count(*) filter (where aggregated_at_ms > clock.now_ms - $4) as hours_lately, min(clock.now_ms) as now_ms
from (select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms) clock
left join period on granularity = 'hour' and start_at_ms >= $1 and end_at_ms <= $2

-- Hours that were built one after another, at most 10 s apart, and how long that took: the newest 2,000.
-- name: speed
select count(gap_ms) as hours, coalesce(sum(gap_ms), 0)::bigint as ms
from (
  select aggregated_at_ms - lag(aggregated_at_ms) over (order by aggregated_at_ms) as gap_ms
  from (
    select aggregated_at_ms from period
    where granularity = 'hour'
    order by aggregated_at_ms desc
    limit 2001
  ) newest
) gaps
where gap_ms <= 10000

-- name: failures-since
select granularity, start_at_ms, label, code, detail
from (
  select distinct on (f.granularity, f.start_at_ms) f.granularity, f.start_at_ms, f.label, f.code, f.detail, f.at_ms
  from period_failure f
  where f.at_ms >= $2 and f.start_at_ms < $1
    and not exists (
      select from period p
      where p.granularity = f.granularity and p.start_at_ms = f.start_at_ms and p.aggregated_at_ms >= f.at_ms
    )
  order by f.granularity, f.start_at_ms, f.at_ms desc
) newest
order by start_at_ms, granularity
