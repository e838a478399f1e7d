/**
 * The watch over statements: nobody waits for ever for an answer that cannot come any more (a cut cable, a stopped
 * server, a lost session), and a statement of many minutes is left in peace while the server works on it.
 * Owns the question whether a backend still works on a statement, which it asks on a connection of its own; running
 * statements is db/wire.ts.
 */
import type { Socket } from 'node:net';
import pg from 'pg';
import { addressOf } from './address.js';
import { databaseMissing, sqlstateOf } from './sqlstate.js';
import { convertRow, statements } from './statement.js';

const sql = statements('statement-watch', {
  backend: {
    params: { pid: 'int4', waitedMs: 'count' },
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
type Look = 'works' | 'awaits client' | 'idle' | 'unknown' | 'silent';

const REASONS: Readonly<Record<Exclude<Look, 'works'>, string>> = {
  'awaits client': 'the server still waits for what was sent',
  idle: 'the server works on nothing for this connection',
  unknown: 'the server has lost this connection',
  silent: 'the server does not answer a new connection either',
};

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

  /** CONFIG when the address is not a PostgreSQL URL. */
  constructor(private readonly options: WatchOptions) {
    this.address = addressOf(options.url);
  }

  /**
   * Settles as `answer` does. DATABASE_MISSING when nothing shows within the time-out that it can still come: no
   * byte arrived or went, and the server does not say that the backend works. The connection is destroyed then.
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

  /** Nearly every statement ends before its first timer fires, so nothing but that timer is set up for it. */
  private watch(
    client: pg.ClientBase,
    statement: string,
    isFeeding: () => boolean,
  ): { readonly lost: Promise<never>; end(): void } {
    const { timeoutMs } = this.options;
    const socket = socketOf(client);
    const sinceMs = performance.now();
    const over = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const lost = new Promise<never>((_resolve, reject) => {
      const wait = (): void => {
        const seen = trafficOf(socket);
        const ask = async (): Promise<void> => {
          const waitedMs = Math.floor(performance.now() - sinceMs);
          const reason = await this.reasonLost(client, seen, waitedMs, isFeeding, over.signal);
          if (over.signal.aborted) return;
          if (reason === null) {
            wait();
            return;
          }
          socket.destroy();
          const text = `no answer for ${timeoutMs / 1000} s, and ${reason}`;
          reject(databaseMissing(statement, text, this.address));
        };
        // Half of the time-out is for waiting and half for asking, so that both end within it.
        timer = setTimeout(() => void ask().catch(reject), timeoutMs / 2);
      };
      wait();
    });
    const end = (): void => {
      clearTimeout(timer);
      over.abort();
    };
    return { lost, end };
  }

  /** Why no answer can come; null when one still can. */
  private async reasonLost(
    client: pg.ClientBase,
    seen: Traffic,
    waitedMs: number,
    isFeeding: () => boolean,
    signal: AbortSignal,
  ): Promise<string | null> {
    const socket = socketOf(client);
    if (socket.bytesRead !== seen.received) return null;
    const limitMs = this.options.timeoutMs / 2;
    const look = await this.look(backendPidOf(client), waitedMs, limitMs, signal);
    if (look === 'works' || socket.bytesRead !== seen.received) return null;
    // A long statement on a slow line: the backend has not got all of it yet.
    const isSending = trafficOf(socket).sent !== seen.sent;
    if (isSending && look !== 'silent' && look !== 'unknown') return null;
    return look === 'awaits client' && isFeeding() ? null : REASONS[look];
  }

  /** An error of the server, such as too many connections (53300), is a sign of life too. */
  private async look(
    pid: number,
    waitedMs: number,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<Look> {
    const { url: connectionString } = this.options;
    const client = new pg.Client({ connectionString, application_name: 'jobhours watch' });
    client.on('error', () => undefined);
    const end = (): void => void socketOf(client).destroy();
    const timer = setTimeout(end, limitMs);
    signal.addEventListener('abort', end, { once: true });
    try {
      await client.connect();
      const { text } = sql.backend;
      const { rows } = await client.query<Record<string, unknown>>(text, [pid, waitedMs]);
      return lookOf(rows[0]);
    } catch (error) {
      return sqlstateOf(error) === null ? 'silent' : 'works';
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      end();
    }
  }
}

function lookOf(raw: Record<string, unknown> | undefined): Look {
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
