-- What feeds have delivered: without it nobody can tell a day without jobs from a day without a feed.

-- Somebody declared that an import brought everything of a source that touches [from, to). It counts while the import does.
create table source_coverage (
  id bigint generated always as identity primary key,
  source integer not null references source,
  from_at_ms bigint not null,
  to_at_ms bigint not null,
  batch bigint not null references import_batch,
  check (to_at_ms > from_at_ms)
);
create index source_coverage_batch on source_coverage (batch);

-- Where a rejected record lies, as far as its times could be read.
alter table rejected_record add column started_at_ms bigint, add column ended_at_ms bigint;

-- Nothing is expected of the source from then on; null: it goes on.
alter table source add column ended_at_ms bigint;

alter table import_batch drop constraint import_batch_act_check;
alter table import_batch add constraint import_batch_act_check check (act in (
  'undo', 'void', 'correct', 'close-unseen', 'rename-user', 'rename-space', 'dismiss', 'end-source'
));
