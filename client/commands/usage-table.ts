/** The table of `jobhours usage`: header lines, rows, exact total. Printing only. */
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import type { Step } from '../../domain/report-pieces.js';
import { gpuHoursText, hoursText } from '../../domain/units.js';
import { DIMENSIONS, type Dimension } from '../usage-groups.js';
import type { Amounts, NameFilter, UsageReport, UsageRow } from '../usage-report.js';
import { tableText } from './output.js';

/** Rows of a table that a person reads at most; csv and jsonl have no limit. */
const MAX_TABLE_ROWS = 10_000;

interface TableOptions extends Partial<NameFilter> {
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
  const rows: UsageRow[] = [];
  for await (const row of report.rows) {
    rows.push(row);
    if (rows.length > MAX_TABLE_ROWS) throw tooLarge();
  }
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
  const lead = (row: UsageRow): string[] => [
    ...(hasPeriods ? [row.label] : []),
    ...options.by.map((dimension) => row[dimension] ?? ''),
  ];
  const lines = rows.map((row) => [...lead(row), ...amountCells(row), row.state]);
  const width = columns.length - 6;
  if (rows.length > 1 && width > 0) {
    const blanks = Array.from({ length: width - 1 }, () => '');
    lines.push(['total', ...blanks, ...amountCells(totalOf(rows, report.window.startAtMs)), '']);
  }
  print(`\n${tableText(columns, lines)}`);
}

function headerLines(
  { asOfMs, window, books, lengthened }: UsageReport,
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
    `As of ${asOf}; coverage of sources: not declared`,
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
  const sum = (amountOf: (row: UsageRow) => bigint): bigint =>
    rows.reduce((total, row) => total + amountOf(row), 0n);
  return {
    runMs: sum((row) => row.runMs),
    milliGpuMs: sum((row) => row.milliGpuMs),
    runsStarted: sum((row) => row.runsStarted),
    runsEnded: sum((row) => row.runsEnded),
    runsCarriedIn: sum((row) => (row.startAtMs === windowStartAtMs ? row.runsCarriedIn : 0n)),
  };
}

function tooLarge(): JobhoursError {
  return new JobhoursError(
    'RANGE_TOO_LARGE',
    `the table has more than ${MAX_TABLE_ROWS} rows: take -o csv or -o jsonl, a coarser --step or a shorter window`,
    { limit: MAX_TABLE_ROWS },
  );
}
