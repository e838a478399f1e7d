/** The data sets that several benches share, each made when it is first asked for. Owns their names in the stage. */
import { buildPeriod } from '../db/period-builder.js';
import type { Period } from '../domain/period.js';
import type { Setup } from './bench.js';
import { UTC } from './built-books.js';
import { hourAt, storeRuns, type RunData } from './run-data.js';
import type { StageDatabase } from './stage.js';

const countText = (count: number): string => count.toLocaleString('en-US');

/** A database with the runs of a data set. */
export function runsOf({ stage, say }: Setup, name: string, data: RunData): Promise<StageDatabase> {
  return stage.database(name, async (made) => {
    say(`storing ${countText(data.runs)} runs of ${Number(data.days.toFixed(2))} days (${name})`);
    await storeRuns(made, data);
  });
}

export function books(setup: Setup): Promise<StageDatabase> {
  return runsOf(setup, 'books', setup.size.books);
}

/** A copy of the books in which no period is built yet, under another name. */
export async function copiedBooks(setup: Setup, name: string): Promise<StageDatabase> {
  const { client } = await books(setup);
  const { rows } = await client.query('select from period limit 1');
  if (rows.length > 0) throw new Error('the books that are copied have periods already');
  return setup.stage.copy('books', name);
}

/** Hours of a data set from about `part` (0 to 1) of its span on. The one before them is built: they have a carry. */
export async function hoursFrom(
  { database }: StageDatabase,
  data: RunData,
  part: number,
): Promise<(number: number) => Period> {
  const first = UTC.periodAt('hour', hourAt(data, part));
  await buildPeriod(database, UTC.previous(first));
  return (number) =>
    UTC.periodAt('hour', first.startAtMs + number * (first.endAtMs - first.startAtMs));
}
