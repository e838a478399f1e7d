/** `jobhours periods check --deep`: recomputes from the runs. Printing only. */
import type { Calendar } from '../../domain/calendar.js';
import { EXIT } from '../../domain/errors.js';
import type { AuditFinding, AuditReport } from '../../domain/audit.js';
import { GRANULARITIES, type Granularity } from '../../domain/period.js';
import { instantText } from '../../domain/units.js';
import { auditPeriods, type AuditOptions } from '../period-audit.js';
import type { CommandContext } from './context.js';
import { printRecords, tableText, type DataRecord, type Format } from './output.js';
import { Progress } from './progress.js';
import { countedText } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
const COLUMNS = [
  'granularity',
  'label',
  'period_start',
  'period_end',
  'code',
  'user',
  'space',
  'pool',
  'column',
  'stored',
  'recomputed',
  'rows',
  'mend',
] as const;

/** A digest is 64 digits long; a dozen tell two apart. */
const LONGEST_VALUE = 20;
const SHORT_DIGEST = 12;

/**
 * Audits and prints what was compared and what was found. Exit status 5 with findings, and when all was asked for and
 * something in the ledger was not judged.
 */
export async function runDeepCheck(
  context: CommandContext,
  output: Format,
  optionsOf: (calendar: Calendar) => AuditOptions,
): Promise<void> {
  await context.withBooks(async ({ database, calendar }) => {
    const progress = new Progress(context, 'periods');
    let report: AuditReport;
    try {
      report = await auditPeriods(database, calendar, optionsOf(calendar), ({ done, of }) =>
        progress.show(done, of),
      );
    } finally {
      progress.end();
    }
    const { findings } = report;
    const summary = summaryOf(report, calendar);
    if (output === 'table') {
      if (findings.length > 0) context.print(`${findingTable(findings)}\n`);
      context.print(summary);
      for (const mend of mendsOf(findings)) context.print(`  mend: ${mend}`);
    } else {
      await printRecords(
        (text) => context.print(text),
        output,
        COLUMNS,
        findings.map((finding) => recordOf(finding)),
      );
      context.note(summary);
    }
    if (total(report.notJudged) > 0) {
      context.note(
        `not judged, because readers compute them from the runs (missing, stale, or changed just now): ${countsText(report.notJudged)}; why: jobhours periods check`,
      );
    }
    const { staleNotJudged, sample } = report;
    if (staleNotJudged > 0) {
      context.note(
        `${countedText(staleNotJudged, 'period')} of the ledger ${staleNotJudged === 1 ? 'is' : 'are'} stale or changed just now: say check --deep again when jobhours periods check is good`,
      );
    }
    const isIncomplete = sample === null && staleNotJudged > 0;
    if (report.periodsWrong > 0 || isIncomplete) process.exitCode = EXIT.findings;
  });
}

function summaryOf(report: AuditReport, calendar: Calendar): string {
  const { checked, sample, seed, asOfMs } = report;
  const drawn = sample === null ? '' : ` (sample ${sample}, seed ${seed})`;
  return `recomputed ${countsText(checked)}${drawn} from the runs as of ${calendar.localText(asOfMs)}: ${verdictOf(report)}`;
}

function verdictOf({ checked, periodsWrong, staleNotJudged }: AuditReport): string {
  if (periodsWrong === 1) return '1 period is wrong';
  if (periodsWrong > 1) return `${periodsWrong} periods are wrong`;
  if (staleNotJudged > 0)
    return total(checked) === 0 ? 'nothing was judged' : 'no difference in these';
  return total(checked) === 0 ? 'nothing to judge' : 'no difference';
}

function total(counts: Readonly<Record<Granularity, number>>): number {
  return GRANULARITIES.reduce((sum, granularity) => sum + counts[granularity], 0);
}

function countsText(counts: Readonly<Record<Granularity, number>>): string {
  return GRANULARITIES.map((granularity) => {
    const count = counts[granularity];
    return `${count} ${granularity}${count === 1 ? '' : 's'}`;
  }).join(', ');
}

/** Each command once, in the order of the findings. */
function mendsOf(findings: readonly AuditFinding[]): string[] {
  return [...new Set(findings.map((finding) => finding.mend))];
}

function findingTable(findings: readonly AuditFinding[]): string {
  const titles = ['granularity', 'period', 'code', 'of', 'column', 'stored', 'recomputed'];
  const columns = titles.map((title) => ({
    title,
    isNumber: title === 'stored' || title === 'recomputed',
  }));
  return tableText(
    columns,
    findings.map((one) => [
      one.granularity,
      one.label,
      one.code,
      ofText(one),
      one.column ?? '-',
      valueText(one.stored),
      valueText(one.recomputed),
    ]),
  );
}

function ofText({ user, space, pool, rows }: AuditFinding): string {
  if (user === null) return rows === 0 ? '-' : `${rows} rows`;
  return space === null ? user : `${user}/${space}/${pool ?? '?'}`;
}

function valueText(value: string | null): string {
  if (value === null) return '-';
  return value.length > LONGEST_VALUE ? `${value.slice(0, SHORT_DIGEST)}...` : value;
}

function recordOf(finding: AuditFinding): DataRecord<(typeof COLUMNS)[number]> {
  const { granularity, label, startAtMs, endAtMs, code, user, space, pool } = finding;
  const { column, stored, recomputed, rows, mend } = finding;
  return {
    ...{ granularity, label },
    period_start: instantText(startAtMs),
    period_end: instantText(endAtMs),
    ...{ code, user, space, pool, column, stored, recomputed, rows, mend },
  };
}
