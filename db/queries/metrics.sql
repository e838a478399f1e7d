-- What the gauges of a worker need beside the ledger (db/ledger-store.ts).

-- name: marks-waiting
select count(*) as marks from usage_change
