-- Books: one set of accounts per database, and the names that its rows point to.

-- sum() of bigint gives numeric; this one keeps bigint and raises 22003 on overflow.
create aggregate isum(bigint) (
  sfunc = int8pl, stype = bigint, initcond = '0', combinefunc = int8pl, parallel = safe
);

create table books (
  only_row boolean primary key default true check (only_row),
  name text not null,
  zone text not null,
  minimum_run_ms bigint not null check (minimum_run_ms >= 0),
  -- Nothing that ends at or before it is expected; null until the first tick or backfill.
  origin_at_ms bigint check (origin_at_ms % 60000 = 0),
  is_demo boolean not null,
  opened_at_ms bigint not null
);

create table source (
  id integer generated always as identity primary key,
  name text not null unique
);

create table dim_user (
  id integer generated always as identity primary key,
  name text not null unique
);

create table dim_space (
  id integer generated always as identity primary key,
  name text not null unique
);

create table dim_pool (
  id integer generated always as identity primary key,
  name text not null unique
);

-- Who is charged for what: rows of runs and usage point here, so a rename touches one row.
create table usage_key (
  id integer generated always as identity primary key,
  user_id integer not null references dim_user,
  space_id integer not null references dim_space,
  pool_id integer not null references dim_pool,
  unique (user_id, space_id, pool_id)
);
