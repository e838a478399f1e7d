/** How runs are told: as records and on the screen. Owns words and columns; what is shown is the commands'. */
import type { Calendar } from '../../domain/calendar.js';
import { lineText } from '../../domain/quoted-value.js';
import { decimalText, instantText } from '../../domain/units.js';
import type { Confirmation, OverdueRun, RunChange, ShownRun, StoredRun } from '../run-list.js';
import { voidedBy } from '../run-change.js';
import type { DataRecord } from './output.js';

/** Columns of csv, json and jsonl; new ones are appended. */
export const RUN_COLUMNS = [
  ...(['run', 'source', 'key', 'job_id', 'attempt', 'user', 'space', 'pool', 'gpus'] as const),
  ...(['start', 'end', 'reported_end', 'end_is_estimated', 'batch', 'pinned_by'] as const),
  ...(['overdue', 'overdue_since', 'unseen_in'] as const),
] as const;

/** Exact GPUs, without zeros at the end: `0.25`. */
export function gpusText(milliGpus: number): string {
  return decimalText(BigInt(milliGpus), 1_000n, 3).replace(/\.?0+$/, '');
}

const timeOf = (atMs: number | null): string | null => (atMs === null ? null : instantText(atMs));
const idOf = (id: bigint | null): string | null => (id === null ? null : String(id));

/** A run of a list; `because` says that it is overdue. */
export type ListedRun = StoredRun | OverdueRun;

export function runRecord(run: ListedRun): DataRecord<(typeof RUN_COLUMNS)[number]> {
  const overdue = 'because' in run ? run : null;
  return {
    run: String(run.id),
    source: run.source,
    key: run.key,
    job_id: run.jobId,
    attempt: run.attempt,
    user: run.user,
    space: run.space,
    pool: run.pool,
    gpus: gpusText(run.milliGpus),
    start: instantText(run.startedAtMs),
    end: timeOf(run.endedAtMs),
    reported_end: timeOf(run.reportedEndedAtMs),
    end_is_estimated: run.endIsEstimated,
    batch: idOf(run.batch),
    pinned_by: idOf(run.pinnedBy),
    overdue: overdue?.because ?? null,
    overdue_since: timeOf(overdue?.sinceMs ?? null),
    unseen_in: idOf(overdue?.unseenBatch ?? null),
  };
}

/** Why a run should have ended. */
export function becauseText(run: OverdueRun, calendar: Calendar): string {
  const since = calendar.localText(run.sinceMs);
  return run.because === 'time limit'
    ? `past its time limit ${run.timeLimit ?? ''} since ${since}`
    : `not in import ${run.unseenBatch ?? ''}; last seen ${since}`;
}

type Content = Omit<StoredRun, 'id' | 'batch'>;

/** Whose it is, what it holds, and when it ran. */
export function contentText(content: Content, calendar: Calendar): string {
  const { user, space, pool, milliGpus, startedAtMs, endedAtMs, endIsEstimated } = content;
  const end = endedAtMs === null ? 'running' : calendar.localText(endedAtMs);
  return `${user}, ${space}, ${pool}, ${gpusText(milliGpus)} GPUs, ${calendar.localText(startedAtMs)} to ${end}${endIsEstimated ? ' (estimated)' : ''}`;
}

/** The lines of `run show`, what happened to it in order of time; what the source said is one line each, whatever is in it. */
export function shownLines(shown: ShownRun, calendar: Calendar): string[] {
  const { id, run, facts, history, confirmations } = shown;
  const last = run ?? history.at(-1)?.former;
  const lines = [
    ...(last === undefined
      ? []
      : [`run         ${id}: ${last.key} of ${last.source}, job ${last.jobId}`]),
    run === null
      ? `now         ${goneText(shown)}`
      : `now         ${contentText(run, calendar)} (${calendar.zone})`,
    ...(run === null || run.batch === null ? [] : [`from        import ${run.batch}`]),
    ...pinnedLines(run),
    ...[
      ...confirmations.map((one) => ({ atMs: one.atMs, lines: confirmationLines(one, calendar) })),
      ...history.map((one) => ({ atMs: one.atMs, lines: changeLines(one, calendar) })),
    ]
      .sort((a, b) => a.atMs - b.atMs)
      .flatMap((event) => event.lines),
    ...Object.entries(facts).map(([name, value]) => `fact        ${name}: ${value}`),
  ];
  return lines.map(lineText);
}

function goneText({ history }: ShownRun): string {
  const by = voidedBy(history);
  return by === null
    ? 'removed'
    : `voided by import ${by}; jobhours import undo ${by} --reason TEXT`;
}

function pinnedLines(run: StoredRun | null): string[] {
  const by = run?.pinnedBy ?? null;
  if (by === null) return [];
  return [
    `by hand     import ${by}: imports leave it alone; jobhours import undo ${by} --reason TEXT`,
  ];
}

function confirmationLines(
  { atMs, batch, inputName, actor }: Confirmation,
  calendar: Calendar,
): string[] {
  return [`confirmed   ${calendar.localText(atMs)} by import ${batch} (${inputName}), ${actor}`];
}

function changeLines(change: RunChange, calendar: Calendar): string[] {
  const { batch, actor, atMs, reason, undoneBy } = change;
  const by = batch === null ? '' : ` by import ${batch}`;
  const undone = undoneBy === null || undoneBy === batch ? '' : `; undone by import ${undoneBy}`;
  return [
    `${change.change.padEnd(11)} ${calendar.localText(atMs)}${by}, ${actor}: ${reason}${undone}`,
    `  before    ${contentText(change.former, calendar)}`,
  ];
}
