/**
 * What runs at an instant, found by index ranges (db/migrations/0007_carry.sql): equal to the overlap formula and to the
 * scan that it replaced, to the last edge. That it reads little is carry-plans.test.ts.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { randomRuns } from '../support/random-runs.js';
import { insertRuns, type NewRun } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';

const MIGRATIONS = new URL('../../db/migrations/', import.meta.url);
const AT = Date.UTC(2026, 0, 31, 8);
const SPAN = { startAtMs: AT - 5 * MS_PER_DAY, endAtMs: AT + 5 * MS_PER_DAY };
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);
const random = seededRandom(SEED);
const minuteNear = (): number => AT + MS_PER_MINUTE * random.integer(-6 * 24 * 60, 6 * 24 * 60);

/** Every edge that a comparison in the formula knows: the instant, a minute, a day, each a ms off. */
function edgeRuns(): NewRun[] {
  const around = (ms: number): number[] => [ms - 1, ms, ms + 1];
  const starts = [-MS_PER_DAY, -MS_PER_MINUTE, 0].flatMap((ms) => around(AT + ms));
  const ends = [0, MS_PER_MINUTE, MS_PER_DAY].flatMap((ms) => around(AT + ms));
  const runs = [...starts, AT - 3 * MS_PER_DAY].flatMap((startedAtMs) =>
    [...ends, AT + 3 * MS_PER_DAY, null, startedAtMs, ...around(startedAtMs + MS_PER_DAY)]
      .filter((endedAtMs) => endedAtMs === null || endedAtMs >= startedAtMs)
      .map((endedAtMs) => ({ startedAtMs, endedAtMs })),
  );
  // A key of its own for each, so that two errors cannot take each other away.
  return runs.map((run, n) => ({ ...run, key: `e${n}`, user: `edge${n}`, milliGpus: n }));
}

/** Keys and instants at which `carry_at` and the overlap formula differ. */
const CARRY_DIFFERENCES = `
  with expected as (
    select i.at_ms, r.usage_key, count(*) as runs, isum(r.milli_gpus) as milli_gpus
    from unnest($1::bigint[]) i (at_ms)
    join run r on r.started_at_ms < i.at_ms and (r.ended_at_ms is null or r.ended_at_ms >= i.at_ms)
    group by i.at_ms, r.usage_key
  ),
  found as (select * from carry_at($1::bigint[]))
  select 'lost' as how, lost.* from (select * from expected except all select * from found) lost
  union all
  select 'extra', extra.* from (select * from found except all select * from expected) extra`;

const LISTS: readonly (readonly number[])[] = [
  [],
  [AT],
  [AT - MS_PER_MINUTE, AT, AT + MS_PER_MINUTE],
  [AT - MS_PER_DAY, AT, AT + MS_PER_DAY],
  [AT - 4 * MS_PER_DAY, AT + 4 * MS_PER_DAY],
  Array.from({ length: 240 }, (_, n) => SPAN.startAtMs + n * MS_PER_HOUR),
  ...Array.from({ length: 20 }, () =>
    [...new Set(Array.from({ length: random.integer(1, 30) }, minuteNear))].sort((a, b) => a - b),
  ),
];

/** `[a, b)`: empty, a ms, an hour and its neighbours, and any length. */
const SPANS = [
  AT,
  AT - MS_PER_MINUTE,
  AT + MS_PER_MINUTE,
  ...Array.from({ length: 40 }, minuteNear),
].flatMap((a) =>
  [0, 1, MS_PER_HOUR - 1, MS_PER_HOUR, MS_PER_DAY + 1, random.integer(1, 3 * MS_PER_DAY)].map(
    (lengthMs) => [a, a + lengthMs] as const,
  ),
);

/** The formula of 0003_ledger.sql beside the newer one. */
async function createFormer(test: TestDatabase): Promise<void> {
  const text = readFileSync(new URL('0003_ledger.sql', MIGRATIONS), 'utf8');
  const former = text.slice(text.indexOf('create function usage_between('));
  await test.query(former.replace('usage_between', 'former_usage_between'));
}

async function differing(client: pg.Client): Promise<number> {
  let found = 0;
  for (const list of LISTS) found += (await client.query(CARRY_DIFFERENCES, [list])).rows.length;
  return found;
}

describe('the carry from the runs (G3)', () => {
  let test: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    process.stdout.write(`carry, seed ${SEED}\n`);
    test = await createTestDatabase();
    await openTestBooks(test);
    await createFormer(test);
    await insertRuns(test, [...edgeRuns(), ...randomRuns(random, SPAN, 3_000)]);
    client = await test.connect();
  });
  afterAll(() => test.close());

  it('is what the overlap formula says, at one instant and at many in one pass', async () => {
    expect(edgeRuns().length).toBeGreaterThan(80);
    expect(await differing(client)).toBe(0);
  });

  it.each([
    [
      'a short run that ends at the instant',
      'short.ended_at_ms >= place',
      'short.ended_at_ms > place',
    ],
    [
      'no run that starts at it',
      'width_bucket(r.started_at_ms, instants) + 1',
      'width_bucket(r.started_at_ms, instants)',
    ],
    ['the last ms of the day after it', 'place.at_ms + 86400000', 'place.at_ms + 86399998'],
    ['a run one ms below a day', '_at_ms < 86400000', '_at_ms < 86399999'],
    ['a run of exactly a day', '_at_ms >= 86400000', '_at_ms > 86400000'],
    [
      'a long run that ends at the instant',
      'long.ended_at_ms >= place',
      'long.ended_at_ms > place',
    ],
    ['a run that crosses a minute only', '_at_ms / 60000', '_at_ms / 3600000'],
    ['an open run that starts late', '< instants[cardinality(instants)]', '< instants[1]'],
    ['no open run twice', 'width_bucket(r.started_at_ms, instants) + 1', '1'],
    [
      'every instant that a run touches',
      'width_bucket(r.started_at_ms, instants) + 1',
      'r.last_place',
    ],
    [
      'no end twice',
      'coalesce(instants[place.number + 1], 9223372036854775807)',
      '9223372036854775807',
    ],
  ])('has %s; a formula that errs in it is noticed', async (_what, text, by) => {
    const [{ definition } = { definition: '' }] = await test.query<{ definition: string }>(
      `select pg_get_functiondef('carry_at'::regproc) as definition`,
    );
    expect(definition).toContain(text);
    await client.query('begin');
    await client.query(definition.replaceAll(text, by));
    const found = await differing(client).finally(() => client.query('rollback'));
    expect(found).toBeGreaterThan(0);
  });

  it('leaves every figure of the formula as it was with one scan', async () => {
    const all = (name: string): string =>
      `select * from ${name}(given.a, given.b, false, null, null, null)`;
    const wrong = await test.query(
      `select given.a, given.b from unnest($1::bigint[], $2::bigint[]) given (a, b)
       where exists (
         (${all('usage_between')} except all ${all('former_usage_between')})
         union all
         (${all('former_usage_between')} except all ${all('usage_between')})
       )`,
      [SPANS.map(([a]) => a), SPANS.map(([, b]) => b)],
    );
    expect(wrong).toEqual([]);
    expect(SPANS.length).toBeGreaterThan(200);
  });

  it('is there after the migration of a database that holds runs of the version before', async () => {
    await test.query('drop schema public cascade');
    await test.query('create schema public');
    for (const file of readdirSync(MIGRATIONS).sort().slice(0, 6))
      await test.query(readFileSync(new URL(file, MIGRATIONS), 'utf8'));
    await insertRuns(test, [...edgeRuns(), ...randomRuns(random, SPAN, 500)]);
    await test.query(readFileSync(new URL('0007_carry.sql', MIGRATIONS), 'utf8'));
    expect(await differing(await test.connect())).toBe(0);
  });
});
