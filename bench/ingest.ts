/** Storing runs as they arrive: what marks and indexes cost, and how many records a statement should hold. */
import {
  amountText,
  atLeast,
  COST_HEAD,
  costRow,
  PROCESSOR,
  type Bench,
  type Setup,
} from './bench.js';
import { inRounds, medianMs, medianRatio, type Cost } from './cost.js';
import { ingest, ingestBooks, type Guard, type Pattern } from './live-ingest.js';

const A_STATEMENT = 1_000;
const STATEMENTS = [1, 10, 100, 1_000, 10_000];
const CURVE_RECORDS = 10_000;

/** The same number of runs in each round, for each way to store them. */
async function guards(
  setup: Setup,
  pattern: Pattern,
): Promise<Readonly<Record<Guard, readonly Cost[]>>> {
  const set = await ingestBooks(setup);
  const rounds = Math.min(setup.size.rounds, 5);
  const count = Math.ceil(setup.size.ingested / rounds);
  const of = (guard: Guard) => (): Promise<Cost> =>
    ingest(set, { count, aStatement: A_STATEMENT, guard, pattern });
  return inRounds(rounds, {
    everything: of('everything'),
    'no marks': of('no marks'),
    'keys only': of('keys only'),
  });
}

function rows(what: string, costs: Readonly<Record<Guard, readonly Cost[]>>): string[][] {
  const { everything } = costs;
  return [
    costRow(`${what}: with marks and all indexes`, everything, everything),
    costRow(`${what}: without marks`, costs['no marks'], everything),
    costRow(`${what}: a table with its keys only`, costs['keys only'], everything),
  ];
}

/** Processor time of each record, in microseconds, by how many a statement holds. */
async function statementCurve(setup: Setup): Promise<{ x: number; ms: number }[]> {
  const set = await ingestBooks(setup);
  const points: { x: number; ms: number }[] = [];
  for (const aStatement of STATEMENTS) {
    const count = Math.min(CURVE_RECORDS, setup.size.ingested, aStatement * 1_000);
    const costs = await inRounds(3, {
      stored: () => ingest(set, { count, aStatement, guard: 'everything', pattern: 'starts' }),
    });
    points.push({ x: aStatement, ms: (1_000 * medianMs(costs.stored, PROCESSOR)) / count });
  }
  return points;
}

export const ingesting: Bench = {
  name: 'ingest',
  title: 'Storing runs as they arrive',
  async run(setup) {
    const starts = await guards(setup, 'starts');
    const finished = await guards(setup, 'finished');
    const points = await statementCurve(setup);
    return {
      verdicts: [
        atLeast(
          'ingest, 1,000 rows a statement, live pattern, all indexes: speed with marks, of without',
          0.85,
          medianRatio(starts['no marks'], starts.everything, PROCESSOR),
        ),
        atLeast(
          'the same: speed, of the same table with its keys only',
          1 / 3,
          medianRatio(starts['keys only'], starts.everything, PROCESSOR),
        ),
      ],
      tables: [
        {
          caption: `Rounds of ${Math.ceil(setup.size.ingested / Math.min(setup.size.rounds, 5))} runs, ${A_STATEMENT} a statement`,
          head: COST_HEAD,
          rows: [
            ...rows('starts of running runs', starts),
            ...rows('runs that ended within 2 hours', finished),
          ],
        },
        {
          caption: 'Records a statement (starts, with marks and all indexes)',
          head: ['records a statement', 'PostgreSQL, each record'],
          rows: points.map(({ x, ms }) => [String(x), amountText(ms, 'ms').replace('ms', 'us')]),
        },
      ],
      curves: [
        { name: 'records a statement', axis: 'records a statement', cost: 'a record, us', points },
      ],
    };
  },
};
