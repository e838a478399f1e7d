-- Runs, where they came from, and the marks that their changes leave.

create table import_batch (
  id bigint generated always as identity primary key,
  format text not null,
  input_name text not null,
  actor text not null,
  started_at_ms bigint not null,
  -- Null until every record of it was applied.
  applied_at_ms bigint,
  counts jsonb not null default '{}'
);

create table rejected_record (
  id bigint generated always as identity primary key,
  batch bigint not null references import_batch,
  line bigint not null,
  code text not null,
  detail text not null,
  record text not null,
  at_ms bigint not null,
  dismissed_at_ms bigint,
  dismissed_reason text
);
create index rejected_record_open on rejected_record (batch) where dismissed_at_ms is null;

-- Half-open: a run holds its GPUs in [started_at_ms, ended_at_ms).
create table run (
  id bigint generated always as identity primary key,
  source integer not null references source,
  record_key text not null,
  job_id text not null,
  attempt integer not null default 0,
  part integer not null default 0,
  usage_key integer not null references usage_key,
  milli_gpus integer not null check (milli_gpus between 0 and 100000000),
  started_at_ms bigint not null check (started_at_ms >= 631152000000),
  ended_at_ms bigint check (ended_at_ms >= started_at_ms and ended_at_ms < 4133980800000),
  reported_ended_at_ms bigint,
  end_is_estimated boolean not null default false,
  seen_at_ms bigint not null,
  batch bigint references import_batch,
  unique (source, record_key)
);
create index run_started on run (started_at_ms);
-- Only runs that cross a minute can end in a period in which they did not start.
create index run_ended_elsewhere on run (ended_at_ms)
  include (started_at_ms, usage_key, milli_gpus)
  where started_at_ms / 60000 <> ended_at_ms / 60000;
-- Every report says how many runs of its window the minimum lengthened.
create index run_lengthened on run (started_at_ms) include (ended_at_ms, reported_ended_at_ms, usage_key)
  where ended_at_ms > reported_ended_at_ms;

-- What else the source said, word for word: once the source has purged it nobody can get it again.
create table run_detail (
  run bigint primary key references run on delete cascade,
  facts jsonb not null
);

-- Former values of a changed or removed run.
create table run_history (
  id bigint generated always as identity primary key,
  run bigint not null,
  former jsonb not null,
  change text not null check (change in ('corrected', 'ended', 'removed')),
  batch bigint references import_batch,
  actor text not null,
  at_ms bigint not null,
  reason text not null
);
create index run_history_run on run_history (run);

-- Marks: minutes at which usage changed, appended by the transaction that changed it (ledger.md W1, W2).
create table usage_change (minute bigint not null);
create index usage_change_minute on usage_change (minute);
alter table usage_change set (
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 10000,
  vacuum_truncate = off
);

create function mark_inserted_runs() returns trigger language plpgsql as $$
begin
  insert into usage_change (minute)
  select distinct edge.minute
  from added
  cross join lateral (
    values (added.started_at_ms / 60000), (added.ended_at_ms / 60000)
  ) edge (minute)
  where edge.minute is not null;
  return null;
end $$;

create function mark_deleted_runs() returns trigger language plpgsql as $$
begin
  insert into usage_change (minute)
  select distinct edge.minute
  from removed
  cross join lateral (
    values (removed.started_at_ms / 60000), (removed.ended_at_ms / 60000)
  ) edge (minute)
  where edge.minute is not null;
  return null;
end $$;

-- A moved edge marks its old and its new minute, compared by the ms. Another key or other GPUs mark both
-- edges of both versions: a swap of two keys leaves the carry equal and would stop the chain (B5).
create function mark_updated_runs() returns trigger language plpgsql as $$
begin
  insert into usage_change (minute)
  select distinct edge.minute
  from (
    select
      o.started_at_ms / 60000 as old_start, n.started_at_ms / 60000 as new_start,
      o.ended_at_ms / 60000 as old_end, n.ended_at_ms / 60000 as new_end,
      (o.id is null or n.id is null or o.usage_key <> n.usage_key or o.milli_gpus <> n.milli_gpus)
        as key_changed,
      o.started_at_ms is distinct from n.started_at_ms as start_moved,
      o.ended_at_ms is distinct from n.ended_at_ms as end_moved
    from removed o full join added n using (id)
  ) change
  cross join lateral (
    values
      (old_start, key_changed or start_moved), (new_start, key_changed or start_moved),
      (old_end, key_changed or end_moved), (new_end, key_changed or end_moved)
  ) edge (minute, changed)
  where edge.changed and edge.minute is not null;
  return null;
end $$;

create function refuse_truncate() returns trigger language plpgsql as $$
begin
  raise exception 'TRUNCATE of % leaves no marks; delete the rows', tg_table_name
    using errcode = 'feature_not_supported';
end $$;

create trigger run_inserted after insert on run
  referencing new table as added for each statement execute function mark_inserted_runs();
create trigger run_deleted after delete on run
  referencing old table as removed for each statement execute function mark_deleted_runs();
create trigger run_updated after update on run
  referencing old table as removed new table as added
  for each statement execute function mark_updated_runs();
create trigger run_truncated before truncate on run
  for each statement execute function refuse_truncate();
create trigger usage_change_truncated before truncate on usage_change
  for each statement execute function refuse_truncate();

-- ALWAYS: a session with session_replication_role = replica must mark too (W4).
alter table run enable always trigger run_inserted;
alter table run enable always trigger run_deleted;
alter table run enable always trigger run_updated;
alter table run enable always trigger run_truncated;
alter table usage_change enable always trigger usage_change_truncated;
