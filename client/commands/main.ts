/**
 * The command line's frame: which commands there are, exit status, signals, closed pipes.
 * Owns nothing of what a command does. A command's module is loaded only when it is asked for.
 */
import { Command } from 'commander';
import { JobhoursError } from '../../domain/errors.js';
import type { CommandContext } from './context.js';
import { ProcessContext } from './context.js';
import { failureOf } from './failure-text.js';
import { HELP_WIDTH, wrappedHelp } from './help-width.js';
import { productVersion } from './screen.js';
import { Stopping } from './stopping.js';

type Register = (program: Command, context: ProcessContext & CommandContext) => void;

/** Noun -> what adds its commands, in the order of the help text. */
const NOUNS: Readonly<Record<string, () => Promise<Register>>> = {
  demo: async () => (await import('./demo.js')).registerDemo,
  dev: async () => (await import('./dev.js')).registerDev,
  import: async () => (await import('./import.js')).registerImport,
  run: async () => (await import('./run.js')).registerRun,
  user: async () => (await import('./rename.js')).registerUser,
  usage: async () => (await import('./usage.js')).registerUsage,
  space: async () => (await import('./space.js')).registerSpace,
  source: async () => (await import('./source.js')).registerSource,
  periods: async () => (await import('./periods.js')).registerPeriods,
  backfill: async () => (await import('./backfill.js')).registerBackfill,
  schedule: async () => (await import('./schedule.js')).registerSchedule,
  doctor: async () => (await import('./doctor.js')).registerDoctor,
  worker: async () => (await import('./worker.js')).registerWorker,
  db: async () => (await import('./db.js')).registerDb,
};

const EXAMPLES = `
Examples:
  jobhours demo                                       everything on this machine, with invented data
  jobhours dev                                        the servers for your own books, until Ctrl-C
  jobhours import sacct sacct.txt                     job records of Slurm
  jobhours backfill create --start oldest --wait      hours, days, weeks and months of all of them
  jobhours usage --window lastmonth --by user         who used how much

Settings are environment variables (DATABASE_URL, TEMPORAL_ADDRESS, JOBHOURS_ZONE, ...): see README.`;

/** The program with the commands that these arguments can mean. */
async function programFor(argv: readonly string[], context: ProcessContext): Promise<Command> {
  const program = new Command('jobhours')
    .description('Exact job hours and GPU-hours per user, by hour, day, week and month.')
    .version(productVersion())
    .showSuggestionAfterError()
    .exitOverride()
    // The text of an error is printed once, with its code, by run().
    .configureOutput({
      outputError: () => undefined,
      writeOut: (text) => process.stdout.write(wrappedHelp(text)),
      getOutHelpWidth: () => HELP_WIDTH,
    })
    .addHelpText('after', EXAMPLES);
  const noun = NOUNS[argv[0] ?? ''];
  const loaders = noun === undefined ? Object.values(NOUNS) : [noun];
  for (const register of await Promise.all(loaders.map((load) => load()))) {
    register(program, context);
  }
  return program;
}

function wantsJson(argv: readonly string[]): boolean {
  return argv.some(
    (word, index) =>
      /^(--output=|-o=?)jsonl?$/.test(word) ||
      (/^(-o|--output)$/.test(word) && /^jsonl?$/.test(argv[index + 1] ?? '')),
  );
}

const identity = (error: unknown): unknown => error;

/** Rejects with INTERRUPTED once an interruption has closed everything. */
async function interruption(stopping: Stopping): Promise<never> {
  await stopping.interrupted;
  throw new JobhoursError('INTERRUPTED', `stopped before the end; ${stopping.advice}`);
}

/** `help import csv` is `import csv --help`. */
function withoutHelpWord(argv: readonly string[]): readonly string[] {
  const [word, ...rest] = argv;
  return word === 'help' && rest.length > 0 ? [...rest, '--help'] : argv;
}

/** Runs one command line to its end; returns the exit status. Prints errors, never throws. */
async function run(given: readonly string[], stopping: Stopping): Promise<number> {
  const argv = withoutHelpWord(given);
  const command = `jobhours ${argv[0] ?? ''}`.trim();
  const context = new ProcessContext({ environment: process.env, command, stopping });
  try {
    const program = await programFor(argv, context);
    if (argv.length === 0) program.outputHelp();
    else
      await Promise.race([program.parseAsync([...argv], { from: 'user' }), interruption(stopping)]);
    return Number(process.exitCode ?? 0);
  } catch (caught) {
    // What breaks while everything is being closed is no news.
    const error = stopping.isInterrupted ? await interruption(stopping).catch(identity) : caught;
    const isDebug = process.env['JOBHOURS_DEBUG'] === '1';
    const failure = failureOf(error, { isJson: wantsJson(argv), isDebug });
    if (failure === null) return 0;
    if (failure.text !== '') process.stderr.write(`${failure.text}\n`);
    return failure.exitCode;
  }
}

/** Lets go of a reader that went away (`jobhours usage | head`): no message, no stack. */
function endQuietlyOnClosedPipe(stopping: Stopping): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      void stopping.closeAll().then(() => process.exit(0));
    });
  }
}

function drained(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

/** Runs the command line and ends the process with its exit status. */
export async function main(argv: readonly string[]): Promise<void> {
  const stopping = Stopping.listen();
  endQuietlyOnClosedPipe(stopping);
  const exitCode = await run(argv, stopping);
  await stopping.closeAll();
  await Promise.all([drained(process.stdout), drained(process.stderr)]);
  // Libraries may keep handles open; everything of ours is closed.
  process.exit(exitCode);
}
