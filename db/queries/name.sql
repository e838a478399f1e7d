-- name: lock
select name from dim_{noun} where name in ($1, $2) order by name for update

-- name: rename
update dim_{noun} set name = $2 where name = $1

-- name: keep-former
insert into former_name (noun, name, id, batch)
select '{noun}', $1, id, $3 from dim_{noun} where name = $2
on conflict do nothing

-- name: forget-former
delete from former_name where batch = $1

-- name: find-rename
-- Whom a rename renamed, and the first later batch that gave one of their runs its content.
select d.name as present, (
    select min(r.batch) from run r join usage_key k on k.id = r.usage_key
    where k.{noun}_id = d.id and r.batch > $1
  ) as given_since
from former_name f join dim_{noun} d on d.id = f.id
where f.batch = $1 and f.noun = '{noun}'
