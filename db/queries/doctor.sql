-- The settings of the server on which it depends whether a commit is still there after a crash.

-- name: server-settings
select current_setting('server_version') as version,
  current_setting('server_version_num')::integer as version_number,
  current_setting('fsync') as fsync,
  current_setting('full_page_writes') as full_page_writes,
  current_setting('synchronous_commit') as synchronous_commit
