-- Staging of imports: everything that an input says is judged before anything of it is applied.

-- The mold of the temporary table of the same name that each import makes on its own connection; never holds a row.
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

-- How much a record knows of its end: 0 = still running, 1 = an end that was assumed, 2 = one that was reported.
create function end_certainty(ended_at_ms bigint, end_is_estimated boolean) returns integer
language sql immutable as $$
  select case when ended_at_ms is null then 0 when end_is_estimated then 1 else 2 end
$$;
