/** Reports over a year, as `jobhours usage` reads them: what a person waits for. */
import { withUsageReport, type UsageRequest } from '../client/usage-report.js';
import type { Dimension } from '../client/usage-groups.js';
import type { Step } from '../domain/report-pieces.js';
import { amountText, type Bench, type Setup, type Verdict } from './bench.js';
import { runsOf } from './books-data.js';
import { buildCoarse, buildHoursAndDays, UTC } from './built-books.js';
import { databaseCost, inRounds, medianMs } from './cost.js';
import { spanOf } from './run-data.js';
import type { StageDatabase } from './stage.js';

/** A person does not notice it. */
const AT_ONCE_MS = 100;
const TOP = 20;

interface Report {
  readonly what: string;
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly user: string | null;
  /** False where the answer has tens of thousands of rows, or sums millions of them: no table makes that short. */
  readonly isAtOnce: boolean;
}

const REPORTS: readonly Report[] = [
  { what: 'one user, the year', step: 'none', by: [], user: 'user3', isAtOnce: true },
  { what: 'one user, by month', step: 'month', by: [], user: 'user3', isAtOnce: true },
  { what: 'one user, by day', step: 'day', by: [], user: 'user3', isAtOnce: true },
  { what: 'one user, by hour', step: 'hour', by: [], user: 'user3', isAtOnce: true },
  { what: 'all users together, the year', step: 'none', by: [], user: null, isAtOnce: true },
  { what: 'all users together, by month', step: 'month', by: [], user: null, isAtOnce: true },
  { what: 'all users together, by day', step: 'day', by: [], user: null, isAtOnce: false },
  { what: 'all users together, by hour', step: 'hour', by: [], user: null, isAtOnce: false },
  { what: `top ${TOP} users of the year`, step: 'none', by: ['user'], user: null, isAtOnce: true },
  { what: 'each user, by month', step: 'month', by: ['user'], user: null, isAtOnce: false },
  { what: 'each user, by day', step: 'day', by: ['user'], user: null, isAtOnce: false },
];

/** Reads a report to its end. Returns how many rows it had, and its highest ones when they are sorted. */
async function read(
  { database }: StageDatabase,
  setup: Setup,
  { step, by, user }: Report,
): Promise<number> {
  const request: UsageRequest = {
    windowAt: () => spanOf(setup.size.year),
    step,
    by,
    filter: { user, space: null, pool: null },
  };
  return withUsageReport(database, UTC, request, async (report) => {
    const amounts: bigint[] = [];
    for await (const row of report.rows) amounts.push(row.milliGpuMs);
    amounts.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0));
    return amounts.length;
  });
}

async function builtYear(setup: Setup): Promise<StageDatabase> {
  const set = await runsOf(setup, 'year', setup.size.year);
  setup.say('building the year');
  await buildHoursAndDays(set.url, spanOf(setup.size.year), 2);
  await buildCoarse(set.url, spanOf(setup.size.year));
  await set.client.query('vacuum analyze');
  return set;
}

export const yearReports: Bench = {
  name: 'reports',
  title: 'Reports over a year',
  async run(setup) {
    const set = await builtYear(setup);
    const rows: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const report of REPORTS) {
      let answered = await read(set, setup, report);
      const { reading } = await inRounds(Math.min(setup.size.rounds, report.isAtOnce ? 5 : 1), {
        reading: () =>
          databaseCost(set.database, async () => (answered = await read(set, setup, report))),
      });
      const wallMs = medianMs(reading, 'wallMs');
      rows.push([report.what, String(answered), amountText(wallMs, 'ms')]);
      if (!report.isAtOnce) continue;
      verdicts.push({
        target: `report over a year: ${report.what} (wall)`,
        bound: `<= ${AT_ONCE_MS} ms`,
        measured: amountText(wallMs, 'ms'),
        isMet: wallMs <= AT_ONCE_MS,
      });
    }
    const { rows: sizes } = await set.client.query<{ hours: string; days: string; months: string }>(
      `select (select count(*) from usage_hour) as hours, (select count(*) from usage_day) as days,
        (select count(*) from usage_month) as months`,
    );
    const [{ hours, days, months } = { hours: '', days: '', months: '' }] = sizes;
    await setup.stage.drop('year');
    return {
      verdicts,
      tables: [
        {
          caption: `A year of ${setup.size.year.runs} runs: ${hours} rows of hours, ${days} of days, ${months} of months`,
          head: ['report', 'rows', 'wall'],
          rows,
        },
      ],
    };
  },
};
