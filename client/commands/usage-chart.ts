/** `jobhours usage --chart`: GPU-hours as bars. Owns which bars there are; their lengths are chart-bars.ts. */
import type { Calendar } from '../../domain/calendar.js';
import { gpuHoursText } from '../../domain/units.js';
import { chartLines, type ChartBar, type ChartStyle } from './chart-bars.js';
import { DIMENSIONS } from '../usage-groups.js';
import type { RowState, UsageReport, UsageRow } from '../usage-report.js';
import { shownName } from './output.js';
import { countText } from './screen.js';
import {
  clippedLine,
  headerLines,
  isClippedPeriod,
  rowsUpTo,
  type TableOptions,
} from './usage-table.js';

/** Groups that have bars of their own. */
const MOST_GROUPS = 20;
/** Rows that are gathered for a chart. */
const MAX_ROWS = 100_000;
const DIGITS = 2;
const WIDTH_WITHOUT_TERMINAL = 80;

/** The mark behind the label of a period. A window without periods has one state, which needs no mark. */
const STATE_MARK: Readonly<Record<RowState, string>> = {
  complete: '',
  provisional: '~',
  incomplete: '?',
};
const STATE_LINE: Readonly<Record<Exclude<RowState, 'complete'>, string>> = {
  provisional: 'provisional: not over yet',
  incomplete: 'incomplete: records may be missing',
};

interface ChartOptions extends TableOptions {
  readonly color: boolean;
}

/** Where a chart is printed. */
interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** As wide as the terminal, 80 without one; plain characters when it cannot do more or NO_COLOR or --no-color says so. */
export function chartStyle(
  { isTTY, columns }: Terminal,
  environment: Readonly<Record<string, string | undefined>>,
  color: boolean,
): ChartStyle {
  const isPlain =
    !color || (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  const width = columns === undefined || columns === 0 ? WIDTH_WITHOUT_TERMINAL : columns;
  return { width, isAscii: isPlain || isTTY !== true };
}

/** Prints the chart: a line per row, of groups the 20 largest and `others`. RANGE_TOO_LARGE above 100,000 rows. */
export async function printUsageChart(
  print: (text: string) => void,
  report: UsageReport,
  options: ChartOptions,
  calendar: Calendar,
  style: ChartStyle = chartStyle(process.stdout, process.env, options.color),
): Promise<void> {
  const rows = await rowsUpTo(MAX_ROWS, report.rows);
  const hasPeriods = options.step !== 'none';
  const isClipped = (row: UsageRow): boolean => isClippedPeriod(row, report, options, calendar);
  const marks = (row: UsageRow): string =>
    hasPeriods ? (isClipped(row) ? '*' : '') + STATE_MARK[row.state] : '';
  const bars = barsOf(rows, options, marks);
  const most = bars.reduce((longest, { amount }) => (amount > longest ? amount : longest), 0n);
  print(headerLines(report, options, calendar).join('\n'));
  print(`Bars from 0 to ${gpuHoursText(most, DIGITS)} GPU-hours\n`);
  if (bars.length > 0) print(chartLines(bars, style).join('\n'));
  const notes = [
    ...(rows.some(isClipped) ? [clippedLine(options)] : []),
    ...(['provisional', 'incomplete'] as const)
      .filter((state) => rows.some((row) => row.state === state))
      .map((state) => `${hasPeriods ? `${STATE_MARK[state]} ` : ''}${STATE_LINE[state]}`),
  ];
  if (notes.length > 0) print(`\n${notes.join('\n')}`);
}

/** A bar for each row, the marks of its period in a column of their own; with dimensions those of a period by size, what is not among the largest groups as `others`. */
function barsOf(
  rows: readonly UsageRow[],
  options: ChartOptions,
  marks: (row: UsageRow) => string,
): ChartBar[] {
  const width = Math.max(0, ...rows.map((row) => marks(row).length));
  const lead = (row: UsageRow): string =>
    `${options.step === 'none' ? '' : row.label}${marks(row).padEnd(width)}`;
  if (options.by.length === 0) {
    return rows.map((row) => barOf(lead(row) === '' ? 'all' : lead(row), row.milliGpuMs));
  }
  const ranks = ranksOf(rows);
  return periodsOf(rows).flatMap((period) => {
    const rank = (row: UsageRow): number => ranks.get(nameOf(row)) ?? MOST_GROUPS;
    const named = period.filter((row) => rank(row) < MOST_GROUPS);
    const others = period.filter((row) => rank(row) >= MOST_GROUPS);
    const label = (row: UsageRow, name: string): string => `${lead(row)} ${name}`.trim();
    return [
      ...named
        .sort((a, b) => rank(a) - rank(b))
        .map((row) => barOf(label(row, nameOf(row)), row.milliGpuMs)),
      ...others.slice(0, 1).map((row) => {
        const sum = others.reduce((total, { milliGpuMs }) => total + milliGpuMs, 0n);
        return barOf(label(row, `others (${countText(others.length)})`), sum);
      }),
    ];
  });
}

function barOf(label: string, amount: bigint): ChartBar {
  return { label, amount, text: gpuHoursText(amount, DIGITS) };
}

function nameOf(row: UsageRow): string {
  return DIMENSIONS.flatMap((dimension) => row[dimension] ?? [])
    .map(shownName)
    .join(' / ');
}

/** Group -> its place by the GPU time of the whole window, from 0; equal ones in the order of the report. */
function ranksOf(rows: readonly UsageRow[]): ReadonlyMap<string, number> {
  const totals = new Map<string, bigint>();
  for (const row of rows) {
    totals.set(nameOf(row), (totals.get(nameOf(row)) ?? 0n) + row.milliGpuMs);
  }
  const sorted = [...totals].sort(([, a], [, b]) => (b > a ? 1 : b < a ? -1 : 0));
  return new Map(sorted.map(([name], place) => [name, place]));
}

/** Rows of one period each, in time order. */
function periodsOf(rows: readonly UsageRow[]): UsageRow[][] {
  const periods = new Map<number, UsageRow[]>();
  for (const row of rows) {
    const period = periods.get(row.startAtMs) ?? [];
    period.push(row);
    periods.set(row.startAtMs, period);
  }
  return [...periods.values()];
}
