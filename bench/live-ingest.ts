/** Runs as they arrive, some in a statement: how long storing them takes, with and without what guards them. */
import type { Setup } from './bench.js';
import { clientCost, type Cost } from './cost.js';
import { storeNames } from './run-data.js';
import type { StageDatabase } from './stage.js';

/** What a row of the table costs more than its keys. */
export type Guard = 'everything' | 'no marks' | 'keys only';
/** Starts of running runs as they happen, or runs that have ended within two hours. */
export type Pattern = 'starts' | 'finished';

/** 100 million a day. */
const RUNS_A_SECOND = 1_157;
const KEYS = 6_000;
const START_AT_MS = Date.UTC(2025, 0, 1);

const INSERT = (table: string): string => `
  insert into ${table} (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select 1, key, key, usage_key, milli_gpus, started_at_ms, ended_at_ms, started_at_ms
  from unnest($1::text[], $2::integer[], $3::integer[], $4::bigint[], $5::bigint[])
    arrived (key, usage_key, milli_gpus, started_at_ms, ended_at_ms)`;

/** Arrays of the columns of runs number `from` to `from + count`. */
function arrivals(from: number, count: number, pattern: Pattern): unknown[][] {
  const columns: unknown[][] = [[], [], [], [], []];
  for (let n = from; n < from + count; n += 1) {
    // A multiplier without common factors spreads keys and lengths; the same n gives the same run.
    const draw = Math.imul(n, 2_654_435_761) >>> 0;
    const startedAtMs = START_AT_MS + Math.floor((n * 1_000) / RUNS_A_SECOND);
    columns[0]?.push(String(n));
    columns[1]?.push((draw % KEYS) + 1);
    columns[2]?.push((draw % 9) * 1_000);
    columns[3]?.push(startedAtMs);
    columns[4]?.push(pattern === 'starts' ? null : startedAtMs + (draw % 7_200_000));
  }
  return columns;
}

/** An empty table of runs with names, for arrivals; `run_keys` has the keys of `run` and nothing else. */
export async function ingestBooks({ stage }: Setup): Promise<StageDatabase> {
  return stage.database('ingest', async ({ client }) => {
    await storeNames(client, KEYS / 3);
    await client.query('create table run_keys (like run including defaults including identity)');
    await client.query('alter table run_keys add primary key (id)');
    await client.query('alter table run_keys add unique (source, record_key)');
    await client.query('analyze');
  });
}

/** How many runs arrived before. */
async function arrivedIn({ client }: StageDatabase): Promise<number> {
  const { rows } = await client.query<{ runs: string }>(
    'select (select count(*) from run) + (select count(*) from run_keys) as runs',
  );
  return Number(rows[0]?.runs);
}

/** Stores `count` runs that no other call stores, `aStatement` in each statement, which commits alone. */
export async function ingest(
  set: StageDatabase,
  request: { count: number; aStatement: number; guard: Guard; pattern: Pattern },
): Promise<Cost> {
  const { client } = set;
  const { count, aStatement, guard, pattern } = request;
  const arrived = await arrivedIn(set);
  const batches = Array.from({ length: Math.ceil(count / aStatement) }, (_, at) => {
    const from = arrived + at * aStatement;
    return arrivals(from, Math.min(aStatement, count - at * aStatement), pattern);
  });
  const query = {
    name: `arrive ${guard}`,
    text: INSERT(guard === 'keys only' ? 'run_keys' : 'run'),
  };
  if (guard === 'no marks') await client.query('alter table run disable trigger run_inserted');
  const cost = await clientCost(client, async () => {
    for (const values of batches) await client.query({ ...query, values });
  });
  if (guard === 'no marks') {
    await client.query('alter table run enable always trigger run_inserted');
  }
  return cost;
}
