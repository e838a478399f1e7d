/**
 * Server processes that end with this one, even when it is killed with SIGKILL.
 * Owns starting, tying, watching and stopping them, always by pid. What they serve is not its matter.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { answers } from './port.js';

/**
 * How a server is tied to this process. `setpriv`: the kernel signals it when its parent dies (Linux).
 * `shell`: a shell waits for the end of a pipe that only this process holds open (anywhere).
 */
export type Tie = 'setpriv' | 'shell';
export type EndSignal = 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGKILL';

export interface ServerCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment of the server: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** What the server gets when this process dies. */
  readonly endSignal: EndSignal;
  /** Words before the program, such as those that change the user. */
  readonly prefix?: readonly string[];
  /** Default: `setpriv` where it works. */
  readonly tie?: Tie;
}

export interface ServerProcess {
  /** Pid of the server or of the shell that keeps it. */
  readonly pid: number;
  /** Settles when the process is gone and its output read: exit status, or what ended it. */
  readonly exited: Promise<string>;
  isGone(): boolean;
  /** The last lines that it wrote to stdout and stderr, at most 8,000 characters. */
  output(): string;
  /** Signals the server and returns when it is gone; after the deadline with SIGKILL. */
  stop(signal: EndSignal, deadlineMs: number): Promise<void>;
}

const KEPT_CHARACTERS = 8000;
/** How long output may trail behind an exit: grandchildren can hold the pipes open. */
const TRAILING_OUTPUT_MS = 500;

// A parent that died before the kernel was told would never be noticed: hence the look at PPID.
const EXEC_UNLESS_ORPHAN = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"';
// The shell reads one line: a signal's name on request, nothing when the pipe's other end died.
const GUARD = `default=$1; shift; exec 3<&0
"$@" 3<&- </dev/null & server=$!
{ read -r name <&3; kill -"\${name:-$default}" "$server"; } & reader=$!
exec 3<&-
wait "$server"; status=$?
kill "$reader" 2>/dev/null
exit "$status"`;

function succeeds(program: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: 5000 }, (error) => resolve(error === null));
  });
}

let knownTie: Promise<Tie> | undefined;

/** The better way of this machine to tie a server to its parent. */
function bestTie(): Promise<Tie> {
  knownTie ??= succeeds('setpriv', ['--pdeathsig=TERM', '--', 'true']).then((works) =>
    works ? 'setpriv' : 'shell',
  );
  return knownTie;
}

function tiedWords(command: ServerCommand, tie: Tie): string[] {
  const short = command.endSignal.slice(3);
  const guard =
    tie === 'setpriv'
      ? ['setpriv', `--pdeathsig=${short}`, '--', 'sh', '-c', EXEC_UNLESS_ORPHAN, 'sh']
      : ['sh', '-c', GUARD, 'sh'];
  const argument = tie === 'setpriv' ? String(process.pid) : short;
  return [...(command.prefix ?? []), ...guard, argument, command.program, ...command.args];
}

function collectOutput(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-KEPT_CHARACTERS);
    });
  }
  return () => text.trim();
}

function watchExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      const outcome = signal === null ? `exit status ${code}` : `ended by ${signal}`;
      child.once('close', () => resolve(outcome));
      setTimeout(() => resolve(outcome), TRAILING_OUTPUT_MS).unref();
    });
  });
}

/** Sends a signal and says nothing when the process is gone already. */
function signalProcess(pid: number, signal: EndSignal): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/**
 * Starts a server in a session of its own (Ctrl-C in the terminal does not reach it), tied to this
 * process. Call it from the main thread: the kernel ties to the thread. A program that cannot be
 * started shows as `exited`, not as an exception.
 */
export async function startServer(command: ServerCommand): Promise<ServerProcess> {
  const tie = command.tie ?? (await bestTie());
  const [program = '', ...args] = tiedWords(command, tie);
  const stdin = tie === 'shell' ? 'pipe' : 'ignore';
  const options = { cwd: '/', detached: true, env: { ...command.environment } };
  const child = spawn(program, args, { ...options, stdio: [stdin, 'pipe', 'pipe'] });
  child.stdin?.on('error', () => undefined);
  const output = collectOutput(child);
  let gone = false;
  const exited = watchExit(child).finally(() => (gone = true));
  const pid = child.pid ?? 0;

  const send = (signal: EndSignal): void => {
    if (signal === 'SIGKILL') signalProcess(-pid, signal);
    else if (tie === 'shell') child.stdin?.end(`${signal.slice(3)}\n`);
    else signalProcess(pid, signal);
  };
  const stop = async (signal: EndSignal, deadlineMs: number): Promise<void> => {
    if (gone || pid === 0) return;
    send(signal);
    const timer = new AbortController();
    const late = delay(deadlineMs, 'late', { signal: timer.signal }).catch(() => 'over');
    if ((await Promise.race([exited, late])) === 'late') send('SIGKILL');
    timer.abort();
    await exited;
  };
  return { pid, exited, isGone: () => gone, output, stop };
}

/** Runs a program to its end, tied like a server; `ok` is false for any other status than 0. */
export async function runProgram(
  command: Omit<ServerCommand, 'endSignal'>,
  deadlineMs: number,
): Promise<{ ok: boolean; outcome: string; output: string }> {
  const running = await startServer({ ...command, endSignal: 'SIGTERM' });
  const late = setTimeout(() => void running.stop('SIGTERM', 2000), deadlineMs);
  const outcome = await running.exited;
  clearTimeout(late);
  return { ok: outcome === 'exit status 0', outcome, output: running.output() };
}

/** Calls `isReady` until it returns true: 'ready', 'gone' when the server ended first, else 'late'. */
export async function waitUntilReady(
  server: Pick<ServerProcess, 'isGone'>,
  deadlineMs: number,
  isReady: () => Promise<boolean>,
): Promise<'ready' | 'gone' | 'late'> {
  const endsAtMs = performance.now() + deadlineMs;
  while (!(await isReady())) {
    if (server.isGone()) return 'gone';
    if (performance.now() > endsAtMs) return 'late';
    await delay(10);
  }
  // What answered may be another process that took the port when ours had failed on it.
  return server.isGone() ? 'gone' : 'ready';
}

/** Waits until 127.0.0.1:port accepts connections; ends early when the server ends. */
export function waitForPort(
  port: number,
  server: Pick<ServerProcess, 'isGone'>,
  deadlineMs: number,
): Promise<'ready' | 'gone' | 'late'> {
  return waitUntilReady(server, deadlineMs, () => answers(port));
}

/** Absolute path of an executable of that name on PATH, or null. */
export async function findOnPath(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter).filter((entry) => entry.startsWith('/'))) {
    const candidate = join(folder, name);
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return null;
}
