/** Does an hour cost more when ten times as much history is stored? */
import { buildPeriod } from '../db/period-builder.js';
import { atMost, COST_HEAD, costRow, PROCESSOR, type Bench } from './bench.js';
import { books, hoursFrom, runsOf } from './books-data.js';
import { databaseCost, inRounds, medianMs, medianRatio } from './cost.js';

export const history: Bench = {
  name: 'history',
  title: 'An old hour, and how much history is stored',
  async run(setup) {
    const { size } = setup;
    const old = await books(setup);
    const young = await runsOf(setup, 'young_books', size.youngBooks);
    const oldHour = await hoursFrom(old, size.books, 0.3);
    const youngHour = await hoursFrom(young, size.youngBooks, 0.3);
    // The first builds make plans and fill caches.
    const costs = await inRounds(size.rounds + 3, {
      young: (n) => databaseCost(young.database, () => buildPeriod(young.database, youngHour(n))),
      old: (n) => databaseCost(old.database, () => buildPeriod(old.database, oldHour(n))),
    });
    const times = size.books.runs / size.youngBooks.runs;
    const point = (of: keyof typeof costs, x: number): { x: number; ms: number } => ({
      x,
      ms: medianMs(costs[of], PROCESSOR),
    });
    return {
      verdicts: [
        atMost(
          `close an old hour with ${times.toFixed(0)}x the history`,
          1.2,
          medianRatio(costs.old, costs.young, PROCESSOR),
        ),
      ],
      tables: [
        {
          caption: 'Closing an hour in the first third of the books',
          head: COST_HEAD,
          rows: [
            costRow(`${size.youngBooks.days} days stored`, costs.young, costs.young),
            costRow(`${size.books.days} days stored`, costs.old, costs.young),
          ],
        },
      ],
      curves: [
        {
          name: 'history',
          axis: 'runs stored',
          cost: 'an hour, ms',
          points: [point('young', size.youngBooks.runs), point('old', size.books.runs)],
        },
      ],
    };
  },
};
