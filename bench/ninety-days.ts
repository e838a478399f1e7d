/** All hours and days of the books: one lane and two, beside copying the finished rows and expanding the runs. */
import { answerOf, usageHours } from './answers.js';
import {
  amountText,
  atMost,
  COST_HEAD,
  costRow,
  requireSame,
  type Bench,
  type Setup,
} from './bench.js';
import { copiedBooks } from './books-data.js';
import { buildCoarse, buildHoursAndDays } from './built-books.js';
import { clientCost, medianMs, medianRatio, type Cost } from './cost.js';
import { DuckRuns } from './duckdb.js';
import { expandInPostgres } from './expansion.js';
import { spanOf } from './run-data.js';
import type { StageDatabase } from './stage.js';
import { copyAllFinished } from './write-floor.js';

const TABLES = ['usage_hour', 'usage_day'] as const;
const BUILT = 'built_books';

async function builtOnce(setup: Setup, lanes: number): Promise<[StageDatabase, Cost]> {
  const set = await copiedBooks(setup, BUILT);
  return [set, await buildHoursAndDays(set.url, spanOf(setup.size.books), lanes)];
}

/** Expansions of the whole span, once each, with the answer of the books. */
async function expansions(set: StageDatabase, setup: Setup): Promise<[Cost, Cost]> {
  const span = spanOf(setup.size.books);
  const answer = await usageHours(set.client, span);
  setup.say('the same by generate_series, and in DuckDB');
  const expansion = await clientCost(set.client, () => expandInPostgres(set.client, span));
  requireSame('the expansion', answer, await answerOf(set.client, 'expanded_hour'));
  await set.client.query('drop table expanded_hour');
  const duck = await DuckRuns.from(set.client);
  try {
    const cost = await duck.expand(span);
    requireSame('DuckDB', answer, await duck.answer());
    return [expansion, cost];
  } finally {
    duck.close();
  }
}

export const ninetyDays: Bench = {
  name: 'books',
  title: 'All hours and days of the books',
  async run(setup) {
    const { size, stage, say } = setup;
    const one: Cost[] = [];
    const two: Cost[] = [];
    const copy: Cost[] = [];
    for (let round = 1; round <= size.longRounds; round += 1) {
      say(`building ${size.books.days} days, round ${round} of ${size.longRounds}`);
      one.push((await builtOnce(setup, 1))[1]);
      await stage.drop(BUILT);
      const [set, cost] = await builtOnce(setup, 2);
      two.push(cost);
      copy.push(await copyAllFinished(set.client, TABLES));
      if (round < size.longRounds) await stage.drop(BUILT);
    }
    const set = await stage.database(BUILT);
    await set.client.query('drop table finished_usage_hour, finished_usage_day');
    const [expansion, duckdb] = await expansions(set, setup);
    const coarse = await buildCoarse(set.url, spanOf(size.books));
    await stage.drop(BUILT);
    const row = (what: string, costs: readonly Cost[]): string[] =>
      costRow(what, costs, two.slice(0, costs.length), 'wallMs');
    const lanes = [one, two].map((costs, at) => ({ x: at + 1, ms: medianMs(costs, 'wallMs') }));
    return {
      verdicts: [
        atMost(
          `${size.books.days} days of ${size.books.runs} runs, hours and days, two lanes, of COPYing the finished rows (wall)`,
          3,
          medianRatio(two, copy, 'wallMs'),
        ),
      ],
      tables: [
        {
          caption: 'Hours and days, wall time of each beside two lanes',
          head: COST_HEAD,
          rows: [
            costRow('two lanes', two, two, 'wallMs'),
            row('one lane', one),
            row('COPY of the finished rows, one connection', copy),
            row('generate_series in PostgreSQL, hours only, no index', [expansion]),
            row('DuckDB, expansion, hours only, one thread', [duckdb]),
          ],
        },
      ],
      curves: [{ name: 'lanes', axis: 'lanes', cost: 'all hours and days, ms', points: lanes }],
      notes: [`Weeks and months after that: ${amountText(coarse.wallMs, 'ms')}.`],
    };
  },
};
