-- What the ledger says about itself: ranges, stale periods, failures. Staleness is a comparison over all rows of the
-- ledger (ledger.md P1), never a flag.

-- name: ranges
select granularity, min(start_at_ms) as start_at_ms, max(end_at_ms) as end_at_ms
from (
  select granularity, start_at_ms, end_at_ms,
    count(*) filter (where begins_range) over (partition by granularity order by start_at_ms) as range_number
  from (
    select granularity, start_at_ms, end_at_ms,
      lag(end_at_ms) over (partition by granularity order by start_at_ms) is distinct from start_at_ms
        as begins_range
    from period
  ) edges
) numbered
group by granularity, range_number
order by granularity, start_at_ms

-- A mark belongs to the first ledger hour that ends after it, if that hour's marks begin at or before it.
-- name: hours-with-marks
select h.start_at_ms, h.end_at_ms, h.label, sum(m.marks)::bigint as marks, max(m.newest) as newest
from (
  select minute, count(*) as marks, max(xmin::text::bigint) as newest from usage_change group by minute
) m
cross join lateral (
  select p.start_at_ms, p.end_at_ms, p.label, p.mark_from_ms
  from period p
  where p.granularity = 'hour' and p.end_at_ms > m.minute * 60000
  order by p.end_at_ms
  limit 1
) h
where h.mark_from_ms <= m.minute * 60000
group by h.start_at_ms, h.end_at_ms, h.label
order by h.start_at_ms

-- name: hours-with-other-carry
select h.start_at_ms, h.end_at_ms, h.label,
  encode(h.carry_in_digest, 'hex') as built_from, encode(previous.carry_out_digest, 'hex') as now_is
from period h
join period previous on previous.granularity = 'hour' and previous.end_at_ms = h.start_at_ms
where h.granularity = 'hour' and previous.carry_out_digest <> h.carry_in_digest
order by h.start_at_ms

-- Rule A7, made stronger: an hour after a hole whose carry from the runs is no longer what it was built from. A run may
-- reach across the hole without a mark in it, so the carry is read whether marks lie there or not: of all holes at once,
-- and nothing when there is none. The first hour of the books follows no hole: all earlier marks are its own.
-- name: hours-after-changed-holes
with seed as materialized (
  select start_at_ms, end_at_ms, label, carry_in_digest
  from (
    select h.* from period h
    where h.granularity = 'hour' and not exists (
      select from period previous
      where previous.granularity = 'hour' and previous.end_at_ms = h.start_at_ms
    )
    -- Kept apart: else few hours are expected here, and each of all hours is looked up by itself.
    offset 0
  ) unpreceded
  where mark_from_ms = start_at_ms
),
scan as (
  select carry.at_ms, sha256(string_agg(
      int4send(carry.usage_key) || int8send(carry.runs) || int8send(carry.milli_gpus), ''::bytea
      order by carry.usage_key)) as carry_digest
  from (select array_agg(start_at_ms order by start_at_ms) as instants from seed) seeds
  cross join lateral carry_at(seeds.instants) carry
  group by carry.at_ms
),
compared as (
  select seed.*, coalesce(scan.carry_digest, sha256('')) as now_is
  from seed left join scan on scan.at_ms = seed.start_at_ms
)
select start_at_ms, end_at_ms, label, encode(carry_in_digest, 'hex') as built_from, encode(now_is, 'hex') as now_is
from compared
where now_is <> carry_in_digest
order by start_at_ms

-- name: coarse-with-other-parts
select p.granularity, p.start_at_ms, p.end_at_ms, p.label, encode(parts.inputs_digest, 'hex') as now_is
from period p
cross join lateral (
  select sha256(coalesce(string_agg(
    int8send(c.start_at_ms) || int8send(c.end_at_ms) || c.digest, ''::bytea order by c.start_at_ms), ''))
    as inputs_digest
  from period c
  where c.granularity = case p.granularity when 'day' then 'hour' else 'day' end
    and c.start_at_ms >= p.start_at_ms and c.start_at_ms < p.end_at_ms and c.end_at_ms <= p.end_at_ms
) parts
where p.granularity <> 'hour' and p.inputs_digest <> parts.inputs_digest
order by p.start_at_ms

-- Failures that are newer than what the ledger holds for that period, the newest of each.
-- name: failures
select distinct on (f.granularity, f.start_at_ms)
  f.granularity, f.start_at_ms, f.label, f.at_ms, f.code, f.sqlstate, f.detail
from period_failure f
left join period p on p.granularity = f.granularity and p.start_at_ms = f.start_at_ms
where p.aggregated_at_ms is null or p.aggregated_at_ms < f.at_ms
order by f.granularity, f.start_at_ms, f.at_ms desc

-- name: insert-failure
insert into period_failure (granularity, start_at_ms, label, at_ms, code, sqlstate, detail, workflow_id, run_id)
values ($1, $2, $3, floor(extract(epoch from clock_timestamp()) * 1000)::bigint, $4, $5, $6, $7, $8)
