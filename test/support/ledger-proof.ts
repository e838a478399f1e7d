/**
 * Proves a quiet ledger without trusting it: rows by the overlap formula, digests by hashing the rows and the runs
 * again. Owns the comparison only; it knows nothing of carries handed on, marks read or orders of building.
 */
import { GRANULARITIES, PART_OF } from '../../domain/period.js';
import type { TestDatabase } from './database.js';
import { differences, USAGE_TABLES } from './runs.js';

const hashOf = (values: string, order: string): string =>
  `sha256(coalesce(string_agg(${values}, ''::bytea order by ${order}), ''))`;

const ROWS_DIGEST = hashOf(
  `int4send(usage_key) || int8send(run_ms) || int8send(milli_gpu_ms) || int8send(runs_started)
   || int8send(runs_ended) || int8send(runs_carried_in) || int8send(runs_out) || int8send(milli_gpus_out)`,
  'usage_key',
);

/** What runs at an instant, straight from the runs. */
const alive = (atMs: string): string => `(
  select ${hashOf('int4send(usage_key) || int8send(runs) || int8send(milli_gpus)', 'usage_key')}
  from (
    select usage_key, count(*) as runs, isum(milli_gpus) as milli_gpus from run
    where started_at_ms < ${atMs} and (ended_at_ms is null or ended_at_ms >= ${atMs})
    group by usage_key
  ) alive)`;

/** Ledger rows whose digests or row counts are not those of the rows, the runs and the parts as they are now. */
async function wrongDigests(test: TestDatabase): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const granularity of GRANULARITIES) {
    const part = PART_OF[granularity];
    const inputs =
      part === null
        ? `p.carry_in_digest = ${alive('p.start_at_ms')} as carry_in_fits,
           p.carry_out_digest = ${alive('p.end_at_ms')} as carry_out_fits`
        : `p.inputs_digest = (
             select ${hashOf('int8send(c.start_at_ms) || int8send(c.end_at_ms) || c.digest', 'c.start_at_ms')}
             from period c where c.granularity = '${part}'
               and c.start_at_ms >= p.start_at_ms and c.end_at_ms <= p.end_at_ms) as inputs_fit`;
    const rows = await test.query<Record<string, unknown>>(
      `select p.granularity, p.start_at_ms, rows.digest = p.digest as rows_fit, rows.count = p.row_count as count_fits,
         ${inputs}
       from period p cross join lateral (
         select count(*) as count, ${ROWS_DIGEST} as digest
         from ${USAGE_TABLES[granularity]} where period_start_at_ms = p.start_at_ms) rows
       where p.granularity = '${granularity}' order by p.start_at_ms`,
    );
    found.push(...rows.filter((row) => Object.values(row).includes(false)));
  }
  return found;
}

/** What is wrong in books that nobody changes any more. Empty: equal to a fresh computation to the last ms and bit. */
export async function ledgerFaults(test: TestDatabase, endAtMs: number): Promise<unknown[]> {
  const marks = await test.query(
    'select minute * 60000 as mark_at_ms from usage_change where minute < $1::bigint / 60000 order by 1',
    [endAtMs],
  );
  return [...(await differences(test)), ...(await wrongDigests(test)), ...marks];
}
