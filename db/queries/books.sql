-- name: read-books
select name, zone, minimum_run_ms, origin_at_ms, is_demo, opened_at_ms from books

-- name: insert-books
insert into books (name, zone, minimum_run_ms, is_demo, opened_at_ms)
values ($1, $2, $3, $4, $5)
on conflict do nothing

-- name: database-now
select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms

-- name: lock-origin
select origin_at_ms from books for update

-- name: set-origin
update books set origin_at_ms = $1

-- name: mark-from-start
update period set mark_from_ms = start_at_ms where granularity = 'hour' and start_at_ms = $1

-- name: runs-started-before
select count(*) as runs from run where started_at_ms < $1

-- name: first-run
select min(started_at_ms) as started_at_ms from run
