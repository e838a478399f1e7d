/** Runs `jobhours` as a person does: its own process, a home of its own, waiting with deadlines. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../jobhours.mjs', import.meta.url));
/** A loaded machine with 2 cores; the product's own targets are far below. */
const DEADLINE_MS = 120_000;

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in the background. */
export interface Running {
  readonly pid: number;
  readonly finished: Promise<Finished>;
  stdout(): string;
  /** Returns when stdout contains the text; fails when the command ended before or the deadline passed. */
  waitFor(text: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

export interface RunOptions {
  /** What stdin has; null keeps it open. Default: nothing. */
  readonly input?: string | null;
  /** Closes the reading end of stdout at once, as `| head -0` does. */
  readonly closesStdout?: true;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A shell of its own: one `JOBHOURS_HOME` in a temporary folder. */
export class CommandLine {
  private readonly children = new Set<ChildProcess>();

  private constructor(
    readonly home: string,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  /** `environment` is added to PATH, HOME and JOBHOURS_HOME; nothing else is inherited. */
  static async create(environment: Readonly<Record<string, string>> = {}): Promise<CommandLine> {
    return new CommandLine(await mkdtemp(join(tmpdir(), 'jobhours-e2e-')), environment);
  }

  /** Starts a command. */
  start(words: readonly string[], options: RunOptions = {}): Running {
    const child = spawn(process.execPath, [program, ...words], {
      env: {
        ...inherited(),
        JOBHOURS_HOME: this.home,
        ...this.environment,
        ...options.environment,
      },
      stdio: 'pipe',
    });
    this.children.add(child);
    child.stdin.on('error', () => undefined);
    if (options.input !== null) child.stdin.end(options.input ?? '');
    if (options.closesStdout === true) child.stdout.destroy();
    const [stdout, stderr] = [collected(child.stdout), collected(child.stderr)];
    const finished = new Promise<Finished>((resolve) => {
      child.once('close', (exitCode) => {
        this.children.delete(child);
        resolve({ exitCode, stdout: stdout(), stderr: stderr() });
      });
    });
    const waitFor = async (text: string): Promise<void> => {
      await until(`'${text}' of jobhours ${words.join(' ')}`, () => {
        if (stdout().includes(text) || stderr().includes(text)) return true;
        if (child.exitCode === null) return false;
        throw new Error(`ended with ${child.exitCode}\n${stdout()}\n${stderr()}`);
      });
    };
    const signal = (name: NodeJS.Signals): void => void child.kill(name);
    return { pid: child.pid ?? 0, finished, stdout, waitFor, signal };
  }

  /** Runs a command to its end. */
  run(words: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return this.start(words, options).finished;
  }

  /** Returns when no process that names the home is left; fails with what is left after the deadline. */
  async untilNothingRuns(): Promise<void> {
    let left: string[] = [];
    await until('the end of all processes', async () => {
      left = await commandLinesWith(this.home);
      return left.length === 0;
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${left.join('\n')}`);
    });
  }

  /** Kills what still runs and removes the home. */
  async remove(): Promise<void> {
    for (const child of this.children) child.kill('SIGKILL');
    await this.untilNothingRuns();
    await rm(this.home, { recursive: true, force: true });
  }
}

function inherited(): Record<string, string> {
  const names = ['PATH', 'HOME', 'XDG_CACHE_HOME', 'JOBHOURS_TEMPORAL_CLI', 'LD_LIBRARY_PATH'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = process.env[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function collected(stream: NodeJS.ReadableStream): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}

/** Returns when the condition holds; fails after 120 s. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const endsAtMs = performance.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (performance.now() > endsAtMs) throw new Error(`waited in vain for ${what}`);
    await delay(50);
  }
}

/** Command lines of running processes in which a text stands. */
function commandLinesWith(text: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    execFile('ps', ['-A', '-o', 'pid=,args='], { maxBuffer: 1 << 24 }, (error, out) => {
      if (error) reject(new Error('ps failed', { cause: error }));
      else resolve(out.split('\n').filter((line) => line.includes(text)));
    });
  });
}
