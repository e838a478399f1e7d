-- Audits: what a deep check of the books found. Rows of the ledger that were damaged by hand are found here, because
-- staleness is a comparison of digests and cannot see rows that no longer fit their own digest.

create table audit (
  id bigint generated always as identity primary key,
  began_at_ms bigint not null,
  ended_at_ms bigint not null,
  asked_by text not null check (asked_by in ('schedule', 'command')),
  -- Periods of each granularity that were asked for at most; null: all that were good.
  sample integer check (sample >= 1),
  -- What drew the sample: the same seed and the same good periods give the same sample.
  seed bigint not null,
  -- The range that was asked for; null: open.
  from_at_ms bigint,
  to_at_ms bigint,
  periods_checked bigint not null check (periods_checked >= 0),
  -- Over, but missing, stale or changed meanwhile: readers compute them from the runs.
  periods_not_judged bigint not null check (periods_not_judged >= 0),
  -- Those of them that are in the ledger: damage may hide there until they are built again.
  stale_not_judged bigint not null check (stale_not_judged between 0 and periods_not_judged),
  -- Periods with a finding.
  periods_wrong bigint not null check (periods_wrong >= 0),
  -- The first findings: [{ granularity, startAtMs, label, code, detail, mend }].
  findings jsonb not null,
  check (ended_at_ms >= began_at_ms)
);
