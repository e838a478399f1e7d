/** `jobhours import ... --close-unseen`: what is printed of it. What it does is client/run-change.ts. */
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { rejectedRecords, type ImportSummary } from '../import-summary.js';
import { closeUnseen } from '../run-change.js';
import type { StoredRun } from '../run-list.js';
import { actorName } from './actor.js';
import { noteUndo } from './after-change.js';
import type { CommandContext, OpenBooks } from './context.js';
import { countedText } from './screen.js';

const SHOWN = 20;

/**
 * Ends the open runs that an applied import should have shown and did not; returns whether there were any. An import
 * with rejected records closes nothing: one of them may be of such a run.
 */
export async function closeAndPrint(
  context: CommandContext,
  { database, books, calendar }: OpenBooks,
  summary: ImportSummary,
): Promise<boolean> {
  if (summary.batch === null) return false;
  if (rejectedRecords(summary) > 0) {
    context.note('--close-unseen: nothing was closed, because records were rejected');
    return false;
  }
  const closed = await closeUnseen(
    database,
    BigInt(summary.batch),
    books.minimumRunMs,
    actorName(),
  );
  if (closed === null) {
    context.note('--close-unseen: every open run that should be in it is');
    return false;
  }
  const { batch, runs } = closed;
  context.note(
    `${countedText(runs.length, 'open run')} ended where last seen, because this import reaches beyond and does not show ${runs.length === 1 ? 'it' : 'them'}, by import ${batch}:`,
  );
  for (const run of runs.slice(0, SHOWN)) context.note(`  ${closedText(run, calendar)}`);
  if (runs.length > SHOWN) context.note(`  ... and ${runs.length - SHOWN} more`);
  noteUndo(context, batch);
  return true;
}

function closedText({ id, key, source, user, endedAtMs }: StoredRun, calendar: Calendar): string {
  if (endedAtMs === null) throw new JobhoursError('UNEXPECTED', `run ${id} was closed and is open`);
  return `run ${id} (${key} of ${source}, ${user}) ended ${calendar.localText(endedAtMs)}, estimated`;
}
