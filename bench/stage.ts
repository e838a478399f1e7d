/**
 * Where the bench measures: a PostgreSQL server of its own with stated settings, and one database for each data set.
 * Owns the settings and that measured work has one connection, whose processor time can be read. What the databases
 * hold is run-data.ts.
 */
import { rm } from 'node:fs/promises';
import { totalmem, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { openBooks } from '../db/books-store.js';
import { Database } from '../db/database.js';
import { migrate } from '../db/migrations.js';
import { makeOwnFolder, removeLeftovers } from '../local/leftovers.js';
import { startPostgres, type PostgresServer } from '../local/postgres.js';

const GIB = 2 ** 30;

/**
 * Data stay in memory and nothing works beside what is measured: figures are of the processor, not of a disk. Everything
 * is logged and synced as in real books.
 */
export const STAGE_SETTINGS = {
  shared_buffers: `${Math.max(1, Math.min(4, Math.floor(totalmem() / GIB / 4)))}GB`,
  work_mem: '256MB',
  maintenance_work_mem: '1GB',
  max_wal_size: '8GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  max_parallel_workers_per_gather: '0',
} as const;

const PREFIX = 'jobhours-bench-';

/** A new folder for files of the bench. What a killed bench left is removed when the next one starts. */
export function benchFolder(): Promise<string> {
  return makeOwnFolder(tmpdir(), PREFIX);
}

/** A database with a connection for measured work and one for all else. */
export interface StageDatabase {
  readonly url: string;
  /** The product's way in; one connection. */
  readonly database: Database;
  /** Plain SQL: data sets, peers, checks. int8 comes as text. */
  readonly client: pg.Client;
  /** Closes the connections; the database stays. */
  close(): Promise<void>;
}

export class Stage {
  private readonly open = new Map<string, Promise<StageDatabase>>();

  private constructor(
    private readonly server: PostgresServer,
    private readonly folder: string,
  ) {}

  /** Starts the server on a new folder. POSTGRES_START as local/postgres.ts. `durable`: false measures nothing real. */
  static async start(durable = true): Promise<Stage> {
    await removeLeftovers(tmpdir(), PREFIX);
    const folder = await benchFolder();
    const dataFolder = join(folder, 'postgres');
    return new Stage(
      await startPostgres({ dataFolder, durable, settings: STAGE_SETTINGS }),
      folder,
    );
  }

  /** `18.4` */
  get postgresVersion(): string {
    return this.server.version;
  }

  /** The database of a name: made, migrated and filled by `fill` when it is asked for the first time. */
  database(
    name: string,
    fill: (made: StageDatabase) => Promise<void> = () => Promise.resolve(),
  ): Promise<StageDatabase> {
    const found = this.open.get(name) ?? this.make(name, fill);
    this.open.set(name, found);
    return found;
  }

  /** A copy of a database, with what it holds now. Nobody may be connected to that: its connections are closed first. */
  async copy(from: string, name: string): Promise<StageDatabase> {
    await (await this.open.get(from))?.close();
    await this.onServer(`create database ${name} template ${from} strategy file_copy`);
    this.open.set(from, this.connect(from));
    const made = this.connect(name);
    this.open.set(name, made);
    return made;
  }

  /** Drops a database, if there is one. */
  async drop(name: string): Promise<void> {
    await (await this.open.get(name))?.close();
    this.open.delete(name);
    await this.onServer(`drop database if exists ${name}`);
  }

  /** Ends the server and removes its data. */
  async close(): Promise<void> {
    for (const database of this.open.values())
      await (await database).close().catch(() => undefined);
    await this.server.stop('immediate');
    await rm(this.folder, { recursive: true, force: true });
  }

  private urlOf(name: string): string {
    const url = new URL(this.server.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  private async make(
    name: string,
    fill: (made: StageDatabase) => Promise<void>,
  ): Promise<StageDatabase> {
    await this.onServer(`create database ${name}`);
    await migrate(this.urlOf(name));
    const made = await this.connect(name);
    await openBooks(made.database, { name: 'bench', zone: 'UTC', minimumRunMs: 0, isDemo: false });
    await fill(made);
    return made;
  }

  private async connect(name: string): Promise<StageDatabase> {
    const url = this.urlOf(name);
    const database = Database.open({ url, maxConnections: 1, timeoutMs: 3_600_000 });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return {
      url,
      database,
      client,
      close: async () => {
        await client.end();
        await database.close();
      },
    };
  }

  private async onServer(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.server.url });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  }
}
