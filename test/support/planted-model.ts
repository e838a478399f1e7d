/**
 * Errors to plant in the sparse model: each breaks one rule of ledger.md section 3, by a changed function of the
 * database, a planner that does not see something, or a builder whose statements run in another order. Two more are too
 * rare for random rounds (a digest of the previous hour, or of the parts, read after the rows): the interleavings of
 * planted-errors.test.ts have them.
 */
import {
  begin,
  buildHour,
  commit,
  deleteDirtyRows,
  deleteMarks,
  lock,
  type Step,
} from './build-steps.js';
import type { Period } from '../../domain/period.js';
import type { TestDatabase } from './database.js';
import { LOST } from './interleaving.js';
import { ODD_START_AT_MS } from './odd-calendar.js';
import { realBuilder } from './model-work.js';
import type { ModelChanges } from './sparse-model.js';

const MARK_FUNCTIONS = ['mark_inserted_runs', 'mark_deleted_runs', 'mark_updated_runs'] as const;

/** Writes functions of the database anew, with one text in place of another. */
const changed =
  (names: readonly string[], text: string, by: string) =>
  async (test: TestDatabase): Promise<void> => {
    for (const name of names) {
      const [found] = await test.query<{ definition: string }>(
        'select pg_get_functiondef(oid) as definition from pg_proc where proname = $1',
        [name],
      );
      const definition = found?.definition ?? '';
      if (!definition.includes(text)) throw new RangeError(`${name} does not say ${text} any more`);
      await test.query(definition.replaceAll(text, by));
    }
  };

const markFrom = (period: Period): number =>
  period.startAtMs === ODD_START_AT_MS ? 0 : period.startAtMs;

/** Builds hours with these statements, and the rest as the product does. */
const buildingHours = (stepsOf: (hour: Period) => readonly Step[]): ModelChanges => ({
  builder: async (test) => {
    const client = await test.connect();
    const real = realBuilder(test);
    return async (period, partStarts, pause) => {
      if (period.granularity !== 'hour') return real(period, partStarts, pause);
      try {
        for (const [text, values] of [begin, lock(period), ...stepsOf(period)]) {
          await client.query(text, values);
          await pause();
        }
        await client.query(...commit);
        return true;
      } catch (error) {
        await client.query('rollback');
        if (!LOST.has(String((error as { code?: unknown }).code))) throw error;
        return false;
      }
    };
  },
});

/** By the rule that is broken. */
export const PLANTED: Readonly<Record<string, ModelChanges>> = {
  'marks are deleted after the data was read (A2)': buildingHours((period) => [
    deleteDirtyRows(period),
    buildHour(period, markFrom(period)),
    deleteMarks(markFrom(period), period.endAtMs),
  ]),
  'a moved edge is marked only when its minute differs (W2)': {
    plant: async (test) => {
      const to = 'o.$_at_ms / 60000 is distinct from n.$_at_ms / 60000';
      for (const edge of ['started', 'ended']) {
        const from = `o.${edge}_at_ms is distinct from n.${edge}_at_ms`;
        await changed(['mark_updated_runs'], from, to.replaceAll('$', edge))(test);
      }
    },
  },
  'marks are quarters of an hour (W3)': {
    plant: changed(MARK_FUNCTIONS, '_at_ms / 60000', '_at_ms / 900000 * 15'),
  },
  'runs that cross no quarter of an hour are not looked for where they end (W3)': {
    plant: changed(['usage_between'], '_at_ms / 60000', '_at_ms / 900000'),
  },
  'the first hour owns only its own marks (A4)': buildingHours((period) => [
    deleteMarks(period.startAtMs, period.endAtMs),
    deleteDirtyRows(period),
    buildHour(period),
  ]),
  'carries are not compared (P1)': { sees: ({ reason }) => reason !== 'carry' },
  'digests of parts are not compared (P1)': { sees: ({ reason }) => reason !== 'parts' },
  'an hour takes all earlier marks (A4)': buildingHours((period) => [
    deleteMarks(0, period.endAtMs),
    deleteDirtyRows(period),
    buildHour(period, markFrom(period)),
  ]),
  'a change of the user marks only the start (W2)': {
    plant: changed(
      ['mark_updated_runs'],
      '(old_end, key_changed or end_moved), (new_end, key_changed or end_moved)',
      '(old_end, end_moved), (new_end, end_moved)',
    ),
  },
};
