/** A day of old hours, beside the loop of the source document. */
import { buildPeriod } from '../db/period-builder.js';
import { answerOf, usageHours } from './answers.js';
import { atLeast, COST_HEAD, costRow, requireSame, type Bench } from './bench.js';
import { books, hoursFrom } from './books-data.js';
import { clientCost, databaseCost, inRounds, medianRatio } from './cost.js';
import { emptyNaiveHours, naiveHour } from './naive-loop.js';

const HOURS = 24;

export const oldDay: Bench = {
  name: 'day',
  title: 'A day of old hours',
  async run(setup) {
    const set = await books(setup);
    const { client, database } = set;
    const hour = await hoursFrom(set, setup.size.books, 0.7);
    const numbers = (round: number): number[] =>
      Array.from({ length: HOURS }, (_, n) => round * HOURS + n);
    await emptyNaiveHours(client);
    const rounds = Math.min(setup.size.longRounds, 3);
    const costs = await inRounds(rounds, {
      build: (round) =>
        databaseCost(database, async () => {
          for (const n of numbers(round)) await buildPeriod(database, hour(n));
        }),
      loop: (round) =>
        clientCost(client, async () => {
          for (const n of numbers(round)) await naiveHour(client, hour(n));
        }),
    });
    const span = { startAtMs: hour(0).startAtMs, endAtMs: hour(rounds * HOURS).startAtMs };
    requireSame('the loop', await usageHours(client, span), await answerOf(client, 'naive_hour'));
    return {
      verdicts: [
        atLeast(
          'a day of old hours: the loop in Node, of the product (wall)',
          20,
          medianRatio(costs.loop, costs.build, 'wallMs'),
        ),
      ],
      tables: [
        {
          caption: '24 hours at two thirds of the books, one after the other',
          head: COST_HEAD,
          rows: [
            costRow('closing them', costs.build, costs.build, 'wallMs'),
            costRow('loop in Node (S0)', costs.loop, costs.build, 'wallMs'),
          ],
        },
      ],
    };
  },
};
