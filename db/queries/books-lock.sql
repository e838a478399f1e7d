-- name: share
select pg_advisory_xact_lock_shared($1, 0)

-- name: exclude
select pg_advisory_xact_lock($1, 0)

-- name: hold-import
select pg_advisory_lock($1, $2)

-- name: try-import
select pg_try_advisory_xact_lock($1, $2) as is_free

-- name: await-import
select pg_advisory_xact_lock($1, $2)

-- name: try-turn
select pg_try_advisory_lock($1, 0) as is_free

-- name: await-turn
select pg_advisory_lock($1, 0)
