/** Node processes of their own for tests that kill them, and waiting for what must happen. */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { identityOf } from '../../local/process-identity.js';

const DEADLINE_MS = 30_000;
/** The built local/ of this checkout: children run without jest's transform. */
export const BUILT_LOCAL = join(import.meta.dirname, '../../dist/local');

export interface Child {
  readonly pid: number;
  /** The next line of stdout, parsed as JSON; fails when the process ends first. */
  next<T>(): Promise<T>;
  kill(): Promise<void>;
}

const running = new Set<ChildProcess>();
const folders: string[] = [];
const kept: { stop(): Promise<void> }[] = [];

/** A temporary folder that `cleanUp` removes. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'jobhours-local-'));
  folders.push(folder);
  return folder;
}

/**
 * Runs the body of an ES module with `tell(value)` (prints a line of JSON) and `load(name)` (imports
 * a built module of local/). It then stays until it is killed.
 */
export function startChild(
  body: string,
  options: { built?: string; prefix?: readonly string[]; environment?: NodeJS.ProcessEnv } = {},
): Child {
  const built = options.built ?? BUILT_LOCAL;
  if (!existsSync(built)) throw new Error(`${built} is missing: npm run build`);
  const source = `
    const tell = (value) => process.stdout.write(JSON.stringify(value) + '\\n');
    const load = (name) => import(${JSON.stringify(`file://${built}/`)} + name + '.js');
    setInterval(() => {}, 1000);
    ${body}`;
  const node = [process.execPath, '--input-type=module', '-e', source];
  const [program = '', ...args] = [...(options.prefix ?? []), ...node];
  const env = options.environment ?? process.env;
  const child = spawn(program, args, { cwd: '/', env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    next: async <T>() => {
      const timer = new AbortController();
      const late = delay(DEADLINE_MS, null, { signal: timer.signal }).catch(() => null);
      const line = await Promise.race([lines.next(), late]);
      timer.abort();
      if (line === null || line.done) throw new Error(`the child said nothing: ${errors}`);
      return JSON.parse(line.value) as T;
    },
    kill: () => killChild(child),
  };
}

async function killChild(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

/** Waits for a condition; fails with its name after the deadline. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const endsAtMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endsAtMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(20);
  }
}

export function eventuallyGone(pid: number, deadlineMs = DEADLINE_MS): Promise<void> {
  return eventually(
    `process ${pid} is gone`,
    async () => (await identityOf(pid)) === null,
    deadlineMs,
  );
}

/** Rows of one statement on a connection of its own. */
export async function query(server: { url: string }, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

/** Has `stopKept` stop the server. */
export async function keep<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  kept.push(server);
  return server;
}

export async function stopKept(): Promise<void> {
  await Promise.all(kept.splice(0).map((server) => server.stop()));
}

/** Kills the children and removes the folders of this file. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...running].map(killChild));
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}
