-- name: backend
-- A pid is given again after a while, after a restart soon: only a backend that is older than the statement can be at
-- work on it. Without track_activities the state says nothing, and what the backend waits for must do.
select coalesce(state not like 'idle%', false) as is_working,
  coalesce(wait_event_type = 'Client', false) as awaits_client
from pg_stat_activity
where pid = $1 and backend_start <= clock_timestamp() - $2::bigint * interval '1 ms'
