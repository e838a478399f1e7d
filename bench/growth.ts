/** How the price of an hour grows with the length of jobs and with the number of users. */
import { buildPeriod } from '../db/period-builder.js';
import { MS_PER_HOUR, MS_PER_MINUTE } from '../domain/units.js';
import {
  amountText,
  PROCESSOR,
  type Bench,
  type Curve,
  type Finding,
  type Setup,
} from './bench.js';
import { hoursFrom, runsOf } from './books-data.js';
import { databaseCost, inRounds, median, medianMs } from './cost.js';
import { ORDINARY, type RunData } from './run-data.js';
import { emptyFloor, insertFinished } from './write-floor.js';

const NAME = 'curve';
const DAYS = 90;
const LENGTHS: readonly (readonly [string, number])[] = [
  ['5 minutes', 5 * MS_PER_MINUTE],
  ['54 minutes', 54 * MS_PER_MINUTE],
  ['7.4 hours', 7.4 * MS_PER_HOUR],
  ['42 hours', 42 * MS_PER_HOUR],
  ['5 days', 124 * MS_PER_HOUR],
];

interface Point {
  readonly x: number;
  readonly label: string;
  readonly ms: number;
  readonly insertMs: number;
  readonly rows: number;
}

/** Closes hours in the middle of books of their own, beside inserting their finished rows. */
async function pointOf(setup: Setup, data: RunData, x: number, label: string): Promise<Point> {
  const set = await runsOf(setup, NAME, data);
  const { client, database } = set;
  await emptyFloor(client, 'usage_hour');
  const hour = await hoursFrom(set, data, 0.5);
  const rows: number[] = [];
  const costs = await inRounds(setup.size.rounds + 2, {
    build: (n) =>
      databaseCost(database, async () =>
        rows.push((await buildPeriod(database, hour(n))).rowCount),
      ),
    insert: (n) => insertFinished(client, 'usage_hour', hour(n).startAtMs),
  });
  await setup.stage.drop(NAME);
  const [ms, insertMs] = [medianMs(costs.build, PROCESSOR), medianMs(costs.insert, PROCESSOR)];
  return { x, label, ms, insertMs, rows: median(rows) };
}

function findingOf(name: string, axis: string, caption: string, points: readonly Point[]): Finding {
  const curve: Curve = {
    name,
    axis,
    cost: 'an hour, ms',
    points: points.map(({ x, ms }) => ({ x, ms })),
  };
  return {
    verdicts: [],
    tables: [
      {
        caption,
        head: [name, 'rows of the hour', 'closing it', 'INSERT of its rows', 'each row'],
        rows: points.map(({ label, ms, insertMs, rows }) => [
          label,
          rows.toFixed(0),
          amountText(ms, 'ms'),
          amountText(insertMs, 'ms'),
          amountText((1_000 * ms) / rows, 'ms').replace('ms', 'us'),
        ]),
      },
    ],
    curves: [curve],
  };
}

export const jobLength: Bench = {
  name: 'length',
  title: 'Longer jobs',
  async run(setup) {
    const points: Point[] = [];
    for (const [label, meanMs] of LENGTHS) {
      const data = { ...ORDINARY, meanMs, days: DAYS, runs: setup.size.curveRuns };
      points.push(await pointOf(setup, data, meanMs / MS_PER_HOUR, label));
    }
    const caption = `${setup.size.curveRuns} runs in ${DAYS} days, PostgreSQL's processor time`;
    return findingOf('mean length', 'mean length of a job, hours', caption, points);
  },
};

export const userNumber: Bench = {
  name: 'users',
  title: 'More users',
  async run(setup) {
    const points: Point[] = [];
    for (const users of setup.size.curveUsers) {
      const data = { ...ORDINARY, users, days: DAYS / 10, runs: setup.size.curveRuns };
      points.push(await pointOf(setup, data, users, String(users)));
    }
    const caption = `${setup.size.curveRuns} runs in ${DAYS / 10} days, PostgreSQL's processor time`;
    return findingOf('users', 'users', caption, points);
  },
};
