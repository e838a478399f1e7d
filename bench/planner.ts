/** One plan over years of ledger in which everything fits: what each tick costs. */
import { readLedgerState } from '../db/ledger-store.js';
import { plan } from '../domain/plan.js';
import { MS_PER_DAY } from '../domain/units.js';
import { atMost, COST_HEAD, costRow, requireSame, type Bench, type Setup } from './bench.js';
import { UTC } from './built-books.js';
import { databaseCost, inRounds, median } from './cost.js';
import type { StageDatabase } from './stage.js';

const START_AT_MS = Date.UTC(2022, 0, 1);

const HOURS = `
  insert into period (granularity, start_at_ms, end_at_ms, label, mark_from_ms, carry_in_digest,
    carry_out_digest, digest, row_count, aggregated_at_ms)
  select 'hour', at_ms, at_ms + 3600000, at_ms, case when at_ms > $1 then at_ms else 0 end, sha256('carry'), sha256('carry'),
    sha256(at_ms::text::bytea), 0, at_ms + 3600000
  from generate_series($1::bigint, $2::bigint - 3600000, 3600000) at_ms`;

const COARSE = `
  insert into period (granularity, start_at_ms, end_at_ms, label, inputs_digest, digest, row_count,
    aggregated_at_ms)
  select $3, $1::bigint, $2::bigint, $4, sha256(coalesce(string_agg(
      int8send(start_at_ms) || int8send(end_at_ms) || digest, ''::bytea order by start_at_ms), '')),
    sha256($4::text::bytea), 0, $2
  from period
  where granularity = case $3 when 'day' then 'hour' else 'day' end
    and start_at_ms >= $1 and end_at_ms <= $2`;

/** A ledger of whole years without usage; marks lie in its newest hour. */
async function storeLedger({ client }: StageDatabase, endAtMs: number): Promise<number> {
  const span = { startAtMs: START_AT_MS, endAtMs };
  await client.query('update books set origin_at_ms = $1', [START_AT_MS]);
  await client.query(HOURS, [START_AT_MS, endAtMs]);
  let coarse = 0;
  for (const granularity of ['day', 'week', 'month'] as const) {
    for (const period of UTC.periodsWithin(granularity, span)) {
      await client.query(COARSE, [period.startAtMs, period.endAtMs, granularity, period.label]);
      coarse += 1;
    }
  }
  await client.query(
    'insert into usage_change select $1::bigint / 60000 + n % 60 from generate_series(1, 1000) n',
    [endAtMs - 3_600_000],
  );
  await client.query('vacuum analyze');
  return coarse;
}

/** Reads the ledger and plans, as a tick does that looks at all granularities. */
async function planOnce({ database }: StageDatabase, nowMs: number): Promise<number> {
  const ledger = await database.transaction(
    { isolation: 'repeatable read', readOnly: true },
    readLedgerState,
  );
  const planned = plan({
    nowMs,
    graceMs: 0,
    catchUpMs: 45 * MS_PER_DAY,
    calendar: UTC,
    originAtMs: START_AT_MS,
    ledger: ledger.ranges,
    stale: ledger.stale,
    coarsest: 'month',
    leftOut: [],
    failed: new Set(),
  });
  return planned.build.filter((period) => period.granularity === 'hour').length;
}

export const planner: Bench = {
  name: 'planner',
  title: 'A plan over years of ledger',
  async run({ stage, size }: Setup) {
    const endAtMs = Date.UTC(2022 + size.plannedYears, 0, 1);
    let coarse = 0;
    const set = await stage.database('planned', async (made) => {
      coarse = await storeLedger(made, endAtMs);
    });
    requireSame('the plan', 1, await planOnce(set, endAtMs));
    const { planned } = await inRounds(size.rounds, {
      planned: () => databaseCost(set.database, () => planOnce(set, endAtMs)),
    });
    const totalMs = median(planned.map(({ backendMs, nodeMs }) => backendMs + nodeMs));
    const hours = (endAtMs - START_AT_MS) / 3_600_000;
    return {
      verdicts: [
        atMost(
          `planner over ${size.plannedYears} years of ledger, processor time`,
          60,
          totalMs,
          'ms',
        ),
      ],
      tables: [
        {
          caption: `${hours} hours and ${coarse} days, weeks and months in the ledger, 1,000 marks`,
          head: COST_HEAD,
          rows: [costRow('read the ledger and plan', planned, planned)],
        },
      ],
    };
  },
};
