-- Who belongs to which space, and when. Nothing about members is aggregated: reports compute from these dates.

-- Half-open: a member in [from_at_ms, to_at_ms), to_at_ms null = until further notice. A user may be in several spaces.
create table membership (
  id bigint generated always as identity primary key,
  user_id integer not null references dim_user,
  space_id integer not null references dim_space,
  from_at_ms bigint not null check (from_at_ms >= 631152000000),
  to_at_ms bigint check (to_at_ms < 4133980800000),
  check (to_at_ms > from_at_ms),
  -- Numbers as ranges of one: with them GiST needs no extension.
  constraint membership_overlap exclude using gist (
    int4range(space_id, space_id, '[]') with &&,
    int4range(user_id, user_id, '[]') with &&,
    int8range(from_at_ms, to_at_ms) with &&
  )
);

-- All members with their dates. Those of a space for which none was entered are inferred: its users, each from the start
-- of the first run there; the space '-' stands for none. Runs are read once, grouped by one number and joined afterwards,
-- whatever the statistics say (joined first, 4 million took 0.7 to 10 s); not at all when every space has entered members.
create view space_member as
with inferring as materialized (
  select k.id, k.space_id, k.user_id
  from usage_key k
  where not exists (select from membership m where m.space_id = k.space_id)
    and k.space_id <> coalesce((select id from dim_space where name = '-'), 0)
), first_run as materialized (
  select usage_key, min(started_at_ms) as at_ms
  from run
  where exists (select from inferring)
  group by usage_key
)
select space_id, user_id, from_at_ms, to_at_ms, false as is_inferred
from membership
union all
select k.space_id, k.user_id, min(f.at_ms), null, true
from inferring k
join first_run f on f.usage_key = k.id
group by k.space_id, k.user_id;

-- The daily snapshot: who was a member on each day that has been aggregated, for how long, and whether at its end.
create view membership_day as
select p.label as day, p.start_at_ms, p.end_at_ms, s.name as space_name, u.name as user_name,
  m.is_inferred,
  isum(least(coalesce(m.to_at_ms, p.end_at_ms), p.end_at_ms) - greatest(m.from_at_ms, p.start_at_ms))
    as member_ms,
  bool_or(m.to_at_ms is null or m.to_at_ms >= p.end_at_ms) as is_member_at_end
from period p
join space_member m
  on m.from_at_ms < p.end_at_ms and (m.to_at_ms is null or m.to_at_ms > p.start_at_ms)
join dim_space s on s.id = m.space_id
join dim_user u on u.id = m.user_id
where p.granularity = 'day'
group by p.label, p.start_at_ms, p.end_at_ms, s.name, u.name, m.is_inferred;
