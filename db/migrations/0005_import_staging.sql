-- Staging of imports: everything that an input says is judged before anything of it is applied.

-- Molds of the temporary tables of the same names that each import makes on its own connection; they never hold a
-- row themselves.
create table staged_record (
  line bigint not null,
  -- run: counts; repeated: the same content as another line of its key; set-aside and rejected: see code.
  outcome text not null,
  -- The rule of a set-aside record, the error code of a rejected one.
  code text,
  detail text,
  record text not null,
  source text,
  record_key text,
  job_id text,
  attempt integer,
  user_name text,
  space_name text,
  pool_name text,
  milli_gpus integer,
  started_at_ms bigint,
  ended_at_ms bigint,
  reported_ended_at_ms bigint,
  end_is_estimated boolean,
  facts jsonb,
  constraint mold_only check (false)
);

-- The staged runs with the ids of their names, in the order in which they are applied.
create table staged_run (
  place bigint not null,
  line bigint not null,
  source integer not null,
  record_key text not null,
  job_id text not null,
  attempt integer not null,
  usage_key integer not null,
  milli_gpus integer not null,
  started_at_ms bigint not null,
  ended_at_ms bigint,
  reported_ended_at_ms bigint,
  end_is_estimated boolean not null,
  constraint mold_only check (false)
);

-- How much a record knows of its end: 0 = still running, 1 = an end that was assumed, 2 = one that was reported.
create function end_certainty(ended_at_ms bigint, end_is_estimated boolean) returns integer
language sql immutable as $$
  select case when ended_at_ms is null then 0 when end_is_estimated then 1 else 2 end
$$;
