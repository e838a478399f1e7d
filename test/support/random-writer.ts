/**
 * A writer of runs that chooses its edits by a seed: inserts, corrections of every kind, deletions and swaps, a few of
 * them in each transaction, with sleeps between them and now and then a rollback. Owns what writers do; who builds
 * meanwhile is the caller's.
 */
import type pg from 'pg';
import type { SeededRandom } from './seeded-random.js';

/** Where a writer's instants lie. */
export interface WriterScope {
  /** Ends of periods; many instants lie on them or 1 ms beside them. In time order, at least two. */
  readonly boundariesMs: readonly number[];
  /** Runs that have always been running begin here. */
  readonly longAgoMs: number;
  readonly usageKeys: readonly number[];
  /** Only runs that begin and end in it, so that carries stay as they are and no chain builds the later hours again. */
  readonly isLocal: boolean;
  /** Longest sleep inside a transaction. */
  readonly longestSleepMs: number;
}

export interface WriterCounts {
  transactions: number;
  rolledBack: number;
  /** Ended by PostgreSQL: two writers wanted the same rows. */
  lost: number;
  /** Rows inserted, changed and deleted, those of rolled back transactions too. */
  edits: number;
}

export const noWriterCounts = (): WriterCounts => ({
  transactions: 0,
  rolledBack: 0,
  lost: 0,
  edits: 0,
});

type Edit = readonly [text: string, values: unknown[]];
type Draw = (random: SeededRandom, scope: WriterScope) => Edit;

/** The rows that an edit takes: up to $2 of the runs with an edge in [$3, $4], or both when $5, chosen by the seed $1. */
const SOME = `id = any (array(
  select id from run
  where (started_at_ms between $3 and $4 and ended_at_ms between $3 and $4)
    or (not $5 and (started_at_ms between $3 and $4 or ended_at_ms between $3 and $4 or ended_at_ms is null))
  order by md5(id::text || $1) limit $2))`;

function chosen(random: SeededRandom, { boundariesMs, isLocal }: WriterScope): unknown[] {
  const seed = String(random.next());
  return [seed, random.integer(1, 3), boundariesMs[0], boundariesMs.at(-1), isLocal];
}

function instant(random: SeededRandom, { boundariesMs }: WriterScope): number {
  const boundary = random.pick(boundariesMs);
  if (random.chance(0.5)) return boundary + random.integer(-1, 1);
  return random.integer(boundariesMs[0] ?? boundary, boundariesMs.at(-1) ?? boundary);
}

const change =
  (set: string, more: (random: SeededRandom, scope: WriterScope) => unknown[] = () => []): Draw =>
  (random, scope) => [
    `update run set ${set} where ${SOME}`,
    [...chosen(random, scope), ...more(random, scope)],
  ];

const nudge = (random: SeededRandom): unknown[] => [random.integer(1, 500) * random.pick([-1, 1])];
const aKey = (random: SeededRandom, scope: WriterScope): unknown[] => [
  random.pick(scope.usageKeys),
];
const MILLI_GPUS = [1_000, 2_000] as const;

/** One run as it may come: closed, open, of zero length, or running since long ago. */
function drawnRun(random: SeededRandom, scope: WriterScope): [number, number | null] {
  const [a, b] = [instant(random, scope), instant(random, scope)];
  const isLong = !scope.isLocal && random.chance(0.3);
  const startedAtMs = isLong && random.chance(0.3) ? scope.longAgoMs : Math.min(a, b);
  if (isLong && random.chance(0.7)) return [startedAtMs, null];
  return [startedAtMs, random.chance(0.1) ? startedAtMs : Math.max(a, b)];
}

const INSERT = `
  insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select (select id from source limit 1), gen_random_uuid(), 'random', * , 0
  from unnest($1::int[], $2::int[], $3::bigint[], $4::bigint[])`;

/** Inserts that many runs. */
export function insertRandomRuns(count: number, random: SeededRandom, scope: WriterScope): Edit {
  const runs = Array.from({ length: count }, () => drawnRun(random, scope));
  return [
    INSERT,
    [
      runs.map(() => random.pick(scope.usageKeys)),
      runs.map(() => random.pick(MILLI_GPUS)),
      runs.map(([startedAtMs]) => startedAtMs),
      runs.map(([, endedAtMs]) => endedAtMs),
    ],
  ];
}

const insert: Draw = (random, scope) => insertRandomRuns(random.integer(1, 5), random, scope);

/** Two runs of equal GPUs exchange their users: what is carried over an edge that both cross stays equal (B5). */
const swap: Draw = (random) => [
  `update run r set usage_key = other.usage_key
   from (
     select a.id as a, b.id as b from run a
     join run b on a.id < b.id and a.milli_gpus = b.milli_gpus and a.usage_key <> b.usage_key
       and a.started_at_ms < coalesce(b.ended_at_ms, 4e12) and b.started_at_ms < coalesce(a.ended_at_ms, 4e12)
     order by md5(a.id::text || b.id || $1) limit 1
   ) pair
   join run other on other.id in (pair.a, pair.b)
   where r.id in (pair.a, pair.b) and r.id <> other.id`,
  [String(random.next())],
];

const remove: Draw = (random, scope) => [`delete from run where ${SOME}`, chosen(random, scope)];

const END_MOVES = 'ended_at_ms = greatest(started_at_ms, ended_at_ms + $6)';
const START_MOVES =
  'started_at_ms = least(coalesce(ended_at_ms, started_at_ms + $6), started_at_ms + $6)';
const ENDS = 'ended_at_ms = greatest(started_at_ms, $6)';
const MOVES = 'started_at_ms = least($6::bigint, $7), ended_at_ms = greatest($6::bigint, $7)';

/** Every kind of edit, the usual ones more often. */
const EDITS: readonly Draw[] = [
  ...[insert, insert, insert, remove, swap],
  ...[END_MOVES, END_MOVES, START_MOVES, START_MOVES].map((set) => change(set, nudge)),
  ...[
    change(ENDS, (...given) => [instant(...given)]),
    change(ENDS, (...given) => [instant(...given)]),
  ],
  (...given) => change(given[1].isLocal ? 'seen_at_ms = 1' : 'ended_at_ms = null')(...given),
  change(MOVES, (...given) => [instant(...given), instant(...given)]),
  change('usage_key = $6', aKey),
  change('milli_gpus = $6', (random) => [random.pick(MILLI_GPUS)]),
];

/** SQLSTATEs with which a writer may lose against another one. */
const LOST = new Set(['40P01', '40001']);

/** One transaction of a few edits; one in ten is rolled back. */
export async function writeOnce(
  client: pg.Client,
  random: SeededRandom,
  scope: WriterScope,
  counts: WriterCounts,
): Promise<void> {
  const sleep = (): Promise<unknown> =>
    client.query('select pg_sleep($1)', [(random.next() * scope.longestSleepMs) / 1_000]);
  await client.query('begin');
  try {
    for (let left = random.integer(1, 2); left > 0; left -= 1) {
      const [text, values] = random.pick(EDITS)(random, scope);
      counts.edits += (await client.query(text, values)).rowCount ?? 0;
      await sleep();
    }
    const isKept = random.chance(0.9);
    await client.query(isKept ? 'commit' : 'rollback');
    counts.transactions += 1;
    if (!isKept) counts.rolledBack += 1;
  } catch (error) {
    await client.query('rollback');
    if (!LOST.has(String((error as { code?: unknown }).code))) throw error;
    counts.lost += 1;
  }
}

/** A connection for `writeOnce`; two writers that wait for each other are told soon. */
export async function writerClient(test: { connect(): Promise<pg.Client> }): Promise<pg.Client> {
  const client = await test.connect();
  await client.query(`set deadlock_timeout = '20ms'`);
  return client;
}
