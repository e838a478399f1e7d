/** Rows of `audit`: what audits found. Owns which of them still count; what is compared is db/period-audit.ts. */
import { findingText, type AuditReport } from '../domain/audit.js';
import { GRANULARITIES, type Granularity, type Span } from '../domain/period.js';
import type { Session } from './database.js';
import { statements } from './statement.js';

const sql = statements('audit', {
  'insert-audit': {
    params: {
      beganAtMs: 'instant',
      askedBy: 'text',
      sample: 'int4?',
      seed: 'count',
      fromAtMs: 'instant?',
      toAtMs: 'instant?',
      periodsChecked: 'count',
      periodsNotJudged: 'count',
      staleNotJudged: 'count',
      periodsWrong: 'count',
      findings: 'jsonb',
    },
    row: {},
  },
  standing: {
    params: {},
    row: {
      ended_at_ms: 'instant?',
      asked_by: 'text?',
      sample: 'int4?',
      periods_wrong: 'count',
    },
  },
});

/** What an audit was asked for. */
export interface AuditRecord {
  readonly askedBy: 'schedule' | 'command';
  /** An absent edge is open. */
  readonly range: Partial<Span>;
  readonly report: AuditReport;
}

/** Findings that are kept in `audit`; the next audit finds the others again. */
const KEPT = 100;

/** Writes one row of `audit`; its end is now. */
export async function recordAudit(
  session: Session,
  { askedBy, range, report }: AuditRecord,
): Promise<void> {
  const total = (counts: Readonly<Record<Granularity, number>>): number =>
    GRANULARITIES.reduce((sum, granularity) => sum + counts[granularity], 0);
  await session.execute(sql['insert-audit'], {
    beganAtMs: report.asOfMs,
    askedBy,
    sample: report.sample,
    seed: report.seed,
    fromAtMs: range.startAtMs ?? null,
    toAtMs: range.endAtMs ?? null,
    periodsChecked: total(report.checked),
    periodsNotJudged: total(report.notJudged),
    staleNotJudged: report.staleNotJudged,
    periodsWrong: report.periodsWrong,
    findings: report.findings.slice(0, KEPT).map((finding) => ({
      granularity: finding.granularity,
      startAtMs: finding.startAtMs,
      label: finding.label,
      code: finding.code,
      detail: findingText(finding),
      mend: finding.mend,
    })),
  });
}

/** What the audits say of the books. */
export interface AuditStanding {
  /**
   * The most periods that one audit found wrong since the newest one of all periods that left out nothing in the ledger,
   * which counts too.
   */
  readonly periodsWrong: number;
  /** Null: there was none. `sample` null: all periods, or all of a range. */
  readonly newest: {
    readonly endedAtMs: number;
    readonly askedBy: string;
    readonly sample: number | null;
  } | null;
}

export async function auditStanding(session: Session): Promise<AuditStanding> {
  const found = await session.one(sql.standing, {});
  const { ended_at_ms: endedAtMs, asked_by: askedBy, sample } = found;
  const newest = endedAtMs === null ? null : { endedAtMs, askedBy: askedBy ?? '', sample };
  return { periodsWrong: found.periods_wrong, newest };
}
