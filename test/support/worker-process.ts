/** Worker processes that tests kill, stop and continue. Owns their lives; what they run is worker-child.mjs. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** When a worker signals itself. */
export interface SelfSignal {
  readonly name: 'SIGKILL' | 'SIGSTOP';
  /** The nth statement after it began to poll, from 1. */
  readonly statement: number;
  /** Only statements of this name are counted: `commit`, `period-hour/build`. */
  readonly of?: string;
  readonly when: 'before' | 'sent' | 'answered';
}

export interface WorkerTarget {
  readonly url: string;
  readonly temporal: { readonly address: string; readonly namespace: string };
  readonly selfSignal?: SelfSignal;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Resolves when it polls; rejects when it ended before. */
  readonly polling: Promise<void>;
  /** Settles when the process is gone: its exit status, or what killed it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  isGone(): boolean;
  /** The statement at which it signalled itself, or how many it sent when it was asked to stop. */
  said(): string;
  signal(name: NodeJS.Signals): void;
}

const program = fileURLToPath(new URL('./worker-child.mjs', import.meta.url));
const running = new Set<ChildProcess>();

/** Starts a worker; it polls soon. `endWorkerProcesses` ends it. */
export function startWorkerProcess(target: WorkerTarget): WorkerProcess {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, CHILD_WORKER: JSON.stringify(target) },
  });
  running.add(child);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const polling = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', () => text.startsWith('polls') && resolve());
    child.once('close', () => reject(new Error(`the worker ended before it polled: ${text}`)));
  });
  polling.catch(() => undefined);
  const exited = once(child, 'close').then(([code, signal]) => {
    running.delete(child);
    return (signal ?? code) as number | NodeJS.Signals;
  });
  return {
    pid: child.pid ?? 0,
    polling,
    exited,
    isGone: () => !running.has(child),
    said: () => text.replace('polls', '').trim(),
    signal: (name) => void child.kill(name),
  };
}

/** Kills those that still run, stopped ones too. */
export async function endWorkerProcesses(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGKILL');
      await closed;
    }),
  );
}
