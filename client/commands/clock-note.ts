/** What a person is told when this machine and the database do not agree on the time. */
import { clockWarning } from '../clock.js';
import type { CommandContext, OpenBooks } from './context.js';

/** A line on stderr; nothing when the clocks agree. */
export async function noteClock(
  context: Pick<CommandContext, 'note'>,
  database: OpenBooks['database'],
): Promise<void> {
  const warning = await clockWarning(database);
  if (warning !== null)
    context.note(`warning: ${warning}; a worker on such a machine builds nothing`);
}
