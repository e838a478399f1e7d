/** How backfills are told: on the screen and as records. Owns words and columns; what is shown is the commands'. */
import type { Calendar } from '../../domain/calendar.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { instantText } from '../../domain/units.js';
import type { Backfill, BackfillProgress } from '../backfill-view.js';
import type { DataRecord } from './output.js';
import { countedText, lengthText } from './screen.js';

/** Columns of csv, json and jsonl; new ones are appended. */
export const BACKFILL_COLUMNS = [
  'name',
  'start',
  'end',
  'lanes',
  'reprocess',
  'created',
  'ended',
  'outcome',
  'hours_built',
  'periods_built',
  'periods_failed',
  'state',
  'paused',
] as const;

const timeOf = (atMs: number | null): string | null => (atMs === null ? null : instantText(atMs));

export function backfillRecord(backfill: Backfill): DataRecord<(typeof BACKFILL_COLUMNS)[number]> {
  const isOpen = backfill.endedAtMs === null;
  return {
    name: backfill.name,
    start: instantText(backfill.startAtMs),
    end: instantText(backfill.endAtMs),
    lanes: backfill.lanes,
    reprocess: backfill.reprocess,
    created: instantText(backfill.createdAtMs),
    ended: timeOf(backfill.endedAtMs),
    outcome: backfill.outcome,
    // They are counted when it ends.
    hours_built: isOpen ? null : backfill.hoursBuilt,
    periods_built: isOpen ? null : backfill.periodsBuilt,
    periods_failed: isOpen ? null : backfill.periodsFailed,
    state: stateText(backfill),
    paused: timeOf(backfill.pausedAtMs),
  };
}

/** Its outcome, or what it is while it is open. */
export function stateText({ outcome, cancelledAtMs, pausedAtMs }: Backfill): string {
  if (outcome !== null) return outcome;
  if (cancelledAtMs !== null) return 'being cancelled';
  return pausedAtMs === null ? 'running' : 'paused';
}

/** `completed: 744 hours and 36 days, weeks and months built, 0 failed`. */
export function outcomeText(backfill: Backfill): string {
  const { hoursBuilt, periodsBuilt, periodsFailed } = backfill;
  return `${stateText(backfill)}: ${countedText(hoursBuilt, 'hour')} and ${periodsBuilt - hoursBuilt} days, weeks and months built, ${periodsFailed} failed`;
}

export function failureText(one: {
  readonly granularity: string;
  readonly label: string;
  readonly code: string;
  readonly detail: string;
}): string {
  return `${one.granularity} ${one.label}: ${one.code} ${one.detail}`;
}

/** `[2026-01-01T00:00, 2026-02-01T00:00)` in the zone of the books. */
export function rangeText(
  calendar: Calendar,
  span: { readonly startAtMs: number; readonly endAtMs: number },
): string {
  return `[${calendar.localText(span.startAtMs)}, ${calendar.localText(span.endAtMs)})`;
}

/** `about 3 min left`, or an empty text when nothing moves. */
export function leftText({ leftMs }: BackfillProgress): string {
  return leftMs === null ? '' : `about ${lengthText(leftMs)} left`;
}

/** The lines of `backfill show`. */
export function shownLines(
  calendar: Calendar,
  backfill: Backfill,
  progress: BackfillProgress,
): string[] {
  const { name, lanes, reprocess, createdAtMs, endedAtMs } = backfill;
  return [
    `backfill    ${name}`,
    `range       ${rangeText(calendar, backfill)}`,
    `asked       --reprocess ${reprocess} --lanes ${lanes}, at ${calendar.localText(createdAtMs)}`,
    `hours       ${progress.done} of ${progress.of} done${speedText(backfill, progress)}`,
    endedAtMs === null
      ? `state       ${openText(calendar, backfill)}`
      : `outcome     ${outcomeText(backfill)}, at ${calendar.localText(endedAtMs)}`,
  ];
}

function speedText({ endedAtMs, pausedAtMs }: Backfill, progress: BackfillProgress): string {
  if (progress.leftMs !== null) return `, ${leftText(progress)}`;
  const isWorking = endedAtMs === null && pausedAtMs === null && progress.done < progress.of;
  return isWorking ? ', none of them in the last 30 s: is a worker running?' : '';
}

function openText(calendar: Calendar, backfill: Backfill): string {
  const { name, pausedAtMs, cancelledAtMs } = backfill;
  const state = stateText(backfill);
  const quoted = shellName(name);
  if (cancelledAtMs !== null) return `${state} since ${calendar.localText(cancelledAtMs)}`;
  return pausedAtMs === null
    ? `${state}; stop it by: jobhours backfill pause ${quoted}, or cancel ${quoted}`
    : `${state} since ${calendar.localText(pausedAtMs)}; it goes on by: jobhours backfill unpause ${quoted}`;
}

/** A name as it is typed in a shell. */
export function shellName(name: string): string {
  return /^[\w.:-]+$/.test(name) ? name : quotedValue(name);
}
