/** What a command says and does once it has changed the books. Owns the wake of the keeper and its words. */
import type { CommandContext } from './context.js';

/** Says how an act by hand is taken back. */
export function noteUndo(context: Pick<CommandContext, 'note'>, batch: bigint): void {
  context.note(`take it back: jobhours import undo ${batch} --reason TEXT`);
}

/** Wakes the keeper, or says how the books are brought up to date. `hasBegun`: the books have an origin. */
export async function bringUpToDate(context: CommandContext, hasBegun: boolean): Promise<void> {
  const command = await context.wakeKeeper();
  if (command !== null) context.note(`Then bring the books up to date: ${command}`);
  else if (hasBegun) context.note('The keeper was woken: it brings the books up to date.');
  else
    context.note(
      'The books have not begun: reports compute from the runs, a backfill begins them.',
    );
}
