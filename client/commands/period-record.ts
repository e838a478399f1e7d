/** How listed and checked periods are printed as data, and what is said when there is none. */
import type { Calendar } from '../../domain/calendar.js';
import { SOURCE_STATE } from '../../domain/period-state.js';
import { instantText } from '../../domain/units.js';
import type { ListedPeriod } from '../period-list.js';
import type { DataRecord } from './output.js';

/** Columns of csv, json and jsonl; new ones are appended. */
export const PERIOD_COLUMNS = [
  'granularity',
  'label',
  'period_start',
  'period_end',
  'state',
  'source_state',
  'because',
  'mend',
  'periods',
  'last_label',
  'mend_at',
] as const;

/** One line of csv, json and jsonl. */
export function recordOf(one: ListedPeriod): DataRecord<(typeof PERIOD_COLUMNS)[number]> {
  return {
    granularity: one.granularity,
    label: one.label,
    period_start: instantText(one.startAtMs),
    period_end: instantText(one.endAtMs),
    state: one.state,
    source_state: SOURCE_STATE[one.state],
    because: one.because,
    mend: one.mend,
    periods: one.periods,
    last_label: one.lastLabel,
    mend_at: one.mendAtMs === null ? null : instantText(one.mendAtMs),
  };
}

/** What mends it, and when the schedules look at it next. */
export function mendText({ mend, mendAtMs }: ListedPeriod, calendar: Calendar): string {
  return mendAtMs === null ? mend : `${mend}, by ${calendar.localText(mendAtMs)}`;
}

/** Why no period was listed or judged. `state`: the one that was asked for. */
export function emptyNote(originAtMs: number | null, calendar: Calendar, state?: string): string {
  if (originAtMs === null) {
    return 'note: the books have not begun, so no period is expected; import records, then begin them by: jobhours backfill create --start oldest';
  }
  const books = `the books begin at ${calendar.localText(originAtMs)}`;
  return state === undefined
    ? `note: no period is expected in that range; ${books}`
    : `note: none of these periods is ${state}; ${books}`;
}
