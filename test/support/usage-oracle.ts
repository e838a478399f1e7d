/**
 * What a report must say, by the overlap formula in plain SQL over the runs: no ledger, no carry, no pieces.
 * Independent of the product's code except for the calendar's boundaries, which have proofs of their own.
 */
import type { Dimension } from '../../client/usage-groups.js';
import { withUsageReport, type NameFilter, type UsageRow } from '../../client/usage-report.js';
import type { Calendar } from '../../domain/calendar.js';
import type { Span } from '../../domain/period.js';
import { reportRows, type Step } from '../../domain/report-pieces.js';
import type { TestDatabase } from './database.js';

export const NO_FILTER: NameFilter = { user: null, space: null, pool: null };

const ORACLE = `
  select * from (select s.number,
    case when $3 then u.name end as user_name,
    case when $4 then sp.name end as space_name,
    case when $5 then p.name end as pool_name,
    sum(greatest(0, least(coalesce(r.ended_at_ms, $6), s.b) - greatest(r.started_at_ms, s.a))) as run_ms,
    sum(greatest(0, least(coalesce(r.ended_at_ms, $6), s.b) - greatest(r.started_at_ms, s.a)) * r.milli_gpus) as milli_gpu_ms,
    count(*) filter (where r.started_at_ms >= s.a) as started,
    count(*) filter (where r.ended_at_ms < s.b) as ended,
    count(*) filter (where r.started_at_ms < s.a) as carried_in
  from unnest($1::bigint[], $2::bigint[]) with ordinality s (a, b, number)
  join run r on r.started_at_ms < s.b and (r.ended_at_ms is null or r.ended_at_ms >= s.a)
  join usage_key k on k.id = r.usage_key
  join dim_user u on u.id = k.user_id
  join dim_space sp on sp.id = k.space_id
  join dim_pool p on p.id = k.pool_id
  where ($7::text is null or u.name = $7) and ($8::text is null or sp.name = $8)
    and ($9::text is null or p.name = $9)
  group by 1, 2, 3, 4) figures
  order by number, user_name collate "C", space_name collate "C", pool_name collate "C"`;

interface OracleRow {
  number: string;
  user_name: string | null;
  space_name: string | null;
  pool_name: string | null;
  run_ms: string;
  milli_gpu_ms: string;
  started: string;
  ended: string;
  carried_in: string;
}

export interface OracleRequest {
  /** The rows' spans, cut at now. */
  readonly spans: readonly Span[];
  readonly by: readonly Dimension[];
  readonly filter?: Partial<NameFilter>;
  readonly nowMs: number;
}

/** One line of text per row, comparable with `lineOf`. Without dimensions a span without usage is a line of zeros. */
export async function oracleLines(test: TestDatabase, request: OracleRequest): Promise<string[]> {
  const { spans, by, nowMs } = request;
  const filter = { ...NO_FILTER, ...request.filter };
  const rows = await test.query<OracleRow>(ORACLE, [
    spans.map((span) => span.startAtMs),
    spans.map((span) => span.endAtMs),
    by.includes('user'),
    by.includes('space'),
    by.includes('pool'),
    nowMs,
    filter.user,
    filter.space,
    filter.pool,
  ]);
  return spans.flatMap(({ startAtMs, endAtMs }, index) => {
    const head = `${startAtMs} ${endAtMs}`;
    const found = rows.filter((row) => row.number === String(index + 1));
    if (found.length === 0 && by.length === 0) return [`${head} null/null/null 0 0 0 0 0`];
    return found.map((row) =>
      [
        head,
        `${row.user_name}/${row.space_name}/${row.pool_name}`,
        row.run_ms,
        row.milli_gpu_ms,
        row.started,
        row.ended,
        row.carried_in,
      ].join(' '),
    );
  });
}

/** A report's row as a line. */
export function lineOf(row: UsageRow): string {
  return [
    row.startAtMs,
    row.endAtMs,
    `${row.user}/${row.space}/${row.pool}`,
    row.runMs,
    row.milliGpuMs,
    row.runsStarted,
    row.runsEnded,
    row.runsCarriedIn,
  ].join(' ');
}

/** A report that is asked for. */
export interface Asked {
  readonly window: Span;
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly filter: NameFilter;
}

/** A report's rows, as lines too, and what these must be at the same instant, in order. */
export async function reportAndOracle(
  test: TestDatabase,
  calendar: Calendar,
  asked: Asked,
): Promise<{ rows: UsageRow[]; lines: string[]; expected: string[] }> {
  const { step, by, filter } = asked;
  return withUsageReport(
    test.database,
    calendar,
    { ...asked, windowAt: () => asked.window },
    async (report) => {
      const { asOfMs, window } = report;
      const rows: UsageRow[] = [];
      for await (const row of report.rows) rows.push(row);
      const spans = [...reportRows(step, window, calendar, asOfMs)];
      const expected = await oracleLines(test, { spans, by, filter, nowMs: asOfMs });
      return { rows, lines: rows.map(lineOf), expected };
    },
  );
}
