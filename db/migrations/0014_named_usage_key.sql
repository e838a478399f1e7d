-- What people call a usage key: the names of its user, space and pool, as they are now.
create view named_usage_key as
select k.id, u.name as user_name, s.name as space_name, p.name as pool_name
from usage_key k
join dim_user u on u.id = k.user_id
join dim_space s on s.id = k.space_id
join dim_pool p on p.id = k.pool_id;
