/**
 * The list of benches, and running some of them on one server. Owns their order; arguments and printing are main.ts.
 */
import type { Bench } from './bench.js';
import { jobLength, userNumber } from './growth.js';
import { history } from './history.js';
import { hotHour } from './hot-hour.js';
import { ingesting } from './ingest.js';
import { lateRuns } from './late-runs.js';
import { ninetyDays } from './ninety-days.js';
import { oldDay } from './old-day.js';
import { ordinaryHour } from './ordinary-hour.js';
import { planner } from './planner.js';
import { machineLines, type Results } from './results.js';
import type { Size } from './size.js';
import { Stage } from './stage.js';
import { start } from './start.js';
import { yearReports } from './year-reports.js';

/** In the order in which they run: benches that copy the books stand before those that build hours in them. */
export const BENCHES: readonly Bench[] = [
  ninetyDays,
  lateRuns,
  history,
  ordinaryHour,
  oldDay,
  hotHour,
  ingesting,
  planner,
  start,
  yearReports,
  jobLength,
  userNumber,
];

/** Runs benches on a server of their own, one after the other. */
export async function runBenches(
  benches: readonly Bench[],
  size: Size,
  say: (text: string) => void,
): Promise<{ results: Results; machine: string[] }> {
  const stage = await Stage.start();
  try {
    const results: [Bench, Awaited<ReturnType<Bench['run']>>][] = [];
    for (const bench of benches) {
      say(`${bench.name}: ${bench.title}`);
      results.push([bench, await bench.run({ stage, size, say: (text) => say(`  ${text}`) })]);
    }
    return { results, machine: machineLines(stage, size) };
  } finally {
    await stage.close();
  }
}
