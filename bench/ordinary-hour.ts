/** An ordinary hour beside writing its rows, beside the loop, and beside other engines; and building it again. */
import { buildPeriod } from '../db/period-builder.js';
import type { Period } from '../domain/period.js';
import { answerOf, usageHours } from './answers.js';
import {
  atMost,
  COST_HEAD,
  costRow,
  PROCESSOR,
  requireSame,
  type Bench,
  type Finding,
  type Setup,
} from './bench.js';
import { books, hoursFrom } from './books-data.js';
import { clientCost, databaseCost, inRounds, medianRatio, type Cost, type Rounds } from './cost.js';
import { DuckRuns } from './duckdb.js';
import { expandInPostgres } from './expansion.js';
import { emptyNaiveHours, naiveHour } from './naive-loop.js';
import type { StageDatabase } from './stage.js';
import { copyFinished, emptyFloor, insertFinished } from './write-floor.js';

type Side = 'count' | 'build' | 'insert' | 'copy' | 'again' | 'loop' | 'expansion' | 'duckdb';

/** Rows that lie in the ranges that closing an hour reads: those that start in it, and older ones that end in it. */
export const COUNT_READ = `
  select (select count(*) from run where started_at_ms >= $1 and started_at_ms < $2)
    + (select count(*) from run
        where ended_at_ms >= $1 and ended_at_ms < $2 and started_at_ms < $1
          and started_at_ms / 60000 <> ended_at_ms / 60000) as runs`;

/** Every side on the same hours. Throws when an answer differs, or when building again writes a row. */
async function measure(
  set: StageDatabase,
  duck: DuckRuns,
  hour: (number: number) => Period,
  rounds: number,
): Promise<Rounds<Side>> {
  const { client, database } = set;
  await emptyFloor(client, 'usage_hour');
  await emptyNaiveHours(client);
  const same = async (what: string, n: number, relation: string): Promise<void> =>
    requireSame(what, await usageHours(client, hour(n)), await answerOf(client, relation));
  return inRounds(rounds, {
    count: (n) =>
      clientCost(client, () => client.query(COUNT_READ, [hour(n).startAtMs, hour(n).endAtMs])),
    build: (n) => databaseCost(database, () => buildPeriod(database, hour(n))),
    insert: (n) => insertFinished(client, 'usage_hour', hour(n).startAtMs),
    copy: (n) => copyFinished(client, 'usage_hour', hour(n).startAtMs),
    again: (n) =>
      databaseCost(database, async () => {
        const { rowsWritten, rowsRemoved } = await buildPeriod(database, hour(n));
        requireSame('building again', 0, rowsWritten + rowsRemoved);
      }),
    loop: async (n) => {
      const cost = await clientCost(client, () => naiveHour(client, hour(n)));
      const { startAtMs } = hour(n);
      await same(
        'the loop',
        n,
        `(select * from naive_hour where period_start_at_ms = ${startAtMs})`,
      );
      return cost;
    },
    expansion: async (n) => {
      const cost = await clientCost(client, () => expandInPostgres(client, hour(n)));
      await same('the expansion', n, 'expanded_hour');
      return cost;
    },
    duckdb: async (n) => {
      const cost = await duck.expand(hour(n));
      requireSame('DuckDB', await usageHours(client, hour(n)), await duck.answer());
      return cost;
    },
  });
}

function findingOf(costs: Rounds<Side>, { size }: Setup): Finding {
  const { build, insert, again } = costs;
  const row = (what: string, side: readonly Cost[]): string[] =>
    costRow(what, side, build, 'wallMs');
  return {
    verdicts: [
      atMost(
        `close an ordinary hour (${Math.round(size.books.runs / size.books.days / 24)} starts, ${size.books.runs} runs stored), of inserting its finished rows`,
        2.6,
        medianRatio(build, insert, PROCESSOR),
      ),
      atMost(
        'build an hour again in which nothing changed, of building it (no row written)',
        1,
        medianRatio(again, build, PROCESSOR),
      ),
    ],
    tables: [
      {
        caption: 'One hour in the middle of the books, wall time of each beside closing it',
        head: COST_HEAD,
        rows: [
          row('closing it', build),
          row('closing it again', again),
          row('INSERT of its finished rows', insert),
          row('COPY of its finished rows', costs.copy),
          row('count(*) of the ranges that it reads', costs.count),
          row('loop in Node (S0)', costs.loop),
          row('generate_series in PostgreSQL', costs.expansion),
          row('DuckDB, the same expansion, one thread', costs.duckdb),
        ],
      },
    ],
  };
}

export const ordinaryHour: Bench = {
  name: 'hour',
  title: 'An ordinary hour',
  async run(setup) {
    const set = await books(setup);
    const hour = await hoursFrom(set, setup.size.books, 0.5);
    setup.say('copying the runs to DuckDB');
    const duck = await DuckRuns.from(set.client);
    try {
      return findingOf(await measure(set, duck, hour, setup.size.rounds), setup);
    } finally {
      duck.close();
    }
  },
};
