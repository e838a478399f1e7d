/** What an import did, in words. Owns the lines; the numbers are client/import-summary.ts. */
import type { Calendar } from '../../domain/calendar.js';
import { nearestWord } from '../../domain/nearest-word.js';
import { plainName } from '../../domain/quoted-value.js';
import { gpuHoursText, hoursText } from '../../domain/units.js';
import type { DeclaredCoverage, ImportResult } from '../import-runs.js';
import { rejectedRecords, type ImportSummary } from '../import-summary.js';
import { countedText, countText } from './screen.js';

const LABEL_WIDTH = 12;

/** What the flags of an import say that its summary does not. */
export interface SaidByFlags {
  /** What was recorded as covered; null: nothing. */
  readonly covers: DeclaredCoverage | null;
  /** True when the flags say that the runs have no GPUs. */
  readonly hasNoGpus: boolean;
}

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}

/** `NEVER_STARTED 239, STEP 3`; `none` when there is nothing. */
function countsText(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${countText(count)}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}

/** The summary as lines for stdout. */
export function summaryLines(
  summary: ImportSummary,
  { covers }: Pick<SaidByFlags, 'covers'>,
  calendar: Calendar,
): string[] {
  const { records, runs, firstAtMs, lastAtMs } = summary;
  const lines = [
    line('Records', `${countText(records)} read from ${summary.input} (${summary.format})`),
    ...(summary.times === null || records === 0 ? [] : [line('Times', summary.times)]),
    line('Runs', runsText(summary)),
    line('Set aside', countsText(summary.setAside)),
    line('Rejected', countsText(summary.rejected)),
  ];
  if (summary.repeated > 0) {
    lines.push(line('Repeated', `${countText(summary.repeated)}, counted once`));
  }
  if (covers !== null) {
    const [from, to] = [calendar.localText(covers.startAtMs), calendar.localText(covers.endAtMs)];
    const source = covers.source === null ? 'its sources' : plainName(covers.source);
    lines.push(line('Covers', `${from} to ${to} of ${source} (${calendar.zone})`));
  }
  if (runs === 0 || firstAtMs === null || lastAtMs === null) return lines;
  const names = [
    countedText(summary.users, 'user'),
    countedText(summary.spaces, 'space'),
    countedText(summary.pools, 'pool'),
  ];
  const finished = summary.running === 0 ? '' : `; ${countText(summary.running)} still running`;
  return [
    ...lines,
    line('Who', names.join(', ')),
    line(
      'When',
      `${calendar.localText(firstAtMs)} to ${calendar.localText(lastAtMs)} (${calendar.zone})`,
    ),
    line(
      'How much',
      `${hoursText(BigInt(summary.runMs))} run hours, ${gpuHoursText(BigInt(summary.milliGpuMs))} GPU-hours${finished}`,
    ),
    ...detailLines(summary),
  ];
}

function runsText(summary: ImportSummary): string {
  if (summary.batch === null) return `${countText(summary.runs)} to count, nothing applied`;
  const changed =
    Object.keys(summary.correctedFields).length === 0
      ? ''
      : ` (${countsText(summary.correctedFields)})`;
  const parts = [
    `${countText(summary.new)} new`,
    `${countText(summary.corrected)} corrected${changed}`,
    `${countText(summary.ended)} ended`,
    `${countText(summary.unchanged)} unchanged`,
  ];
  if (summary.kept > 0) {
    parts.push(`${countText(summary.kept)} have ended already and stay so (--reopen)`);
  }
  if (summary.pinned > 0) {
    parts.push(`${countText(summary.pinned)} corrected by hand and left so`);
  }
  return `${countText(summary.runs)}: ${parts.join(', ')}`;
}

function detailLines(summary: ImportSummary): string[] {
  const lines: string[] = [];
  if (summary.lengthened > 0) {
    lines.push(
      line(
        'Minimum',
        `${countedText(summary.lengthened, 'run')} lengthened to the minimum countable duration, by ${summary.lengthenedMs} ms in all`,
      ),
    );
  }
  if (summary.estimatedEnds > 0) {
    lines.push(
      line('Estimated', `${countedText(summary.estimatedEnds, 'end')} from --missing-end`),
    );
  }
  if (summary.suspended > 0) {
    const runs = countedText(summary.suspended, 'run');
    lines.push(line('Suspended', `${runs} for a part of their time; their GPUs count all of it`));
  }
  if (summary.keptColumns.length > 0) {
    const names = summary.keptColumns.map(plainName).join(', ');
    lines.push(line('Columns', `kept with the runs, not used: ${names}`));
  }
  return lines;
}

/** What a person should look at, as lines for stderr. */
export function warningLines(
  summary: ImportSummary,
  { covers, hasNoGpus }: SaidByFlags = { covers: null, hasNoGpus: false },
): string[] {
  const { records, runs, input } = summary;
  if (records === 0 && covers !== null) {
    return [`NOTE: 0 records in ${input}: it is recorded that there were none in that time`];
  }
  if (records === 0) {
    return [`WARNING: 0 records: ${input} is empty or has only a header; nothing was imported`];
  }
  const warnings: string[] = [];
  if (runs === 0) warnings.push(`WARNING: 0 of ${countText(records)} records are runs`);
  if (runs > 0 && summary.withGpus === 0 && !hasNoGpus) {
    warnings.push(
      `WARNING: 0 of ${countText(runs)} records have GPUs: ${
        summary.format === 'sacct'
          ? 'does the cluster track gres/gpu in AllocTRES?'
          : 'check the column gpus'
      }`,
    );
  }
  warnings.push(...mistypedLines(summary), ...remarkLines(summary));
  if (summary.batch !== null && summary.beforeOrigin > 0) {
    warnings.push(
      `NOTE: ${countedText(summary.beforeOrigin, 'run')} started before the books begin: include them by the first command below`,
    );
  }
  return warnings;
}

/** Fields that may be absent and that no record has, while a column is called nearly so (B41). */
function mistypedLines({ runs, keptColumns, spaces, pools }: ImportSummary): string[] {
  const counts = [
    ['space', spaces],
    ['pool', pools],
  ] as const;
  return counts.flatMap(([field, count]) => {
    const column = keptColumns.find((name) => nearestWord(name, [field]) !== null);
    if (runs === 0 || count > 0 || column === undefined) return [];
    return [
      `WARNING: no record has a ${field}: did you mean the column ${plainName(column)}? Say --map ${field}=COLUMN`,
    ];
  });
}

function remarkLines(summary: ImportSummary): string[] {
  const warning = (counts: Readonly<Record<string, number>>, text: string): string[] => {
    const names = Object.entries(counts).map(
      ([name, count]) => `${plainName(name)} ${countText(count)}`,
    );
    return names.length === 0 ? [] : [`WARNING: ${text}: ${names.join(', ')}`];
  };
  return [
    ...warning(summary.unknownStates, 'states that are not known, counted as any other'),
    ...warning(
      summary.unknownGres,
      'records with gres of unknown worth, slices counted as whole GPUs, others not at all (--gres NAME=milli)',
    ),
    ...warning(summary.aboveMaxProcessors, 'records with more processors than MaxProcs says'),
  ];
}

/** The rejected records as lines for stderr: line, code, reason; says how many more there are. */
export function rejectLines({ summary, rejects }: ImportResult): string[] {
  const more = rejectedRecords(summary) - rejects.length;
  return [
    ...rejects.map(({ line: number, code, detail }) => `line ${number}: ${code}: ${detail}`),
    ...(more > 0 ? [`... and ${countText(more)} more: --rejects FILE writes all of them`] : []),
  ];
}

/** The commands to type next, the first one first. */
export function nextCommands(summary: ImportSummary, calendar: Calendar, nowMs: number): string[] {
  const { firstAtMs, lastAtMs } = summary;
  if (summary.batch === null || firstAtMs === null || lastAtMs === null) return [];
  const backfill =
    summary.beforeOrigin > 0 ? ['jobhours backfill create --start oldest --wait'] : [];
  const endAtMs = Math.max(firstAtMs + 1, summary.running > 0 ? nowMs : lastAtMs);
  const start = calendar.periodAt('day', firstAtMs).label;
  const end = calendar.periodAt('day', calendar.periodAt('day', endAtMs - 1).endAtMs).label;
  return [...backfill, `jobhours usage --start ${start} --end ${end} --step day`];
}
