-- Memberships: dated history of who belongs to which space.

-- Two writers would both find no overlap: the second waits here until the first has committed. Readers do not wait.
-- name: lock-memberships
lock table membership in share row exclusive mode

-- name: add-users
insert into dim_user (name)
select distinct given.name from unnest($1::text[]) given (name)
where not exists (select from dim_user known where known.name = given.name)
order by 1
on conflict do nothing

-- name: add-spaces
insert into dim_space (name)
select distinct given.name from unnest($1::text[]) given (name)
where not exists (select from dim_space known where known.name = given.name)
order by 1
on conflict do nothing

-- name: entered
select m.id, u.name as user_name, s.name as space_name, m.from_at_ms, m.to_at_ms
from membership m
join dim_user u on u.id = m.user_id
join dim_space s on s.id = m.space_id
where s.name = any ($1) and u.name = any ($2)
order by m.from_at_ms

-- An end of 0 stands for none: arrays of parameters hold no nulls.
-- name: insert-memberships
insert into membership (user_id, space_id, from_at_ms, to_at_ms)
select u.id, s.id, given.from_at_ms, nullif(given.to_at_ms, 0)
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
  given (user_name, space_name, from_at_ms, to_at_ms)
join dim_user u on u.name = given.user_name
join dim_space s on s.name = given.space_name

-- name: end-memberships
update membership m set to_at_ms = given.to_at_ms
from unnest($1::bigint[], $2::bigint[]) given (id, to_at_ms)
where m.id = given.id

-- name: delete-memberships
delete from membership where id = any ($1)

-- Members at some instant of [$3, $4). Names become ids first: a filter on ids goes into the view, one on names does not.
-- name: members
select s.name as space_name, u.name as user_name, m.from_at_ms, m.to_at_ms, m.is_inferred
from space_member m
join dim_space s on s.id = m.space_id
join dim_user u on u.id = m.user_id
where ($1::text is null or m.space_id = (select id from dim_space where name = $1))
  and ($2::text is null or m.user_id = (select id from dim_user where name = $2))
  and m.from_at_ms < $4 and (m.to_at_ms is null or m.to_at_ms > $3)
