/** Runs one command of the command line on a test database, inside this process, and gives back what it printed. */
import { Command } from 'commander';
import { readBooks } from '../../db/books-store.js';
import type { CommandContext } from '../../client/commands/context.js';
import type { OpenBooks } from '../../client/open-books.js';
import { Calendar } from '../../domain/calendar.js';
import { isJobhoursError } from '../../domain/errors.js';
import { parseSettings } from '../../domain/settings.js';
import type { TestDatabase } from './database.js';

export interface CommandRun {
  readonly stdout: string;
  readonly stderr: string;
  /** `CODE: message` of the error that ended it, or null. */
  readonly error: string | null;
  /** What the process would end with, when no error did. */
  readonly exitCode: number;
}

type Register = (program: Command, context: CommandContext) => void;

export async function runCommand(
  test: TestDatabase,
  register: Register,
  argv: readonly string[],
  overrides: Partial<CommandContext> = {},
): Promise<CommandRun> {
  const lines = { out: [] as string[], err: [] as string[] };
  const settings = parseSettings({});
  const unused = (): never => {
    throw new Error('this command needs PostgreSQL only');
  };
  const context: CommandContext = {
    settings,
    withBooks: async <T>(work: (open: OpenBooks) => Promise<T>): Promise<T> => {
      const books = await readBooks(test.database);
      if (books === null) throw new Error('no books');
      const calendar = Calendar.of(books.zone);
      return work({
        database: test.database,
        books,
        calendar,
        settings,
        databaseUrl: test.url,
      });
    },
    withTemporal: unused,
    whenInterrupted: () => undefined,
    wakeKeeper: unused,
    print: (text) => void lines.out.push(text),
    note: (text) => void lines.err.push(text),
    isInteractive: false,
    untilStopped: unused,
    ...overrides,
  };
  const program = new Command('jobhours').exitOverride();
  register(program, context);
  const before = process.exitCode;
  process.exitCode = 0;
  let error: string | null = null;
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (caught) {
    if (!isJobhoursError(caught)) throw caught;
    error = `${caught.code}: ${caught.message}`;
  }
  const exitCode = Number(process.exitCode);
  process.exitCode = before;
  return { stdout: lines.out.join('\n'), stderr: lines.err.join('\n'), error, exitCode };
}
