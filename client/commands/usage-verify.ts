/** `jobhours usage verify`: asks a filed answer again. Arguments and printing only. */
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { EXIT } from '../../domain/errors.js';
import { parseInstant } from '../../domain/instant-text.js';
import { gpuHoursText, gpuMsText, hoursText } from '../../domain/units.js';
import { DecimalText } from '../csv-text.js';
import { checkData } from '../usage-filed-data.js';
import { DIMENSIONS, type Group } from '../usage-groups.js';
import { readManifest, type Manifest } from '../usage-manifest.js';
import { amountColumns } from '../usage-record.js';
import {
  differenceOf,
  sumOfChanges,
  withVerification,
  type Change,
  type PeriodChange,
  type Verification,
} from '../usage-verify.js';
import type { CommandContext } from './context.js';
import { outputOption, printRecords, tableText, type DataRecord, type Format } from './output.js';
import { countedText, countText, productVersion } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. `of`: period, group, or others (groups that are not named). */
const COLUMNS = [
  'period_start',
  'period_end',
  'label',
  'of',
  'user',
  'space',
  'pool',
  'run_ms_filed',
  'run_ms_now',
  'run_ms_difference',
  'gpu_ms_filed',
  'gpu_ms_now',
  'gpu_ms_difference',
  'runs_started_difference',
  'runs_ended_difference',
  'runs_carried_in_difference',
  'groups',
  'state_filed',
  'state_now',
] as const;

/** Lines of a table that a person reads at most. */
const MAX_TABLE_LINES = 1_000;

const HELP = `
The data file is looked for beside the manifest. It must have the length and sha256 of the manifest, else the command
ends with CHECK_FAILED and status 1. Then the same question is asked again over the same window: 'equal', or each
period that changed since, by how much, and the 20 groups that changed most; exit status 5.

Examples:
  jobhours usage verify october.csv.manifest.json
  jobhours usage verify october.csv.manifest.json --data archive/october.csv -o csv`;

interface VerifyOptions {
  readonly data?: string;
  readonly output: Format;
}

/** Adds `usage verify`. */
export function registerUsageVerify(usage: Command, context: CommandContext): void {
  usage
    .command('verify <manifest>')
    .description('ask a filed answer again: equal, or what changed since')
    .option('--data <file>', 'where its data file is now')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action((path: string, options: VerifyOptions) => runVerify(context, path, options));
}

async function runVerify(
  context: CommandContext,
  path: string,
  { data, output }: VerifyOptions,
): Promise<void> {
  const manifest = await readManifest(path);
  const dataPath = data ?? join(dirname(path), manifest.data.file);
  await checkData(dataPath, manifest, data === undefined ? 'where it is now says --data FILE' : '');
  const changed = await context.withBooks(({ database, calendar }) =>
    withVerification(database, calendar, manifest, dataPath, (verification) =>
      printVerification(context, { manifest, dataPath, output, calendar }, verification),
    ),
  );
  if (changed > 0) process.exitCode = EXIT.findings;
}

interface Verified {
  readonly manifest: Manifest;
  readonly dataPath: string;
  readonly output: Format;
  readonly calendar: Calendar;
}

/** Prints the comparison; returns how many periods changed. */
async function printVerification(
  context: CommandContext,
  verified: Verified,
  { asOfMs, changes }: Verification,
): Promise<number> {
  const { manifest, output } = verified;
  const seen = { periods: 0, sum: sumOfChanges([]) };
  const source = counted(changes, seen);
  const lines: string[][] = [];
  let more = 0;
  if (output === 'table') {
    for await (const change of source) {
      const added = linesOf(change, manifest, verified.calendar);
      const fitting = added.slice(0, MAX_TABLE_LINES - lines.length);
      lines.push(...fitting);
      more += added.length - fitting.length;
    }
  }
  if (output !== 'table')
    await printRecords((text) => context.print(text), output, COLUMNS, recordsOf(source));
  const said = output === 'table' ? context.print.bind(context) : context.note.bind(context);
  headerLines(verified, asOfMs).forEach((line) => said(line));
  said(verdictOf(manifest, seen));
  if (lines.length > 0) said(`\n${tableText(columnsOf(manifest), lines)}`);
  if (more > 0) context.note(`${countedText(more, 'more line')}: take -o csv or -o jsonl`);
  for (const note of notesOf(manifest, seen.periods)) context.note(note);
  return seen.periods;
}

async function* counted(
  changes: AsyncIterable<PeriodChange>,
  seen: { periods: number; sum: Change },
): AsyncGenerator<PeriodChange> {
  for await (const change of changes) {
    seen.periods += 1;
    seen.sum = sumOfChanges([seen.sum, change]);
    yield change;
  }
}

function headerLines({ manifest, dataPath, calendar }: Verified, asOfMs: number): string[] {
  const { data, window, as_of: asOf } = manifest;
  const local = (text: string): string =>
    calendar.localText(parseInstant(text, { field: 'manifest' }));
  return [
    `${dataPath}: ${countedText(data.bytes, 'byte')} as filed, sha256 ${data.sha256}`,
    `[${local(window.start)}, ${local(window.end)}) ${calendar.zone}`,
    `Filed as of ${local(asOf)}, asked again as of ${calendar.localText(asOfMs)}`,
  ];
}

function verdictOf(
  { periods, totals }: Manifest,
  { periods: changed, sum }: { readonly periods: number; readonly sum: Change },
): string {
  if (changed === 0) {
    return `equal: ${countedText(periods.length, 'period')}, run_ms ${totals.run_ms}, gpu_ms ${totals.gpu_ms}`;
  }
  const { runMs, milliGpuMs } = differenceOf(sum);
  return `changed: ${countText(changed)} of ${countedText(periods.length, 'period')}, by ${signed(hoursText(runMs))} run hours and ${signed(gpuHoursText(milliGpuMs))} GPU-hours`;
}

/** `+5`, `-5`, `0`. */
function signed(text: string): string {
  return /^-|^0(\.0*)?$/.test(text) ? text : `+${text}`;
}

function columnsOf({ step, by }: Manifest): { title: string; isNumber?: boolean }[] {
  const amounts = ['run_ms', 'gpu_ms', 'started', 'ended', 'carried in', 'GPU-hours filed', 'now'];
  return [
    { title: step === 'none' ? 'window' : step },
    ...by.map((title) => ({ title })),
    ...amounts.map((title) => ({ title, isNumber: true })),
    { title: 'filed as' },
  ];
}

/** The line of a period, then those of its groups. */
function linesOf(change: PeriodChange, { by }: Manifest, calendar: Calendar): string[][] {
  const startAtMs = parseInstant(change.start, { field: 'manifest' });
  const label = change.label === '' ? calendar.localText(startAtMs) : change.label;
  const blanks = by.map(() => '');
  const { groups, others, stateFiled } = change;
  return [
    [label, ...blanks, ...amountCells(change), stateFiled ?? 'absent'],
    ...groups.map((one) => {
      const names = by.map((dimension) => one.group[dimension] ?? '');
      return ['', ...names, ...amountCells(one), ''];
    }),
    ...(others === null
      ? []
      : [
          [
            '',
            `others (${countText(others.count)})`,
            ...blanks.slice(1),
            ...amountCells(others),
            '',
          ],
        ]),
  ];
}

function amountCells(change: Change): string[] {
  const { runMs, milliGpuMs, runsStarted, runsEnded, runsCarriedIn } = differenceOf(change);
  return [
    ...[String(runMs), gpuMsText(milliGpuMs)],
    ...[runsStarted, runsEnded, runsCarriedIn].map(String),
  ]
    .map(signed)
    .concat(gpuHoursText(change.filed.milliGpuMs), gpuHoursText(change.now.milliGpuMs));
}

type VerifyRecord = DataRecord<(typeof COLUMNS)[number]>;

async function* recordsOf(changes: AsyncIterable<PeriodChange>): AsyncGenerator<VerifyRecord> {
  const nobody = Object.fromEntries(DIMENSIONS.map((dimension) => [dimension, null])) as Group;
  for await (const period of changes) {
    const { groups, others } = period;
    const count = groups.length + (others?.count ?? 0);
    yield recordOf(period, 'period', nobody, period, count);
    for (const change of groups) yield recordOf(period, 'group', change.group, change, 1);
    if (others !== null) yield recordOf(period, 'others', nobody, others, others.count);
  }
}

function recordOf(
  { start, end, label, stateFiled, stateNow }: PeriodChange,
  of: 'period' | 'group' | 'others',
  { user, space, pool }: Group,
  change: Change,
  groups: number,
): VerifyRecord {
  const [filed, now] = [amountColumns(change.filed), amountColumns(change.now)];
  const difference = amountColumns(differenceOf(change));
  return {
    ...{ period_start: start, period_end: end, label, of, user, space, pool },
    ...{ run_ms_filed: filed.run_ms, run_ms_now: now.run_ms },
    run_ms_difference: new DecimalText(difference.run_ms),
    ...{ gpu_ms_filed: filed.gpu_ms, gpu_ms_now: now.gpu_ms },
    gpu_ms_difference: new DecimalText(difference.gpu_ms),
    runs_started_difference: difference.runs_started,
    runs_ended_difference: difference.runs_ended,
    runs_carried_in_difference: difference.runs_carried_in,
    groups,
    ...{ state_filed: stateFiled, state_now: stateNow },
  };
}

function* notesOf(manifest: Manifest, changed: number): Generator<string> {
  const { states, periods, unfinished_imports: unfinished, program_version: version } = manifest;
  for (const state of ['provisional', 'incomplete'] as const) {
    if (states[state] === 0) continue;
    const first = periods.find((period) => period.state === state);
    const label = first === undefined || first.label === '' ? '' : `, the first ${first.label}`;
    yield `note: ${countText(states[state])} of ${countedText(periods.length, 'period')} ${states[state] === 1 ? 'was' : 'were'} filed as ${state}${label}: ${STATE_REASON[state]}`;
  }
  for (const { batch, input } of unfinished) {
    yield `note: import ${batch} (${input}) had applied only some of its records when it was filed`;
  }
  if (version !== productVersion()) {
    yield `note: filed by jobhours ${version}, this is ${productVersion()}`;
  }
  if (changed > 0 && manifest.by.length > 0 && manifest.data.format === 'table') {
    yield 'note: a table has rounded figures, so groups are not compared: file csv, json or jsonl';
  }
}

const STATE_REASON = {
  provisional: 'what ran later was not in it, and records of running jobs come late',
  incomplete: 'records were missing, or older than the books',
} as const;
