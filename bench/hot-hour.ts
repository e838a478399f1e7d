/** The hour of a cluster that starts 100 million jobs a day. */
import { buildPeriod } from '../db/period-builder.js';
import type { Period } from '../domain/period.js';
import { answerOf, usageHours } from './answers.js';
import {
  amountText,
  atMost,
  COST_HEAD,
  costRow,
  PROCESSOR,
  requireSame,
  type Bench,
  type Setup,
} from './bench.js';
import { hoursFrom, runsOf } from './books-data.js';
import {
  clientCost,
  databaseCost,
  inRounds,
  medianMs,
  medianRatio,
  type Cost,
  type Rounds,
} from './cost.js';
import { DuckRuns } from './duckdb.js';
import { ingest, ingestBooks } from './live-ingest.js';
import { emptyNaiveHours, naiveHour } from './naive-loop.js';
import { COUNT_READ } from './ordinary-hour.js';
import type { StageDatabase } from './stage.js';

type Side = 'count' | 'countByKey' | 'countRows' | 'build' | 'duckdb';

/** What no statement that answers for each key can do without, for the larger range only. */
const COUNT_BY_KEY = `
  select max(runs) from (
    select count(*) as runs from run where started_at_ms >= $1 and started_at_ms < $2 group by usage_key
  ) by_key`;

/** Closes the hour for the first time in each round: what the round before wrote is taken away. */
async function measure(
  { client, database }: StageDatabase,
  hour: Period,
  rounds: number,
): Promise<Rounds<Side>> {
  const duck = await DuckRuns.from(client);
  const values = [hour.startAtMs, hour.endAtMs];
  const count = (): Promise<unknown> => client.query(COUNT_READ, values);
  try {
    return await inRounds(rounds, {
      count: () => clientCost(client, count),
      countByKey: () => clientCost(client, () => client.query(COUNT_BY_KEY, values)),
      countRows: async () => {
        await client.query('set enable_indexonlyscan = off');
        const cost = await clientCost(client, count);
        await client.query('reset enable_indexonlyscan');
        return cost;
      },
      build: async () => {
        await client.query(`delete from usage_hour where period_start_at_ms = $1`, [values[0]]);
        await client.query(`delete from period where start_at_ms = $1`, [values[0]]);
        return databaseCost(database, () => buildPeriod(database, hour));
      },
      duckdb: async () => {
        const cost = await duck.expand(hour);
        requireSame('DuckDB', await usageHours(client, hour), await duck.answer());
        return cost;
      },
    });
  } finally {
    duck.close();
  }
}

/** Processor time that ingesting as many runs as the hour has would take, from a sample, in ms. */
async function ingestMs(setup: Setup, runs: number): Promise<number> {
  const { ingested } = setup.size;
  const request = {
    count: ingested,
    aStatement: 1_000,
    guard: 'everything',
    pattern: 'finished',
  } as const;
  const cost = await ingest(await ingestBooks(setup), request);
  return (cost[PROCESSOR] / ingested) * runs;
}

export const hotHour: Bench = {
  name: 'hot',
  title: 'The hour of 100 million jobs a day',
  async run(setup) {
    const { size, say } = setup;
    const set = await runsOf(setup, 'hot', size.hot);
    const hour = (await hoursFrom(set, size.hot, 0.5))(0);
    const costs = await measure(set, hour, size.longRounds);
    const { build } = costs;
    await emptyNaiveHours(set.client);
    say('the loop in Node on the same hour');
    const loop = [await clientCost(set.client, () => naiveHour(set.client, hour))];
    requireSame(
      'the loop',
      await usageHours(set.client, hour),
      await answerOf(set.client, 'naive_hour'),
    );
    const runs = size.hot.runs / 2;
    const ingestedMs = await ingestMs(setup, runs);
    const eachText = (side: readonly Cost[]): string =>
      `${((1e6 * medianMs(side, 'wallMs')) / runs).toFixed(0)} ns`;
    const wall = (side: keyof typeof costs): number => medianMs(costs[side], 'wallMs');
    return {
      verdicts: [
        atMost(
          `the hour of ${runs} starts, of count(*) over the ranges that it reads`,
          2,
          medianRatio(build, costs.count, PROCESSOR),
        ),
        atMost(
          'the same, of the loop in Node (wall)',
          0.1,
          wall('build') / (loop[0]?.wallMs ?? Number.NaN),
        ),
        atMost(
          'the same, of the processor time that ingesting its runs takes',
          0.1,
          medianMs(build, PROCESSOR) / ingestedMs,
        ),
      ],
      tables: [
        {
          caption: 'One hour, wall time of each beside closing it',
          head: COST_HEAD,
          rows: [
            costRow('closing it', build, build, 'wallMs'),
            costRow(
              'count(*) of the ranges that it reads, from the indexes',
              costs.count,
              build,
              'wallMs',
            ),
            costRow('count(*) by key, of the starts only', costs.countByKey, build, 'wallMs'),
            costRow('count(*) of the same, reading the rows', costs.countRows, build, 'wallMs'),
            costRow('loop in Node (S0), once', loop, build.slice(0, 1), 'wallMs'),
            costRow('DuckDB, expansion, one thread', costs.duckdb, build, 'wallMs'),
          ],
        },
      ],
      notes: [
        `Each run of the hour: ${eachText(build)} to close it, ${eachText(costs.count)} to count it, ${eachText(loop)} in the loop (wall).`,
        `Ingesting ${runs} finished runs, 1,000 a statement: ${amountText(ingestedMs / 1_000, 's')} of PostgreSQL's processor time, from a sample of ${size.ingested}.`,
      ],
    };
  },
};
