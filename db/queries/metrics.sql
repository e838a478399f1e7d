-- What the gauges of a worker need beside the ledger (db/ledger-store.ts).

-- Wrong periods stay wrong until somebody mends them, but a later sample may miss them: so the worst audit since the
-- newest one of all periods counts, and only a complete audit without findings says that all is well again.
-- name: newest-audit
select
  (select max(ended_at_ms) from audit) as ended_at_ms,
  coalesce(max(periods_wrong), 0) as periods_wrong
from audit
where id >= coalesce((
  select max(id) from audit where sample is null and from_at_ms is null and to_at_ms is null
), 0)

-- name: marks-waiting
select count(*) as marks from usage_change
