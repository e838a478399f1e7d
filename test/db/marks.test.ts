/**
 * Marks: each statement that changes runs leaves, in its own transaction, exactly the minutes of the edges that it
 * changed, whatever kind of statement it is (ledger.md W1, W2; I17). The expected minutes are worked out here from the
 * runs before and after. What builders do with marks is elsewhere.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { insertRuns } from '../support/runs.js';
import { seededRandom, type SeededRandom } from '../support/seeded-random.js';

const EDITS = process.env['JOBHOURS_TORTURE'] === '1' ? 3_000 : 200;
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);
const FROM = Date.UTC(2026, 0, 10);

interface RunRow {
  readonly record_key: string;
  readonly usage_key: number;
  readonly milli_gpus: number;
  readonly started_at_ms: string;
  readonly ended_at_ms: string | null;
}

type Queryable = Pick<pg.Client, 'query'>;

async function runsNow(client: Queryable): Promise<Map<string, RunRow>> {
  const { rows } = await client.query<RunRow>('select * from run');
  return new Map(rows.map((row) => [row.record_key, row]));
}

async function marksNow(client: Queryable): Promise<number[]> {
  const { rows } = await client.query<{ minute: string }>(
    'select minute from usage_change order by minute',
  );
  return rows.map((row) => Number(row.minute));
}

const minuteOf = (atMs: string | null): number[] =>
  atMs === null ? [] : [Math.floor(Number(atMs) / 60_000)];
const edgesOf = (run: RunRow): number[] => [
  ...minuteOf(run.started_at_ms),
  ...minuteOf(run.ended_at_ms),
];

/** The minutes that a change from one run to the other must mark; null = the run is not there. */
function minutesOfChange(before: RunRow | undefined, after: RunRow | undefined): number[] {
  if (before === undefined || after === undefined) {
    return [before, after].flatMap((run) => (run === undefined ? [] : edgesOf(run)));
  }
  const isOtherUsage =
    before.usage_key !== after.usage_key || before.milli_gpus !== after.milli_gpus;
  return (['started_at_ms', 'ended_at_ms'] as const).flatMap((edge) =>
    isOtherUsage || before[edge] !== after[edge]
      ? [...minuteOf(before[edge]), ...minuteOf(after[edge])]
      : [],
  );
}

function expectedMarks(
  before: ReadonlyMap<string, RunRow>,
  after: ReadonlyMap<string, RunRow>,
): number[] {
  const keys = new Set([...before.keys(), ...after.keys()]);
  const minutes = [...keys].flatMap((key) => minutesOfChange(before.get(key), after.get(key)));
  return [...new Set(minutes)].sort((a, b) => a - b);
}

interface Given {
  readonly record_key: string;
  readonly usage_key: number;
  readonly milli_gpus: number;
  readonly started_at_ms: number;
  readonly ended_at_ms: number | null;
}

/** A few runs, of which some may be there already. Edges lie close together, so that minutes are shared. */
function given(random: SeededRandom): Given[] {
  const keys = new Set(Array.from({ length: random.integer(1, 4) }, () => random.integer(0, 12)));
  return [...keys].map((key) => {
    const started_at_ms = FROM + random.integer(0, 600_000);
    const end = started_at_ms + random.pick([0, 1, 500, 70_000, 3_600_000]);
    return {
      record_key: `k${key}`,
      usage_key: random.integer(1, 2),
      milli_gpus: random.pick([500, 1_000]),
      ...{ started_at_ms, ended_at_ms: random.chance(0.2) ? null : end },
    };
  });
}

const COLUMNS =
  'source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms';
const GIVEN = `select 1 as source, record_key, 'j' as job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, 0::bigint as seen_at_ms
  from jsonb_to_recordset($1) g (record_key text, usage_key int, milli_gpus int, started_at_ms bigint, ended_at_ms bigint)`;
const TAKEN = `usage_key = excluded.usage_key, milli_gpus = excluded.milli_gpus,
  started_at_ms = excluded.started_at_ms, ended_at_ms = excluded.ended_at_ms`;
const SOME = 'record_key in (select record_key from jsonb_to_recordset($1) g (record_key text))';

type Edit = (client: Queryable, runs: readonly Given[]) => Promise<unknown>;

const statement =
  (text: string): Edit =>
  (client, runs) =>
    client.query(text, [JSON.stringify(runs)]);

/** Statements of every kind. COPY, which needs a stream, has a test of its own. */
const STATEMENTS: Readonly<Record<string, Edit>> = {
  'INSERT of new runs': statement(
    `insert into run (${COLUMNS}) ${GIVEN} where record_key not in (select record_key from run)`,
  ),
  'INSERT ... ON CONFLICT DO NOTHING': statement(
    `insert into run (${COLUMNS}) ${GIVEN} on conflict (source, record_key) do nothing`,
  ),
  'INSERT ... ON CONFLICT DO UPDATE': statement(
    `insert into run (${COLUMNS}) ${GIVEN} on conflict (source, record_key) do update set ${TAKEN}`,
  ),
  'MERGE with all three branches': statement(
    `merge into run r using (${GIVEN}) g on r.record_key = g.record_key
     when matched and g.ended_at_ms is null then delete
     when matched then update set ${TAKEN.replaceAll('excluded', 'g')}
     when not matched then insert (${COLUMNS}) values (${COLUMNS.replaceAll(/\w+/g, 'g.$&')})`,
  ),
  'UPDATE of everything': statement(
    `update run r set ${TAKEN.replaceAll('excluded', 'g')} from (${GIVEN}) g where r.record_key = g.record_key`,
  ),
  'UPDATE of the end by less than a minute': statement(
    `update run set ended_at_ms = ended_at_ms + 1 where ${SOME}`,
  ),
  'UPDATE of the user': statement(`update run set usage_key = 3 - usage_key where ${SOME}`),
  'UPDATE of what is no usage': statement(
    `update run set seen_at_ms = seen_at_ms + 1, job_id = job_id || 'x' where ${SOME}`,
  ),
  'UPDATE that sets what is there': statement(
    `update run set started_at_ms = started_at_ms, milli_gpus = milli_gpus where ${SOME}`,
  ),
  DELETE: statement(`delete from run where ${SOME}`),
};

describe('marks (W1, W2)', () => {
  let test: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    client = await test.connect();
    await insertRuns(
      test,
      ['u1', 'u2'].map((user) => ({
        ...{ key: user, user, milliGpus: 500, startedAtMs: FROM, endedAtMs: null },
      })),
    );
  });
  beforeEach(async () => {
    await client.query('delete from usage_change');
  });
  afterAll(() => test.close());

  /** Runs the edit in a transaction; what it marked inside, and what others see before and after its end. */
  async function marksOf(
    work: () => Promise<unknown>,
    end: 'commit' | 'rollback',
  ): Promise<{ inside: number[]; expected: number[]; others: number[]; after: number[] }> {
    await client.query('begin');
    const before = await runsNow(client);
    await work();
    const expected = expectedMarks(before, await runsNow(client));
    const inside = await marksNow(client);
    const others = await test.query<{ minute: string }>('select minute from usage_change');
    await client.query(end);
    const after = await marksNow(client);
    await client.query('delete from usage_change');
    return { inside, expected, others: others.map((row) => Number(row.minute)), after };
  }

  it('are exactly the minutes of the changed edges, seen by others from the commit on, whatever the statement (I17)', async () => {
    const random = seededRandom(SEED);
    const wrong: unknown[] = [];
    const marked = new Map<string, number>();
    for (let edit = 0; edit < EDITS; edit += 1) {
      const [name, run] = random.pick(Object.entries(STATEMENTS));
      const runs = given(random);
      const end = random.chance(0.2) ? 'rollback' : 'commit';
      const { inside, expected, others, after } = await marksOf(() => run(client, runs), end);
      const isRight =
        [...new Set(inside)].join() === expected.join() &&
        others.length === 0 &&
        after.join() === (end === 'commit' ? inside.join() : '');
      if (!isRight) wrong.push({ edit, name, runs, end, inside, expected, others, after });
      marked.set(name, (marked.get(name) ?? 0) + inside.length);
    }
    process.stdout.write(
      `marks, seed ${SEED}: ${EDITS} statements left ${JSON.stringify(Object.fromEntries(marked))}\n`,
    );
    expect(wrong).toEqual([]);
    const silent = Object.keys(STATEMENTS).filter((name) => marked.get(name) === 0);
    expect(silent.sort()).toEqual(['UPDATE of what is no usage', 'UPDATE that sets what is there']);
  }, 600_000);

  it('are left by COPY too, in the transaction of the COPY (I17)', async () => {
    const lines = [0, 59_999, 60_000].map(
      (offset, n) => `1\tcopied${n}\tj\t1\t500\t${FROM + offset}\t${FROM + 120_000 + offset}\t0\n`,
    );
    const copy = (fails: boolean): Promise<void> =>
      test.database.transaction({}, async (transaction) => {
        await transaction.copyInto(`run (${COLUMNS})`, lines);
        if (fails) throw new RangeError('rolled back');
      });
    await expect(copy(true)).rejects.toThrow('rolled back');
    expect(await marksNow(client)).toEqual([]);
    await copy(false);
    const minute = FROM / 60_000;
    expect(await marksNow(client)).toEqual([minute, minute + 1, minute + 2, minute + 3]);
  });

  it('are left in a session that replays another database`s changes (W4)', async () => {
    const { inside, expected } = await marksOf(async () => {
      await client.query(`set local session_replication_role = replica`);
      await client.query(`update run set milli_gpus = milli_gpus + 1`);
    }, 'rollback');
    expect(inside).toEqual(expected);
    expect(inside.length).toBeGreaterThan(0);
  });

  it.each(['run', 'usage_change'])(
    'TRUNCATE of %s is refused, it would leave none (W4)',
    async (table) => {
      await expect(client.query(`truncate ${table} cascade`)).rejects.toThrow('leaves no marks');
    },
  );

  it('a minute that is not marked is noticed by these tests', async () => {
    const { inside, expected } = await marksOf(async () => {
      await client.query('alter table run disable trigger run_updated');
      await client.query('update run set milli_gpus = milli_gpus + 1');
    }, 'rollback');
    expect(expected.length).toBeGreaterThan(0);
    expect(inside).not.toEqual(expected);
  });
});
