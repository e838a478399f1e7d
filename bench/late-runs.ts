/** Late records in closed days: what the keeper does until every level fits again, beside building all afresh. */
import { MS_PER_DAY } from '../domain/units.js';
import {
  atMost,
  COST_HEAD,
  costRow,
  PROCESSOR,
  requireSame,
  type Bench,
  type Setup,
} from './bench.js';
import { answerOf } from './answers.js';
import { copiedBooks } from './books-data.js';
import { buildCoarse, buildHoursAndDays, mend } from './built-books.js';
import type { Cost } from './cost.js';
import { spanOf } from './run-data.js';
import type { StageDatabase } from './stage.js';

const LATE = 'late_books';
const LATE_DAYS = 5;

/** Runs of up to two hours, spread evenly over five days in the middle of the books. */
const INSERT = `
  insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select 1, 'late' || n, n, n % 6 + 1, 1000, at_ms, at_ms + n * 7919 % 7200000, 0
  from generate_series(1, $1::integer) n
  cross join lateral (select $2::bigint + n * $3::bigint / $1::integer as at_ms) begun`;

/** Books with every period built, afresh; and what that cost. */
async function builtAfresh(setup: Setup): Promise<[StageDatabase, Cost]> {
  const { size } = setup;
  const set = await copiedBooks(setup, LATE);
  const span = spanOf(size.books);
  const costs = [await buildHoursAndDays(set.url, span, 1), await buildCoarse(set.url, span)];
  const sum = (clock: keyof Cost): number => costs.reduce((ms, cost) => ms + cost[clock], 0);
  return [set, { wallMs: sum('wallMs'), backendMs: sum('backendMs'), nodeMs: sum('nodeMs') }];
}

const allRows = (granularity: string): string =>
  `(select period_start_at_ms, usage_key, run_ms, milli_gpu_ms from usage_${granularity})`;

/** The same runs built afresh give the same rows. */
async function requireFreshAnswer(setup: Setup, mended: StageDatabase): Promise<void> {
  const granularities = ['hour', 'day', 'week', 'month'];
  const answers = async (): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (const one of granularities) found.push(await answerOf(mended.client, allRows(one)));
    return found;
  };
  const ours = await answers();
  await mended.client.query('truncate usage_hour, usage_day, usage_week, usage_month, period');
  const span = spanOf(setup.size.books);
  await buildHoursAndDays(mended.url, span, 2);
  await buildCoarse(mended.url, span);
  requireSame('building afresh', ours, await answers());
}

export const lateRuns: Bench = {
  name: 'late',
  title: 'Late runs in closed days',
  async run(setup) {
    const { size, say, stage } = setup;
    say('building books afresh');
    const [set, fresh] = await builtAfresh(setup);
    const { startAtMs, endAtMs } = spanOf(size.books);
    const middle = startAtMs + Math.floor((endAtMs - startAtMs) / 2 / MS_PER_DAY) * MS_PER_DAY;
    const lateMs = Math.min(LATE_DAYS * MS_PER_DAY, endAtMs - middle);
    await set.client.query(INSERT, [size.lateRuns, middle, lateMs]);
    const { cost, builds } = await mend(set.url, startAtMs);
    say('building the same runs afresh, to compare');
    await requireFreshAnswer(setup, set);
    await stage.drop(LATE);
    return {
      verdicts: [
        atMost(
          `${size.lateRuns} late runs over ${LATE_DAYS} closed days, all levels, of aggregating the ${size.books.days} days afresh`,
          1 / 20,
          cost[PROCESSOR] / fresh[PROCESSOR],
        ),
      ],
      tables: [
        {
          caption: 'Until every level fits again',
          head: COST_HEAD,
          rows: [
            costRow('building all afresh, one lane', [fresh], [fresh]),
            costRow(`mending (${builds} periods built)`, [cost], [fresh]),
          ],
        },
      ],
    };
  },
};
