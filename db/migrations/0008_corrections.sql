-- Corrections in hand: imports that can be undone, runs that were voided or corrected by hand, renamed users and spaces.
-- Each such act is a row of import_batch, so that one list shows everything that changed the books.

alter table import_batch
  -- Null: an import.
  add column act text check (act in (
    'undo', 'void', 'correct', 'close-unseen', 'rename-user', 'rename-space', 'dismiss'
  )),
  add column reason text,
  -- The import let records without an end replace ones with an end.
  add column reopen boolean not null default false,
  add column undoes bigint references import_batch,
  add column undone_by bigint references import_batch,
  -- sha256 of the input's bytes and of how they were read: who imports the same again finishes what was interrupted.
  add column content text,
  -- The zone in which its times were read; null: its keys have no time, so that they stay in every zone.
  add column read_as text,
  -- Runs to be applied, how many were, and where they lie.
  add column runs bigint not null default 0,
  add column applied_runs bigint not null default 0,
  add column first_at_ms bigint,
  add column last_at_ms bigint,
  add constraint manual_acts check ((format = 'manual') = (act is not null)),
  add constraint reasons check (act is null or reason is not null);

-- Imports leave runs alone that somebody corrected by hand.
alter table run add column pinned_by bigint references import_batch;
-- Runs whose content an import or act has given. Most lie where it put them, so a summary of the pages is enough.
create index run_batch on run using brin (batch) with (pages_per_range = 32);

-- What a change replaced names the batch that had given it: so a live row whose former content is of a batch is what
-- stands in the way of undoing that batch.
alter table run_history
  add column undone_by bigint references import_batch,
  add column former_batch bigint generated always as ((former ->> 'batch')::bigint) stored;
create index run_history_batch on run_history (batch) where undone_by is null;
create index run_history_former on run_history (former_batch) where undone_by is null;

-- What run_history keeps of a run: its row, and what else its source said. Without a sub-select, so that it is inlined.
create function run_content(r run, facts jsonb) returns jsonb language sql stable as $$
  select case when facts is null then to_jsonb(r)
    else to_jsonb(r) || jsonb_build_object('facts', facts) end
$$;

-- An import delivered a run word for word as a former batch had given it: the run stays when that one is undone.
-- As many rows as records that come again, so there are no foreign keys, which would cost more than the rows.
create table run_confirmation (
  run bigint not null,
  batch bigint not null,
  -- Whose content it confirmed.
  of_batch bigint,
  primary key (run, batch)
);

-- Runs removed by hand: what imports deliver under these keys is set aside.
create table voided_record (
  source integer not null references source,
  record_key text not null,
  batch bigint not null references import_batch,
  primary key (source, record_key)
);
create index voided_record_batch on voided_record (batch);

-- What imports delivered and what did not change the run; it counts when what stood in its way is undone.
create table withheld_record (
  source integer not null references source,
  record_key text not null,
  batch bigint not null references import_batch,
  -- KEPT: it knows less of the end than the run; PINNED: corrected by hand; VOIDED: removed by hand.
  rule text not null check (rule in ('KEPT', 'PINNED', 'VOIDED')),
  job_id text not null,
  attempt integer not null,
  usage_key integer not null references usage_key,
  milli_gpus integer not null,
  started_at_ms bigint not null,
  ended_at_ms bigint,
  reported_ended_at_ms bigint,
  end_is_estimated boolean not null,
  facts jsonb,
  primary key (source, record_key, batch)
);
create index withheld_record_batch on withheld_record (batch);

-- How far an import reached in each of its sources: an older run that it should have shown and did not is unseen.
create table import_source (
  source integer not null references source,
  batch bigint not null references import_batch,
  runs bigint not null,
  first_started_at_ms bigint not null,
  last_started_at_ms bigint not null,
  -- The latest start or end: the last instant that the import is known to know of.
  last_at_ms bigint not null,
  primary key (source, batch)
);
insert into import_source (source, batch, runs, first_started_at_ms, last_started_at_ms, last_at_ms)
select source, batch, count(*), min(started_at_ms), max(started_at_ms),
  max(greatest(started_at_ms, ended_at_ms))
from run where batch is not null
group by source, batch;

alter table rejected_record add column dismissed_by bigint references import_batch;

-- Names that users and spaces had before they were renamed: records that still come with one are theirs, unless it is
-- somebody's name again.
create table former_name (
  noun text not null check (noun in ('user', 'space')),
  name text not null,
  id integer not null,
  batch bigint not null references import_batch on delete cascade,
  primary key (noun, name, batch)
);

-- Mold of the temporary table of an undo: the runs whose present content the batch has given.
create table undone_run (
  run bigint not null,
  source integer not null,
  record_key text not null,
  -- What the batch replaced or removed; null: the run came with it.
  former jsonb,
  -- The oldest import that confirmed what the batch gave: the run is its from now on.
  heir bigint,
  constraint mold_only check (false)
);

-- Until when an open run is known to have run: from its start, for the time that its source had counted.
create function known_until(started_at_ms bigint, ended_at_ms bigint, facts jsonb) returns bigint
language sql immutable as $$
  select case when ended_at_ms is null and facts ->> 'elapsed_ms' ~ '^[0-9]{1,15}$'
    then started_at_ms + (facts ->> 'elapsed_ms')::bigint end
$$;

-- The import that showed a run last: that gave its content then or now, that confirmed it, or whose record of it was
-- withheld; and the last instant that it knows of in the run's source. Old dumps may come late: what counts is how far
-- an import reaches.
create function last_sighting(the_run bigint, the_source integer, the_key text, the_batch bigint)
returns table (batch bigint, last_at_ms bigint) language sql stable as $$
  select i.batch, i.last_at_ms
  from (
    select the_batch
    union all
    select h.former_batch from run_history h where h.run = the_run and h.undone_by is null
    union all
    select c.batch from run_confirmation c where c.run = the_run
    union all
    select w.batch from withheld_record w where w.source = the_source and w.record_key = the_key
  ) sighting (batch)
  join import_source i on i.source = the_source and i.batch = sighting.batch
  join import_batch b on b.id = i.batch and b.undone_by is null
  order by i.last_at_ms desc, i.batch desc limit 1
$$;
