-- Backfills: ranges that an operator asked for. What they did is in the ledger; this says what they are for.

create table backfill (
  name text primary key,
  start_at_ms bigint not null check (start_at_ms % 60000 = 0),
  end_at_ms bigint not null check (end_at_ms % 60000 = 0),
  lanes integer not null check (lanes between 1 and 16),
  reprocess text not null check (reprocess in ('missing', 'stale', 'all')),
  created_at_ms bigint not null,
  hours_built bigint not null default 0,
  periods_built bigint not null default 0,
  periods_failed bigint not null default 0,
  paused_at_ms bigint,
  cancelled_at_ms bigint,
  ended_at_ms bigint,
  outcome text check (outcome in ('completed', 'completed with failures', 'cancelled', 'failed')),
  check (end_at_ms > start_at_ms)
);
