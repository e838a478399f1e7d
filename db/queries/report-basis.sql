-- The ledger's periods in spans of one granularity each, with the digests of what they hold.
-- name: ledger-periods
select p.granularity, p.label, p.start_at_ms, p.end_at_ms, encode(p.digest, 'hex') as digest
from unnest($1::text[], $2::bigint[], $3::bigint[]) piece (granularity, start_at_ms, end_at_ms)
join period p on p.granularity = piece.granularity
  and p.start_at_ms >= piece.start_at_ms and p.start_at_ms < piece.end_at_ms
order by p.start_at_ms, p.granularity
