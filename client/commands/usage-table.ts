/** The table of `jobhours usage`: header lines, rows, marks, exact total. Printing only. */
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import type { Step } from '../../domain/report-pieces.js';
import { gpuHoursText, hoursText } from '../../domain/units.js';
import { DIMENSIONS, type Dimension } from '../usage-groups.js';
import type { Amounts, NameFilter, UsagePeriod, UsageReport, UsageRow } from '../usage-report.js';
import { NO_USAGE, plus } from '../usage-sums.js';
import { tableText } from './output.js';

/** Rows of a table that a person reads at most; csv and jsonl have no limit. */
export const MAX_TABLE_ROWS = 10_000;

export interface TableOptions extends Partial<NameFilter> {
  readonly step: Step;
  readonly by: readonly Dimension[];
}

/** Prints the table. RANGE_TOO_LARGE above 10,000 rows. */
export async function printUsageTable(
  print: (text: string) => void,
  report: UsageReport,
  options: TableOptions,
  calendar: Calendar,
): Promise<void> {
  const rows = await rowsUpTo(MAX_TABLE_ROWS, report.rows);
  print(headerLines(report, options, calendar).join('\n'));
  const hasPeriods = options.step !== 'none';
  const columns = [
    ...(hasPeriods ? [{ title: options.step as string }] : []),
    ...options.by.map((dimension) => ({ title: dimension })),
    ...['run hours', 'GPU-hours', 'started', 'ended', 'carried in'].map((title) => ({
      title,
      isNumber: true,
    })),
    { title: 'state' },
  ];
  const isClipped = (row: UsageRow): boolean => isClippedPeriod(row, report, options, calendar);
  const lead = (row: UsageRow): string[] => [
    ...(hasPeriods ? [isClipped(row) ? `${row.label}*` : row.label] : []),
    ...options.by.map((dimension) => row[dimension] ?? ''),
  ];
  const lines = rows.map((row) => [...lead(row), ...amountCells(row), row.state]);
  const width = columns.length - 6;
  if (rows.length > 1 && width > 0) {
    const blanks = Array.from({ length: width - 1 }, () => '');
    lines.push(['total', ...blanks, ...amountCells(totalOf(rows, report.window.startAtMs)), '']);
  }
  print(`\n${tableText(columns, lines)}`);
  if (rows.some(isClipped)) print(`\n${clippedLine(options)}`);
}

/** All rows. RANGE_TOO_LARGE when there are more than `limit`. */
export async function rowsUpTo<Row>(limit: number, source: AsyncIterable<Row>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of source) {
    rows.push(row);
    if (rows.length > limit) throw tooLarge(limit);
  }
  return rows;
}

/** True when the window cuts the period, at its start or before now; a period that is not over yet is not cut. */
export function isClippedPeriod(
  { startAtMs, endAtMs }: UsagePeriod,
  { asOfMs }: Pick<UsageReport, 'asOfMs'>,
  { step }: Pick<TableOptions, 'step'>,
  calendar: Calendar,
): boolean {
  if (step === 'none') return false;
  const whole = calendar.periodAt(step, startAtMs);
  return whole.startAtMs < startAtMs || (endAtMs < whole.endAtMs && endAtMs < asOfMs);
}

/** What the mark of clipped periods means. */
export function clippedLine({ step }: Pick<TableOptions, 'step'>): string {
  return `* clipped by the window: not the whole ${step}`;
}

/** The lines above a table or chart: what was asked, window and zone, unit, instant and coverage, warnings. */
export function headerLines(
  { asOfMs, window, books, lengthened, coverage }: Omit<UsageReport, 'rows'>,
  options: TableOptions,
  calendar: Calendar,
): string[] {
  const [start, end, asOf] = [window.startAtMs, window.endAtMs, asOfMs].map((atMs) =>
    calendar.localText(atMs),
  );
  const by = options.by.length === 0 ? '' : ` by ${options.by.join(', ')}`;
  const step = options.step === 'none' ? '' : ` per ${options.step}`;
  const only = DIMENSIONS.flatMap((dimension) =>
    options[dimension] === undefined ? [] : [`, ${dimension} ${options[dimension]}`],
  );
  return [
    `Usage${by}${step}${only.join('')}${books.isDemo ? ' (demo books: invented records)' : ''}`,
    `[${start}, ${end}) ${calendar.zone}`,
    'Allocated GPU time in GPU-hours; runs are attempts, not jobs',
    `As of ${asOf}; coverage of sources: ${coverage}`,
    ...(lengthened.runs === 0
      ? []
      : [
          `The minimum of ${books.minimumRunMs} ms per run lengthened ${lengthened.runs} runs, by ${lengthened.lengthenedMs} ms in all`,
        ]),
  ];
}

function amountCells(amounts: Amounts): string[] {
  return [
    hoursText(amounts.runMs),
    gpuHoursText(amounts.milliGpuMs),
    String(amounts.runsStarted),
    String(amounts.runsEnded),
    String(amounts.runsCarriedIn),
  ];
}

/** Exact sums. What the whole window carries in is what the rows at its start carry in. */
function totalOf(rows: readonly UsageRow[], windowStartAtMs: number): Amounts {
  return rows.reduce<Amounts>(
    (total, row) => plus(total, row, row.startAtMs === windowStartAtMs),
    NO_USAGE,
  );
}

function tooLarge(limit: number): JobhoursError {
  return new JobhoursError(
    'RANGE_TOO_LARGE',
    `the table has more than ${limit} rows: take -o csv or -o jsonl, a coarser --step or a shorter window`,
    { limit },
  );
}
