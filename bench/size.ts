/** How large the bench's data are, for each way to call it. Owns the numbers; their shapes are run-data.ts. */
import { MS_PER_MINUTE } from '../domain/units.js';
import { ORDINARY, type RunData } from './run-data.js';

/** 10 million runs over 90 days have 4,630 starts an hour. */
const RUNS_A_DAY = 10_000_000 / 90;

export interface Size {
  readonly name: 'tiny' | 'quick' | 'usual' | 'full';
  /** Of each pair that is compared. */
  readonly rounds: number;
  /** Rounds of what takes a minute and more. */
  readonly longRounds: number;
  /** The books of most benches. */
  readonly books: RunData;
  /** A tenth of their history, as dense. */
  readonly youngBooks: RunData;
  /** One hour of it is closed. */
  readonly hot: RunData;
  /** Runs that arrive, in statements of 1,000. */
  readonly ingested: number;
  /** Years that the planner looks at. */
  readonly plannedYears: number;
  readonly lateRuns: number;
  /** A year of runs, for reports. */
  readonly year: RunData;
  /** Runs in the books of each point of a curve. */
  readonly curveRuns: number;
  readonly curveUsers: readonly number[];
}

function ordinary(days: number): RunData {
  return { ...ORDINARY, days, runs: Math.round(RUNS_A_DAY * days) };
}

/** Half a minute long each, all in two hours. */
function hot(runs: number): RunData {
  return { runs, days: 2 / 24, meanMs: MS_PER_MINUTE / 2, sigma: 1.2, users: 2_000 };
}

function year(runs: number): RunData {
  return { ...ORDINARY, days: 365, runs };
}

export const SIZES: Readonly<Record<Size['name'], Size>> = {
  /** For the test that keeps the bench alive: nothing of it is a measurement. */
  tiny: {
    name: 'tiny',
    rounds: 1,
    longRounds: 1,
    books: { ...ordinary(4), runs: 8_000 },
    youngBooks: { ...ordinary(1), runs: 2_000 },
    hot: hot(4_000),
    ingested: 1_000,
    plannedYears: 1,
    lateRuns: 20,
    year: { ...year(1_000), days: 10 },
    curveRuns: 1_000,
    curveUsers: [10, 100],
  },
  quick: {
    name: 'quick',
    rounds: 5,
    longRounds: 1,
    books: ordinary(9),
    youngBooks: ordinary(3),
    hot: hot(840_000),
    ingested: 50_000,
    plannedYears: 3,
    lateRuns: 100,
    year: year(100_000),
    curveRuns: 100_000,
    curveUsers: [10, 1_000, 100_000],
  },
  usual: {
    name: 'usual',
    rounds: 21,
    longRounds: 2,
    books: ordinary(90),
    youngBooks: ordinary(9),
    hot: hot(8_400_000),
    ingested: 300_000,
    plannedYears: 3,
    lateRuns: 1_000,
    year: year(2_000_000),
    curveRuns: 1_000_000,
    curveUsers: [10, 100, 1_000, 10_000, 100_000],
  },
  full: {
    name: 'full',
    rounds: 41,
    longRounds: 5,
    books: ordinary(90),
    youngBooks: ordinary(9),
    hot: hot(8_400_000),
    ingested: 1_000_000,
    plannedYears: 3,
    lateRuns: 1_000,
    year: year(10_000_000),
    curveRuns: 1_000_000,
    curveUsers: [10, 100, 1_000, 10_000, 100_000],
  },
};
