/**
 * Connections to PostgreSQL: a pool, single statements, transactions. Owns connection settings and time-outs, and when
 * a connection is given back or destroyed; which SQL runs is the stores'.
 */
import pg from 'pg';
import { StatementRunner, type Transaction } from './session.js';
import { translated } from './sqlstate.js';
import { DEFAULT_TIMEOUT_MS, StatementWatch } from './statement-watch.js';
import { Wire, type Answer } from './wire.js';

export type { Session, Transaction } from './session.js';

export interface TransactionOptions {
  /** Default READ COMMITTED, which the builder's rules need (ledger.md A1). */
  readonly isolation?: 'read committed' | 'repeatable read';
  readonly readOnly?: boolean;
  /** Commit without waiting for the disk: demo books only (a crash may lose, never tear, the last commits). */
  readonly asynchronousCommit?: boolean;
  /**
   * Plan each statement once for all values, and by indexes: for short transactions that run often, of which planning
   * would be the longest part. A plan that is made while the tables are empty must do when they are large.
   */
  readonly plansOnce?: boolean;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Upper bound of connections; at least 1. */
  readonly maxConnections?: number;
  /** Longest wait for a connection, and for an answer or a sign that the server still works on it; in ms. */
  readonly timeoutMs?: number;
  readonly applicationName?: string;
}

/**
 * What the server does for a client that is gone. Dead (a cut cable, a machine without power): it is noticed within a
 * minute, also while an answer is on its way. Stopped in a transaction (SIGSTOP): the transaction ends after two
 * minutes, so that it does not hold a period's lock for ever; no writer is idle that long between two statements.
 */
const SESSION_SETTINGS = {
  timezone: 'UTC',
  jit: 'off',
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_keepalives_count: '3',
  tcp_user_timeout: '60s',
  idle_in_transaction_session_timeout: '2min',
} as const;
/**
 * A report is printed inside its snapshot, and its reader may stand still; it holds no lock. Its statements are few and
 * long, and a plan for all values took five times as long for some of them.
 */
const READER_SETTINGS = [
  "idle_in_transaction_session_timeout = '1h'",
  'plan_cache_mode = force_custom_plan',
];

/** By the estimates for tables that are empty or not analyzed yet, all would be scanned, and sorted instead of hashed. */
const PLANS_ONCE_SETTINGS = [
  'plan_cache_mode = force_generic_plan',
  'enable_seqscan = off',
  'enable_sort = off',
];

/** In one message, so that settings cost no round trip. */
function beginText(options: TransactionOptions): string {
  const isReader = options.readOnly === true;
  const settings = [
    ...(isReader ? READER_SETTINGS : []),
    ...(options.asynchronousCommit === true ? ['synchronous_commit = off'] : []),
    ...(options.plansOnce === true ? PLANS_ONCE_SETTINGS : []),
  ];
  const isolation = options.isolation ?? 'read committed';
  const begin = `begin isolation level ${isolation}${isReader ? ' read only' : ''}`;
  return [begin, ...settings.map((setting) => `set local ${setting}`)].join('; ');
}

const INT8 = 20;
const INT8_ARRAY = 1016;
const int8Array = pg.types.getTypeParser(INT8_ARRAY as never) as (text: string) => unknown;
const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8) return (text: string) => BigInt(text);
    if (oid === INT8_ARRAY) {
      return (text: string) =>
        (int8Array(text) as (string | null)[]).map((one) => BigInt(one ?? 0));
    }
    return pg.types.getTypeParser(oid, format) as unknown;
  }) as typeof pg.types.getTypeParser,
};

function poolOf(options: DatabaseOptions, timeoutMs: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 4,
    connectionTimeoutMillis: timeoutMs,
    application_name: options.applicationName ?? 'jobhours',
    keepAlive: true,
    keepAliveInitialDelayMillis: 30_000,
    types: typeParsers,
    options: Object.entries(SESSION_SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  // A connection that the server ends must not end the process: neither an idle one nor one that is in use.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

class WireTransaction extends StatementRunner implements Transaction {
  constructor(private readonly wire: Wire) {
    super(wire.ask);
  }

  get backendPid(): number {
    return this.wire.backendPid;
  }

  copyInto(target: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
    return this.wire.copyInto(target, lines);
  }
}

/** One connection held for several transactions; statements outside of them commit alone. */
export class Connection extends StatementRunner {
  constructor(private readonly wire: Wire) {
    super(wire.ask);
  }

  /** Runs `work` in one transaction: commits when it resolves, rolls back when it throws. */
  transaction<T>(
    options: TransactionOptions,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    return inTransaction(this.wire, options, work);
  }
}

/** A pool of connections to one database. Close it, or the process stays alive. */
export class Database extends StatementRunner {
  private constructor(
    private readonly pool: pg.Pool,
    private readonly watch: StatementWatch,
  ) {
    super((name, query) => onWire(pool, watch, (wire): Promise<Answer> => wire.ask(name, query)));
  }

  /** Makes the pool; connects when first used. CONFIG when the address is not a PostgreSQL URL. */
  static open(options: DatabaseOptions): Database {
    const { url, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const watch = new StatementWatch({ url, timeoutMs });
    return new Database(poolOf(options, timeoutMs), watch);
  }

  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it throws. DATABASE_MISSING when the
   * connection broke: then nobody knows whether a commit that was under way has happened.
   */
  transaction<T>(
    options: TransactionOptions,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    return onWire(this.pool, this.watch, (wire) => inTransaction(wire, options, work));
  }

  /**
   * Runs `work` on a connection of its own, which is closed afterwards: temporary tables live as long as it and
   * are gone with it. Its statements are planned for each call: a plan that fits an empty table would read all of it
   * again and again once it has grown. Not by plan_cache_mode, which would plan each check of a foreign key as well.
   */
  async connection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await connect(this.pool, this.watch);
    try {
      return await work(new Connection(new Wire(client, this.watch, false)));
    } finally {
      client.release(true);
    }
  }

  /** Ends all connections; waits for those in use. */
  async close(): Promise<void> {
    await this.pool.end();
  }
}

async function connect(pool: pg.Pool, watch: StatementWatch): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw translated(error, 'connect', watch.address);
  }
}

/** Runs `work` on a connection of the pool. One that broke is destroyed, never given back. */
async function onWire<T>(
  pool: pg.Pool,
  watch: StatementWatch,
  work: (wire: Wire) => Promise<T>,
): Promise<T> {
  const client = await connect(pool, watch);
  const wire = new Wire(client, watch);
  try {
    return await work(wire);
  } finally {
    client.release(wire.isBroken);
  }
}

async function inTransaction<T>(
  wire: Wire,
  options: TransactionOptions,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  try {
    await wire.ask('begin', beginText(options));
    const result = await work(new WireTransaction(wire));
    await wire.ask('commit', 'commit');
    return result;
  } catch (error) {
    await wire.rollBack();
    throw wire.failure(error, 'transaction');
  }
}
