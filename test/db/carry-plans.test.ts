/**
 * How much the carry from the runs reads: indexes of their own, whatever the history, also by a plan that is made once
 * for all values; and what builders read and sort by plans that were made on empty tables. That the figures of the carry
 * are right is carry.test.ts.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { Database } from '../../db/database.js';
import { buildPeriod } from '../../db/period-builder.js';
import { statementBlocks, type Statement } from '../../db/statement.js';
import { Calendar } from '../../domain/calendar.js';
import type { Period } from '../../domain/period.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { until } from '../support/temporal-books.js';

const START = Date.UTC(2026, 0, 1);
const DAYS = 60;
const RUNS = 60_000;
const END = START + DAYS * MS_PER_DAY;
const MIDDLE = START + (DAYS / 2) * MS_PER_DAY;

/** Minutes to 13 hours, 1% of 1 to 14 days, 30 still running; as they would have come, by their start. */
const STORE_HISTORY = `
  with names as (
    insert into source (name) values ('s') returning id
  ), users as (insert into dim_user (name) values ('u') returning id
  ), spaces as (insert into dim_space (name) values ('s') returning id
  ), pools as (insert into dim_pool (name) values ('p') returning id
  ), keys as (
    insert into usage_key (user_id, space_id, pool_id)
    select users.id, spaces.id, pools.id from users, spaces, pools returning id
  )
  insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select names.id, n, n, keys.id, 1000, begun.at_ms,
    case
      when n % (${RUNS} / 30) = 0 then null
      when n % 100 = 1 then begun.at_ms + ${MS_PER_DAY} + n * 7919 % (13 * ${MS_PER_DAY}::bigint)
      else begun.at_ms + floor(60000 * 10 ^ (n * 37 % 290 / 100.0))::bigint
    end, 0
  from names, keys, generate_series(1, ${RUNS}) n
  cross join lateral (select ${START} + n::bigint * ${(END - START) / RUNS} as at_ms) begun`;

/** Hours in the ledger with nothing before them: every third of the last 16 hours, and one old one. */
const STORE_HOLES = `
  insert into period (granularity, start_at_ms, end_at_ms, label, mark_from_ms, carry_in_digest,
    carry_out_digest, digest, row_count, aggregated_at_ms)
  select 'hour', at_ms, at_ms + 3600000, at_ms, at_ms, '', '', '', 0, 0
  from unnest($1::bigint[]) at_ms`;
const HOLES = [MIDDLE, ...[16, 13, 10, 7, 4, 1].map((hours) => END - hours * MS_PER_HOUR)];

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'CTE Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** Indexes by which runs are found, with `Seq Scan` as one, and how many entries were read. */
function readingOf(plan: PlanNode): { by: string[]; entries: number } {
  const scans = nodesOf(plan).filter(
    (node) => node['Relation Name'] === 'run' || node['Index Name']?.startsWith('run_') === true,
  );
  const entries = scans.map(
    (node) => node['Actual Loops'] * (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)),
  );
  return {
    by: [...new Set(scans.map((node) => node['Index Name'] ?? node['Node Type']))].sort(),
    entries: entries.reduce((sum, one) => sum + one, 0),
  };
}

const block = (noun: string, name: string): string =>
  statementBlocks(readFileSync(new URL(`../../db/queries/${noun}.sql`, import.meta.url), 'utf8'))
    .get(name)
    ?.trim() ?? '';

/** The statement's plan after it was executed more often than the server waits before it makes a plan for all values. */
async function readingAfterTen(
  client: pg.Client,
  mode: string,
  text: string,
  values: readonly string[],
): Promise<ReturnType<typeof readingOf>> {
  const call = values.length === 0 ? 'execute asked' : `execute asked (${values.join(', ')})`;
  await client.query(`set plan_cache_mode = ${mode}`);
  await client.query(`prepare asked as ${text}`);
  for (let n = 0; n < 10; n += 1) await client.query(call);
  const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    `explain (analyze, format json) ${call}`,
  );
  await client.query('deallocate asked');
  const plan = rows[0]?.['QUERY PLAN'][0].Plan;
  if (plan === undefined) throw new RangeError('no plan');
  return readingOf(plan);
}

/** Hours after holes, each built from another carry than any. */
const holesOf = (instants: readonly number[]): string[] => [
  `'{${[...instants].sort((a, b) => a - b).join(',')}}'::bigint[]`,
  `array_fill(''::text, array[${instants.length}])`,
];

const CARRY_INDEXES = ['run_ended_elsewhere', 'run_long', 'run_open'];
const SCANNED = ['false', 'null', 'null', 'null'];

describe('what the carry from the runs reads', () => {
  let test: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await test.query(STORE_HISTORY);
    await test.query('vacuum analyze run');
    await test.query(STORE_HOLES, [HOLES]);
    client = await test.connect();
  });
  afterAll(() => test.close());

  describe.each(['auto', 'force_generic_plan', 'force_custom_plan'])(
    'plan_cache_mode %s',
    (mode) => {
      it.each([
        ['new', END - 2 * MS_PER_HOUR],
        ['old', MIDDLE],
      ])(`a computed %s hour is found by indexes (${mode})`, async (_age, atMs) => {
        const values = [String(atMs), String(atMs + MS_PER_HOUR), ...SCANNED];
        const reading = await readingAfterTen(client, mode, block('usage', 'computed'), values);
        expect(reading.by).toEqual([...CARRY_INDEXES, 'run_started']);
        // A day of ends, long runs that ended later, the hour itself.
        expect(reading.entries).toBeLessThan((1.5 * RUNS) / DAYS + RUNS / 100);
      });

      it(`an hour that is built without the one before it is found by indexes (${mode})`, async () => {
        await client.query('begin');
        const values = [MIDDLE, MIDDLE + MS_PER_HOUR, `'hour'`, MIDDLE, 'false'].map(String);
        const text = block('period-hour', 'build');
        const reading = await readingAfterTen(client, mode, text, values).finally(() =>
          client.query('rollback'),
        );
        expect(reading.by.filter((name) => name.includes('Seq Scan'))).toEqual([]);
        expect(reading.by).toEqual(expect.arrayContaining(CARRY_INDEXES));
      });

      it(`all holes of the ledger are one pass over the ends behind them (${mode})`, async () => {
        const text = block('ledger', 'changed-after-holes');
        const reading = await readingAfterTen(client, mode, text, holesOf(HOLES));
        expect(reading.by).toEqual(CARRY_INDEXES);
        // A day after the old hole and one before the end, long runs behind the old one, for each hole the open ones.
        expect(reading.entries).toBeLessThan((2.5 * RUNS) / DAYS + RUNS / 100);
        const stale = await client.query(text, [HOLES, HOLES.map(() => '')]);
        expect(stale.rows).toHaveLength(HOLES.length);
      });
    },
  );

  it('nothing is read where the ledger has no hole', async () => {
    const text = block('ledger', 'changed-after-holes');
    const reading = await readingAfterTen(client, 'auto', text, holesOf([]));
    expect(reading.entries).toBe(0);
  });

  it('a scan over all runs, as it was before, is noticed', async () => {
    const text = `select count(*) from run where started_at_ms < $1::bigint and (ended_at_ms is null or ended_at_ms >= $1)`;
    const reading = await readingAfterTen(client, 'auto', text, [String(MIDDLE)]);
    expect(reading.by).not.toEqual(CARRY_INDEXES);
    expect(reading.entries).toBeGreaterThan(RUNS / 3);
  });
});

describe('plans of a builder that began while the tables were empty', () => {
  it('read by indexes when the tables have grown', async () => {
    const test = await createTestDatabase();
    try {
      await openTestBooks(test);
      const calendar = Calendar.of('UTC');
      const hour = (n: number): Period => calendar.periodAt('hour', MIDDLE + n * MS_PER_HOUR);
      const builder = Database.open({ url: test.url, maxConnections: 1 });
      await test.query('vacuum run, usage_hour');
      await buildPeriod(builder, hour(0));
      await test.query(STORE_HISTORY);
      for (const n of [1, 2, 3]) await buildPeriod(builder, hour(n));
      await buildPeriod(builder, hour(2));
      // Its session tells what it read when it ends.
      await builder.close();
      const reads = async (): Promise<{ table: string; whole: number }[]> =>
        test.query(
          `select relname as table, seq_scan::integer as whole from pg_stat_user_tables
           where relname in ('run', 'usage_hour') and idx_scan > 0 order by 1`,
        );
      await until('the statistics arrive', async () => (await reads()).length === 2);
      expect(await reads()).toEqual([
        { table: 'run', whole: 0 },
        { table: 'usage_hour', whole: 0 },
      ]);
    } finally {
      await test.close();
    }
  });

  it('sort the few rows of a day, not the many of its hours', async () => {
    const test = await createTestDatabase();
    try {
      const statement = (text: string): Statement => ({ name: '', text, params: {}, row: {} });
      const build = block('period-coarse', 'build')
        .replaceAll('{coarse}', 'day')
        .replaceAll('{part}', 'hour');
      const plan = await test.database.transaction({ plansOnce: true }, async (transaction) => {
        await transaction.execute(statement(`prepare build_day as ${build}`), {});
        const values = [MIDDLE, MIDDLE + MS_PER_DAY, `''`, true].join(', ');
        const explain = statement(`explain (format json) execute build_day (${values})`);
        return transaction.one({ ...explain, row: { 'QUERY PLAN': 'jsonb' } }, {});
      });
      const [{ Plan: root }] = plan['QUERY PLAN'] as [{ Plan: PlanNode }];
      const sorted = nodesOf(root)
        .filter((node) => node['Node Type'] === 'Sort')
        .map((node) => (node.Plans ?? []).map((input) => input['CTE Name']));
      expect(sorted).toContainEqual(['summed']);
      expect(sorted).not.toContainEqual([undefined]);
    } finally {
      await test.close();
    }
  });
});
