/**
 * Data sets: runs made by SQL from a seed, the same on every machine. Owns their shape (starts spread evenly and stored
 * in order, log-normal durations, few users with most runs); the databases are stage.ts.
 */
import type pg from 'pg';
import type { Span } from '../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../domain/units.js';
import type { StageDatabase } from './stage.js';

export interface RunData {
  readonly runs: number;
  readonly days: number;
  /** Of the log-normal distribution, before it is cut at 14 days. */
  readonly meanMs: number;
  /** Spread of the logarithm of durations: 2.2 is what clusters report (median 5 minutes of a mean of 54). */
  readonly sigma: number;
  readonly users: number;
}

/** Durations of an ordinary cluster. */
export const ORDINARY = { meanMs: 54 * MS_PER_MINUTE, sigma: 2.2, users: 2_000 } as const;

const START_AT_MS = Date.UTC(2025, 0, 1);
const SPACES = 50;
const SPACES_OF_A_USER = 3;
const LONGEST_MS = 14 * MS_PER_DAY;
/** One in a thousand starts and ends in the same millisecond. */
const ZERO_LENGTH = 0.001;

/** From the first possible start to the end of what is measured. A run that ends later is still running. */
export function spanOf({ days }: RunData): Span {
  return { startAtMs: START_AT_MS, endAtMs: START_AT_MS + days * MS_PER_DAY };
}

/** The start of an hour about `part` (0 to 1) into the span. */
export function hourAt(data: RunData, part: number): number {
  const { startAtMs, endAtMs } = spanOf(data);
  const hours = Math.floor(((endAtMs - startAtMs) / MS_PER_HOUR) * part);
  return startAtMs + hours * MS_PER_HOUR;
}

const STORE_NAMES = `
  with added_source as (insert into source (name) values ('bench')),
  added_pool as (insert into dim_pool (name) values ('gpu')),
  added_users as (
    insert into dim_user (name) select 'user' || n from generate_series(1, $1::integer) n order by n
  )
  insert into dim_space (name) select 'space' || n from generate_series(1, ${SPACES}) n order by n`;

/** Key (user - 1) * 3 + c + 1 is the user's space number c. */
const STORE_KEYS = `
  insert into usage_key (user_id, space_id, pool_id)
  select u, (u * 7 + c * 13) % ${SPACES} + 1, 1
  from generate_series(1, $1::integer) u cross join generate_series(0, ${SPACES_OF_A_USER - 1}) c
  order by u, c`;

/**
 * Numbers ($1, $2] of $3 runs. Box-Muller makes the durations. The draws are materialized, so that each is drawn once and
 * in the same order.
 */
const STORE_RUNS = `
  with drawn as materialized (
    select n, random() as at, random() as a, random() as b, random() as who, random() as space,
      random() as gpus, random() as zero
    from generate_series($1::integer + 1, $2::integer) n
  ), timed as (
    select drawn.*,
      $4::bigint + floor((n - at) / $3::integer * $5::double precision)::bigint as started_at_ms,
      case when zero < ${ZERO_LENGTH} then 0
        else least(${LONGEST_MS}, floor(exp($6::double precision
          + $7::double precision * sqrt(-2 * ln(1 - a)) * cos(2 * pi() * b)))::bigint) end as run_ms
    from drawn
  )
  insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms,
    reported_ended_at_ms, seen_at_ms)
  select 1, n, n,
    floor($8::integer * who * who)::integer * ${SPACES_OF_A_USER}
      + floor(${SPACES_OF_A_USER} * space)::integer + 1,
    1000 * (array[0, 1, 1, 1, 1, 2, 4, 8, 8, 64])[floor(10 * gpus)::integer + 1],
    started_at_ms, ended.at_ms, ended.at_ms, started_at_ms
  from timed
  cross join lateral (
    select case when started_at_ms + run_ms < $4::bigint + $5::bigint then started_at_ms + run_ms end as at_ms
  ) ended
  order by n`;

/** Names for as many users, each with three usage keys: numbers 1 to 3 * users. */
export async function storeNames(client: pg.Client, users: number): Promise<void> {
  await client.query(STORE_NAMES, [users]);
  await client.query(STORE_KEYS, [users]);
}

const RUNS_A_STATEMENT = 100_000;

/** Stores the data set in empty books, as records arrive: in order of their starts, with all marks and indexes. */
export async function storeRuns({ client }: StageDatabase, data: RunData): Promise<void> {
  const { runs, meanMs, sigma, users } = data;
  const { startAtMs, endAtMs } = spanOf(data);
  const mu = Math.log(meanMs) - sigma ** 2 / 2;
  await storeNames(client, users);
  for (let after = 0; after < runs; after += RUNS_A_STATEMENT) {
    const through = Math.min(runs, after + RUNS_A_STATEMENT);
    await client.query('select setseed($1)', [after / runs]);
    const values = [after, through, runs, startAtMs, endAtMs - startAtMs, mu, sigma, users];
    await client.query(STORE_RUNS, values);
  }
  await client.query('update books set origin_at_ms = $1', [startAtMs]);
  await client.query('vacuum (analyze, freeze) run, usage_change, usage_key');
  await client.query('checkpoint');
}
