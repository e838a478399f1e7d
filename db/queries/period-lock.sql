-- name: lock
select pg_advisory_xact_lock($1, $2)

-- name: held
select classid::bigint::integer as lock_class, objid::bigint as minute
from pg_locks
where locktype = 'advisory' and objsubid = 2 and granted
  and database = (select oid from pg_database where datname = current_database())
  and classid::bigint between $1::integer and $2::integer
