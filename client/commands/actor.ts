/** Who does something: the person who runs the command, unless `--actor` says another one. Owns that flag and `--reason`. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import { nameOf } from '../../domain/record-text.js';
import type { Doer } from '../import-list.js';

export interface DoerFlags {
  readonly actor?: string;
  readonly reason?: string;
}

/** Adds `--reason` and `--actor`. */
export function withDoer(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for whoever asks later; required')
    .option('--actor <name>', 'who decided it (default: the user who runs this)');
}

/** Who runs this process; a container's user may have a number and no name. */
export function actorName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid:${process.getuid?.() ?? 'unknown'}`;
  }
}

/** USAGE without a reason, USER_INVALID for an actor that is no name. */
export function doerOf({ actor, reason }: DoerFlags): Doer {
  if (reason === undefined) {
    throw new JobhoursError('USAGE', '--reason is missing: say why, for whoever asks later');
  }
  const rule = { field: '--actor', code: 'USER_INVALID' } as const;
  return { actor: actor === undefined ? actorName() : nameOf(actor, rule), reason };
}
