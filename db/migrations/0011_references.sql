-- Runs come by the million, and a foreign key asks for each row. What they guaranteed is asked once for each statement.

alter table run
  drop constraint run_source_fkey,
  drop constraint run_usage_key_fkey,
  drop constraint run_batch_fkey;
alter table run_detail drop constraint run_detail_run_fkey;

-- The scalar queries are looked up by index for each different value, whatever plan was made for another statement.
create function require_known_references() returns trigger language plpgsql as $$
declare missing text;
begin
  select format('%s %s', kind, id) into missing
  from (
    select 'source' as kind, a.source as id from (select distinct source from added) a
    where (select s.id from source s where s.id = a.source) is null
    union all
    select 'usage key', a.usage_key from (select distinct usage_key from added) a
    where (select k.id from usage_key k where k.id = a.usage_key) is null
    union all
    select 'batch', a.batch from (select distinct batch from added where batch is not null) a
    where (select b.id from import_batch b where b.id = a.batch) is null
  ) reference
  limit 1;
  if missing is not null then
    raise exception 'a run refers to %, which does not exist', missing
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;

create trigger run_references_inserted after insert on run
  referencing new table as added for each statement execute function require_known_references();
create trigger run_references_updated after update on run
  referencing new table as added for each statement execute function require_known_references();

create function require_known_runs() returns trigger language plpgsql as $$
begin
  if exists (
    select from added a where (select r.id from run r where r.id = a.run) is null
  ) then
    raise exception 'a detail refers to a run that does not exist'
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger run_detail_references after insert on run_detail
  referencing new table as added for each statement execute function require_known_runs();

create function delete_run_details() returns trigger language plpgsql as $$
begin
  delete from run_detail d using removed r where d.run = r.id;
  return null;
end $$;
create trigger run_details_deleted after delete on run
  referencing old table as removed for each statement execute function delete_run_details();

-- Names are for ever: no run, and no figure of any period, loses its own. So no run can come while its name goes.
create function refuse_delete() returns trigger language plpgsql as $$
begin
  raise exception 'rows of % are never deleted: runs and figures refer to them', tg_table_name
    using errcode = 'foreign_key_violation';
end $$;
create trigger source_deleted before delete or truncate on source
  for each statement execute function refuse_delete();
create trigger usage_key_deleted before delete or truncate on usage_key
  for each statement execute function refuse_delete();

create function require_no_runs() returns trigger language plpgsql as $$
begin
  if exists (select from removed b join run r on r.batch = b.id) then
    raise exception 'runs have their content from this batch: undo it'
      using errcode = 'foreign_key_violation';
  end if;
  return null;
end $$;
create trigger import_batch_deleted after delete on import_batch
  referencing old table as removed for each statement execute function require_no_runs();

alter table run enable always trigger run_references_inserted;
alter table run enable always trigger run_references_updated;
alter table run enable always trigger run_details_deleted;
