/**
 * Connections to PostgreSQL: a pool, single statements, transactions, COPY into a table.
 * Owns connection settings and time-outs; which SQL runs is the stores'.
 */
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { translated } from './sqlstate.js';
import {
  convertRow,
  parameterValues,
  type DeclaredType,
  type Statement,
  type Values,
} from './statement.js';
import { JobhoursError } from '../domain/errors.js';

type Columns = Readonly<Record<string, DeclaredType>>;

/** What stores run statements on: the pool itself (each statement alone) or one transaction. */
export interface Session {
  /** All rows. */
  rows<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>[]>;
  /** Exactly one row; UNEXPECTED otherwise. */
  one<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>>;
  /** One row or null; UNEXPECTED when there are more. */
  maybeOne<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R> | null>;
  /** Number of rows written. */
  execute<P extends Columns>(statement: Statement<P>, params: Values<P>): Promise<number>;
}

/** A session inside a transaction, on one connection. */
export interface Transaction extends Session {
  /**
   * Streams text-format COPY lines into a table. `target` is SQL written in the source, never input:
   * `staged (line, code)`.
   */
  copyInto(target: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void>;
  /** Backend process id, for tests that cancel or kill it. */
  readonly backendPid: number;
}

export interface TransactionOptions {
  /** Default READ COMMITTED, which the builder's rules need (ledger.md A1). */
  readonly isolation?: 'read committed' | 'repeatable read';
  readonly readOnly?: boolean;
  /** Commit without waiting for the disk: demo books only (a crash may lose, never tear, the last commits). */
  readonly asynchronousCommit?: boolean;
}

export interface DatabaseOptions {
  readonly url: string;
  /** Upper bound of connections; at least 1. */
  readonly maxConnections?: number;
  /** Longest wait for one answer, in ms: a stalled network must not hang for ever. 0 = no limit. */
  readonly queryTimeoutMs?: number;
  /** Longest wait for a connection, in ms. */
  readonly connectTimeoutMs?: number;
  readonly applicationName?: string;
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

/** Runs statements on a pool or a client of it. */
class StatementRunner implements Session {
  constructor(private readonly target: pg.Pool | pg.PoolClient) {}

  private async run<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<pg.QueryResult<Record<string, unknown>>> {
    const values = parameterValues(statement, params);
    try {
      return await this.target.query<Record<string, unknown>>({
        name: statement.name,
        text: statement.text,
        values,
      });
    } catch (error) {
      throw translated(error, statement.name);
    }
  }

  async rows<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>[]> {
    const result = await this.run(statement, params);
    return result.rows.map((row) => convertRow(statement, row));
  }

  async one<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>> {
    const row = await this.maybeOne(statement, params);
    if (row === null) throw new JobhoursError('UNEXPECTED', `${statement.name}: no row`);
    return row;
  }

  async maybeOne<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R> | null> {
    const rows = await this.rows(statement, params);
    if (rows.length > 1) throw new JobhoursError('UNEXPECTED', `${statement.name}: several rows`);
    return rows[0] ?? null;
  }

  async execute<P extends Columns>(statement: Statement<P>, params: Values<P>): Promise<number> {
    return (await this.run(statement, params)).rowCount ?? 0;
  }
}

class ClientTransaction extends StatementRunner implements Transaction {
  constructor(private readonly client: pg.PoolClient) {
    super(client);
  }

  get backendPid(): number {
    return (this.client as unknown as { processID: number }).processID;
  }

  async copyInto(target: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
    const sink = this.client.query(copyFrom(`copy ${target} from stdin`));
    try {
      await pipeline(Readable.from(lines), sink);
    } catch (error) {
      throw translated(error, `copy ${target}`);
    }
  }
}

/** One connection held for several transactions; statements outside of them commit alone. */
export class Connection extends StatementRunner {
  constructor(private readonly client: pg.PoolClient) {
    super(client);
  }

  /** Runs `work` in one transaction: commits when it resolves, rolls back when it throws. */
  transaction<T>(
    options: TransactionOptions,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    return inTransaction(this.client, options, work, () => undefined);
  }
}

/** A pool of connections to one database. Close it, or the process stays alive. */
export class Database extends StatementRunner {
  private constructor(private readonly pool: pg.Pool) {
    super(pool);
  }

  /** Makes the pool; connects when first used. CONFIG when the address is not a PostgreSQL URL. */
  static open(options: DatabaseOptions): Database {
    if (!/^postgres(ql)?:\/\//.test(options.url)) {
      throw new JobhoursError(
        'CONFIG',
        'DATABASE_URL: expected postgres://user@host:port/database',
      );
    }
    const pool = new pg.Pool({
      connectionString: options.url,
      max: options.maxConnections ?? 4,
      query_timeout: options.queryTimeoutMs ?? 0,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 10_000,
      application_name: options.applicationName ?? 'jobhours',
      keepAlive: true,
      types: typeParsers,
      options: '-c timezone=UTC -c jit=off',
    });
    // An idle connection that the server ends must not end the process.
    pool.on('error', () => undefined);
    return new Database(pool);
  }

  /**
   * Runs `work` in one transaction: commits when it resolves, rolls back when it throws.
   * A connection that failed is destroyed, never given back.
   */
  async transaction<T>(
    options: TransactionOptions,
    work: (transaction: Transaction) => Promise<T>,
  ): Promise<T> {
    const client = await this.connect();
    const onError = (): void => undefined;
    client.on('error', onError);
    let broken: Error | undefined;
    try {
      return await inTransaction(client, options, work, (error) => {
        broken = error;
      });
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  /**
   * Runs `work` on a connection of its own, which is closed afterwards: temporary tables live as long as it and
   * are gone with it.
   */
  async connection<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.connect();
    const onError = (): void => undefined;
    client.on('error', onError);
    try {
      return await work(new Connection(client));
    } finally {
      client.release(true);
    }
  }

  private async connect(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw translated(error, 'connect');
    }
  }

  /** Ends all connections; waits for those in use. */
  async close(): Promise<void> {
    await this.pool.end();
  }
}

async function inTransaction<T>(
  client: pg.PoolClient,
  options: TransactionOptions,
  work: (transaction: Transaction) => Promise<T>,
  onBroken: (error: Error) => void,
): Promise<T> {
  try {
    const isolation = options.isolation ?? 'read committed';
    await client.query(
      `begin isolation level ${isolation}${options.readOnly === true ? ' read only' : ''}`,
    );
    if (options.asynchronousCommit === true) {
      await client.query('set local synchronous_commit = off');
    }
    const result = await work(new ClientTransaction(client));
    await client.query('commit');
    return result;
  } catch (error) {
    const broken = await rollBack(client);
    if (broken !== undefined) onBroken(broken);
    throw translated(error, 'transaction');
  }
}

async function rollBack(client: pg.PoolClient): Promise<Error | undefined> {
  try {
    await client.query('rollback');
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
