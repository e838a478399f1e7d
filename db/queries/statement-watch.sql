-- name: own-start
-- Exact, and the same text in every session, whatever its zone and style of dates are.
select extract(epoch from backend_start)::text as started_at
from pg_stat_get_activity(pg_backend_pid())

-- name: backend
-- A pid is given again; with the start it names one backend. Without track_activities the state says nothing, and what
-- the backend waits for must do.
select coalesce(state not like 'idle%', false) as is_working,
  coalesce(wait_event_type = 'Client', false) as awaits_client
from pg_stat_activity
where pid = $1 and ($2::text is null or extract(epoch from backend_start)::text = $2)
