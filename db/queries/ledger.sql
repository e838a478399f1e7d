-- What the ledger says about itself: ranges, stale periods, failures. Staleness is a comparison over all rows of the
-- ledger (ledger.md P1), never a flag.

-- Where periods of a granularity do not follow one another (a range begins: nothing ends where it starts; or ends:
-- nothing starts where it ends), and where hours do, but the later one was built from another carry. One look at the
-- ledger, however many questions it answers.
-- name: seams
select coalesce(p.granularity, previous.granularity) as granularity, previous.end_at_ms as previous_end_at_ms,
  p.start_at_ms, p.end_at_ms, p.label, p.mark_from_ms,
  encode(p.carry_in_digest, 'hex') as built_from, encode(previous.carry_out_digest, 'hex') as now_is
from period p
full join period previous on previous.granularity = p.granularity and previous.end_at_ms = p.start_at_ms
where p.start_at_ms is null or previous.end_at_ms is null or previous.carry_out_digest <> p.carry_in_digest
order by granularity, coalesce(p.start_at_ms, previous.end_at_ms)

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

-- Rule A7, made stronger: of hours after a hole (their starts, ascending, and the digest of the carry that they were built
-- from) those whose carry from the runs is another one now. A run may reach across the hole without a mark in it, so
-- the carry is read whether marks lie there or not.
-- name: changed-after-holes
with seed as materialized (
  select start_at_ms, built_from from unnest($1::bigint[], $2::text[]) given (start_at_ms, built_from)
),
scan as (
  select carry.at_ms, sha256(string_agg(
      int4send(carry.usage_key) || int8send(carry.runs) || int8send(carry.milli_gpus), ''::bytea
      order by carry.usage_key)) as carry_digest
  from carry_at($1) carry
  group by carry.at_ms
),
compared as (
  select seed.*, encode(coalesce(scan.carry_digest, sha256('')), 'hex') as now_is
  from seed left join scan on scan.at_ms = seed.start_at_ms
)
select start_at_ms, now_is from compared where now_is <> built_from order by start_at_ms

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
