/** The table of `jobhours space report`, and how its figures become text. Printing only. */
import type { Calendar } from '../../domain/calendar.js';
import { NO_SPACE } from '../../domain/membership.js';
import { decimalText, gpuHoursText, hoursText, MS_PER_HOUR } from '../../domain/units.js';
import type { SpaceReport, SpaceRow, SpaceStep } from '../space-report.js';
import { tableText } from './output.js';
import {
  clippedLine,
  headerLines,
  isClippedPeriod,
  MAX_TABLE_ROWS,
  rowsUpTo,
} from './usage-table.js';

interface TableOptions {
  readonly step: SpaceStep;
  readonly space?: string;
}

const MEMBERS_LINE =
  'Members are averages over the time of the period; active users are distinct, not to be summed';

/** `entered`, `inferred`, or `none` for usage without a space. */
export function membershipText({ space, isInferred }: SpaceRow): string {
  if (space === NO_SPACE) return 'none';
  return isInferred ? 'inferred' : 'entered';
}

/** Average members, 3 digits half to even: divided last. */
export function averageText({ memberMs, startAtMs, endAtMs }: SpaceRow): string {
  return decimalText(memberMs, BigInt(endAtMs - startAtMs), 3);
}

/** GPU-hours over average members, 6 digits half to even; null without members. */
export function perMemberText({
  milliGpuMs,
  memberMs,
  startAtMs,
  endAtMs,
}: SpaceRow): string | null {
  if (memberMs === 0n) return null;
  const amount = milliGpuMs * BigInt(endAtMs - startAtMs);
  return decimalText(amount, memberMs * BigInt(MS_PER_HOUR) * 1_000n, 6);
}

const NUMBER_TITLES = [
  ...['members', 'at end', 'active', 'nonmembers', 'started', 'run hours', 'GPU-hours'],
  'GPU-hours per member',
];

/** Prints the table, with exact sums of what may be summed. RANGE_TOO_LARGE above 10,000 rows. */
export async function printSpaceTable(
  print: (text: string) => void,
  report: SpaceReport,
  options: TableOptions,
  calendar: Calendar,
): Promise<void> {
  const rows = await rowsUpTo(MAX_TABLE_ROWS, report.rows);
  print([...headerLines(report, { ...options, by: ['space'] }, calendar), MEMBERS_LINE].join('\n'));
  const isClipped = (row: SpaceRow): boolean => isClippedPeriod(row, report, options, calendar);
  const columns = [
    ...[options.step, 'space'].map((title) => ({ title })),
    ...NUMBER_TITLES.map((title) => ({ title, isNumber: true })),
    ...['membership', 'state'].map((title) => ({ title })),
  ];
  const lines = rows.map((row) => [
    ...[
      isClipped(row) ? `${row.label}*` : row.label,
      row.space,
      averageText(row),
      String(row.membersAtEnd),
    ],
    ...[String(row.activeUsers), String(row.activeNonmembers), ...useCells(row)],
    ...[perMemberText(row) ?? '-', membershipText(row), row.state],
  ]);
  if (rows.length > 1) {
    const total = {
      runsStarted: sum(rows, (row) => row.runsStarted),
      runMs: sum(rows, (row) => row.runMs),
      milliGpuMs: sum(rows, (row) => row.milliGpuMs),
    };
    lines.push(['total', '', '', '', '', '', ...useCells(total), '', '', '']);
  }
  print(`\n${tableText(columns, lines)}`);
  if (rows.some(isClipped)) print(`\n${clippedLine(options)}`);
}

function useCells(use: Pick<SpaceRow, 'runsStarted' | 'runMs' | 'milliGpuMs'>): string[] {
  return [String(use.runsStarted), hoursText(use.runMs), gpuHoursText(use.milliGpuMs)];
}

function sum(rows: readonly SpaceRow[], amountOf: (row: SpaceRow) => bigint): bigint {
  return rows.reduce((total, row) => total + amountOf(row), 0n);
}
