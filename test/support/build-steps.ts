/**
 * The statements of the real builder one by one, so that a test can leave one out, add one or run them in another
 * order. Owns no order of its own: the right one is db/period-builder.ts.
 */
import { readFileSync } from 'node:fs';
import { statementBlocks } from '../../db/statement.js';
import { GRANULARITIES, PART_OF, type Period } from '../../domain/period.js';
import { MS_PER_MINUTE } from '../../domain/units.js';

/** One statement and its values. */
export type Step = readonly [text: string, values?: unknown[]];

const blocks = (noun: string): Map<string, string> =>
  statementBlocks(readFileSync(new URL(`../../db/queries/${noun}.sql`, import.meta.url), 'utf8'));
const hourSql = blocks('period-hour');
const coarseSql = blocks('period-coarse');

function block(sql: ReadonlyMap<string, string>, name: string): string {
  const text = sql.get(name);
  if (text === undefined) throw new RangeError(`the builder has no statement ${name} any more`);
  return text;
}

export const begin: Step = ['begin'];
export const commit: Step = ['commit'];

export const lock = ({ granularity, startAtMs }: Period): Step => [
  'select pg_advisory_xact_lock($1, $2)',
  [7_410_001 + GRANULARITIES.indexOf(granularity), startAtMs / MS_PER_MINUTE],
];

/** Marks in `[fromMs, toMs)`. */
export const deleteMarks = (fromMs: number, toMs: number): Step => [
  block(hourSql, 'delete-marks'),
  [fromMs, toMs],
];

export const deleteDirtyRows = (period: Period): Step => [
  block(hourSql, 'delete-dirty-rows'),
  [period.startAtMs],
];

/**
 * `markFromMs`: 0 for the first hour of the books, which owns all earlier marks. Compares with what is there, also when
 * that is nothing: the builder knows and saves that.
 */
export const buildHour = (period: Period, markFromMs = period.startAtMs): Step => [
  block(hourSql, 'build'),
  [period.startAtMs, period.endAtMs, period.label, markFromMs, false],
];

export const buildCoarse = (period: Period): Step => [
  block(coarseSql, 'build')
    .replaceAll('{coarse}', period.granularity)
    .replaceAll('{part}', PART_OF[period.granularity] ?? ''),
  [period.startAtMs, period.endAtMs, period.label, false],
];

/** Takes the carry's digest from the hour before it as that is now, not as it was when its rows were read. */
export const readCarryDigestAgain = (period: Period): Step => [
  `update period p set carry_in_digest = previous.carry_out_digest
   from period previous
   where previous.granularity = 'hour' and previous.end_at_ms = $1 and p.granularity = 'hour' and p.start_at_ms = $1`,
  [period.startAtMs],
];

/** Takes the digests of the parts as they are now, not as they were when the rows were read. */
export const readInputsDigestAgain = (period: Period): Step => [
  `update period set inputs_digest = (
     select sha256(string_agg(int8send(start_at_ms) || int8send(end_at_ms) || digest, ''::bytea order by start_at_ms))
     from period where granularity = $3 and start_at_ms >= $1 and end_at_ms <= $2)
   where granularity = $4 and start_at_ms = $1`,
  [period.startAtMs, period.endAtMs, PART_OF[period.granularity], period.granularity],
];
