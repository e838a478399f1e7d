-- Closing an hour reads four columns of the runs that started in it: from the index alone they cost a third less.
drop index run_started;
create index run_started on run (started_at_ms) include (ended_at_ms, usage_key, milli_gpus);
