/**
 * The watch over statements: nobody waits for ever for an answer that cannot come any more (a cut cable, a stopped
 * server, a lost session), and a statement of many minutes is left in peace while the server works on it.
 * Owns the question whether a backend still works on a statement, which it asks on a connection of its own; running
 * statements is db/wire.ts.
 */
import type { Socket } from 'node:net';
import pg from 'pg';
import type { JobhoursError } from '../domain/errors.js';
import { MS_PER_SECOND } from '../domain/units.js';
import { addressOf } from './address.js';
import { databaseMissing, sqlstateOf } from './sqlstate.js';
import { convertRow, statements } from './statement.js';

const sql = statements('statement-watch', {
  'own-start': { params: {}, row: { started_at: 'text' } },
  backend: {
    params: { pid: 'int4', startedAt: 'text?' },
    row: { is_working: 'bool', awaits_client: 'bool' },
  },
});

/** Parts of the driver's connection that its types leave out. */
interface DriverClient {
  readonly processID: number;
  readonly connection: { readonly stream: Socket };
}

/** The socket of a connection, for counting its bytes and for ending it at once. */
export function socketOf(client: pg.ClientBase): Socket {
  return (client as unknown as DriverClient).connection.stream;
}

/** Process id of the backend that serves a connection. */
export function backendPidOf(client: pg.ClientBase): number {
  return (client as unknown as DriverClient).processID;
}

/** What the server says of the backend from which an answer is awaited. */
interface Look {
  readonly state: 'works' | 'awaits client' | 'idle' | 'unknown' | 'silent' | 'refused';
  /** Why it does not let anybody look. */
  readonly sqlstate: string | null;
}

const REASONS: Readonly<Record<Exclude<Look['state'], 'works'>, string>> = {
  'awaits client': 'the server still waits for what was sent',
  idle: 'the server works on nothing for this connection',
  unknown: 'the server has lost this connection',
  silent: 'the server does not answer a new connection either',
  refused: 'the server refuses the connection that would show its work',
};
const WORKS: Look = { state: 'works', sqlstate: null };

/** A database that has a session is not renamed, and is dropped only together with the session. */
const NO_DATABASE = '3D000';
/**
 * A server that refuses a login lives and says nothing of the statement: no connection is left (53300), it starts or
 * stops (57P03), the password was changed (28P01). Most of it passes, so the wait may be this many time-outs long.
 */
const REFUSED_TIMEOUTS = 10;

/** Longest wait where nobody says another. */
export const DEFAULT_TIMEOUT_MS = 30_000;

export interface WatchOptions {
  readonly url: string;
  /** Longest wait for an answer or a sign of life, in ms. */
  readonly timeoutMs: number;
}

/** Watches the statements of all connections to one database. It holds no connection while nothing is late. */
export class StatementWatch {
  /** Where the server is, for messages. */
  readonly address: string;
  /** When the backends of the connections started, as the server says it. */
  private readonly starts = new WeakMap<pg.ClientBase, string>();

  /** CONFIG when the address is not a PostgreSQL URL. */
  constructor(private readonly options: WatchOptions) {
    this.address = addressOf(options.url);
  }

  /**
   * Asks once for each connection when its backend started. The pid alone is given again to other backends, after a
   * restart of the server soon, and no comparison of clocks can tell them apart: clocks are set (faults.md F20). The
   * first look at a late statement would be too late to ask. A connection that is not known is watched by its pid.
   */
  async know(client: pg.ClientBase): Promise<void> {
    if (this.starts.has(client)) return;
    const { text } = sql['own-start'];
    const asked = client.query<Record<string, unknown>>(text);
    const { rows } = await this.during(client, 'connect', asked);
    this.starts.set(client, convertRow(sql['own-start'], rows[0] ?? {}).started_at);
  }

  /**
   * Settles as `answer` does. DATABASE_MISSING when nothing shows within the time-out that it can still come: no
   * byte arrived or went, and the server does not say that the backend works. A server that answers and does not let
   * the watch in is asked again for ten time-outs. The connection is destroyed then.
   * `isFeeding` says that the backend rightly waits for this process (COPY from a slow source).
   */
  async during<T>(
    client: pg.ClientBase,
    statement: string,
    answer: Promise<T>,
    isFeeding: () => boolean = () => false,
  ): Promise<T> {
    const watching = this.watch(client, statement, isFeeding);
    try {
      return await Promise.race([answer, watching.lost]);
    } finally {
      watching.end();
    }
  }

  /**
   * Nearly every statement ends before its first timer fires, so nothing but that timer is set up for it: aborting a
   * signal makes an exception with a stack, which took longer than the rest of a short statement here.
   */
  private watch(
    client: pg.ClientBase,
    statement: string,
    isFeeding: () => boolean,
  ): { readonly lost: Promise<never>; end(): void } {
    const { timeoutMs } = this.options;
    const socket = socketOf(client);
    let signAtMs = performance.now();
    let isOver = false;
    let asking: AbortController | undefined;
    let timer: NodeJS.Timeout | undefined;
    const lost = new Promise<never>((_resolve, reject) => {
      const wait = (): void => {
        const seen = trafficOf(socket);
        const ask = async (): Promise<void> => {
          asking ??= new AbortController();
          const look = await this.signOf(client, seen, isFeeding, asking.signal);
          if (isOver) return;
          const quietMs = performance.now() - signAtMs;
          const isWorking = look.state === 'works';
          if (isWorking) signAtMs += quietMs;
          if (isWorking || (look.state === 'refused' && quietMs < REFUSED_TIMEOUTS * timeoutMs)) {
            wait();
            return;
          }
          socket.destroy();
          reject(this.failure(statement, quietMs, look));
        };
        // Half of the time-out is for waiting and half for asking, so that both end within it.
        timer = setTimeout(() => void ask().catch(reject), timeoutMs / 2);
      };
      wait();
    });
    const end = (): void => {
      clearTimeout(timer);
      isOver = true;
      asking?.abort();
    };
    return { lost, end };
  }

  private failure(statement: string, quietMs: number, { state, sqlstate }: Look): JobhoursError {
    const reason = state === 'works' ? '' : REASONS[state];
    const code = sqlstate === null ? '' : `, SQLSTATE ${sqlstate}`;
    const text = `no sign of an answer for ${(quietMs / MS_PER_SECOND).toFixed(1)} s, and ${reason}${code}`;
    return databaseMissing(statement, text, this.address, { sqlstate });
  }

  /** `works` when anything shows that an answer can still come; else what the server says. */
  private async signOf(
    client: pg.ClientBase,
    seen: Traffic,
    isFeeding: () => boolean,
    signal: AbortSignal,
  ): Promise<Look> {
    const socket = socketOf(client);
    const hasReceived = (): boolean => socket.bytesRead !== seen.received;
    if (hasReceived()) return WORKS;
    const look = await this.look(client, signal);
    if (hasReceived()) return WORKS;
    if (look.state === 'silent' || look.state === 'unknown') return look;
    // A long statement on a slow line: the backend has not got all of it yet.
    if (trafficOf(socket).sent !== seen.sent) return WORKS;
    return look.state === 'awaits client' && isFeeding() ? WORKS : look;
  }

  /** Looks at the backend of a connection, on another one. */
  private async look(watched: pg.ClientBase, signal: AbortSignal): Promise<Look> {
    const { url: connectionString, timeoutMs } = this.options;
    const client = new pg.Client({ connectionString, application_name: 'jobhours watch' });
    client.on('error', () => undefined);
    const end = (): void => void socketOf(client).destroy();
    const timer = setTimeout(end, timeoutMs / 2);
    signal.addEventListener('abort', end, { once: true });
    try {
      await client.connect();
      const values = [backendPidOf(watched), this.starts.get(watched) ?? null];
      const { rows } = await client.query<Record<string, unknown>>(sql.backend.text, values);
      return { state: stateOf(rows[0]), sqlstate: null };
    } catch (error) {
      const sqlstate = sqlstateOf(error);
      if (sqlstate === null) return { state: 'silent', sqlstate };
      return { state: sqlstate === NO_DATABASE ? 'unknown' : 'refused', sqlstate };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      end();
    }
  }
}

function stateOf(raw: Record<string, unknown> | undefined): Look['state'] {
  if (raw === undefined) return 'unknown';
  const backend = convertRow(sql.backend, raw);
  if (!backend.is_working) return 'idle';
  return backend.awaits_client ? 'awaits client' : 'works';
}

/** Bytes of a connection so far: those that came, and those that left this process. */
interface Traffic {
  readonly received: number;
  readonly sent: number;
}

function trafficOf(socket: Socket): Traffic {
  return { received: socket.bytesRead, sent: socket.bytesWritten - socket.writableLength };
}
