/** A PostgreSQL server that a test may kill, stop and start again. Its URL stays, because a proxy stands in front. */
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../db/migrations.js';
import { isJobhoursError } from '../../domain/errors.js';
import { makeOwnFolder } from '../../local/leftovers.js';
import { startPostgres, type PostgresServer } from '../../local/postgres.js';
import { openTestDatabase, type TestDatabase } from './database.js';
import { TcpProxy } from './tcp-proxy.js';
import { until } from './temporal-books.js';

export class OwnPostgres {
  private constructor(
    readonly folder: string,
    readonly proxy: TcpProxy,
    private server: PostgresServer,
  ) {}

  /** Commits are durable, as in production: what was acknowledged must survive a kill. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<OwnPostgres> {
    const folder = await makeOwnFolder(tmpdir(), 'jobhours-test-');
    const server = await startPostgres({
      dataFolder: join(folder, 'data'),
      durable: true,
      settings,
    });
    return new OwnPostgres(folder, await TcpProxy.start(server.port), server);
  }

  /** Through the proxy. */
  get url(): string {
    return this.proxy.through(this.server.url);
  }

  /** Past the proxy; changes with each start. */
  get directUrl(): string {
    return this.server.url;
  }

  /** A migrated, empty database, through the proxy; it goes with the server. */
  async createDatabase(name: string): Promise<TestDatabase> {
    const client = new pg.Client({ connectionString: this.directUrl });
    await client.connect();
    await client.query(`create database ${name}`).finally(() => client.end());
    const url = new URL(this.url);
    url.pathname = `/${name}`;
    await migrate(url.href);
    return openTestDatabase(url.href);
  }

  async postmasterPid(): Promise<number> {
    const text = await readFile(join(this.folder, 'data', 'postmaster.pid'), 'utf8');
    return Number(text.split('\n')[0]);
  }

  /** Ends the server: `kill` is SIGKILL of the postmaster, `immediate` what `pg_ctl restart -m immediate` does. */
  async end(how: 'kill' | 'immediate'): Promise<void> {
    if (how === 'kill') {
      process.kill(await this.postmasterPid(), 'SIGKILL');
      await this.server.exited;
    } else {
      await this.server.stop('immediate');
    }
  }

  /** Starts it again on the same data. Backends of a killed one need a moment to notice. */
  async startAgain(): Promise<void> {
    const dataFolder = join(this.folder, 'data');
    await until('PostgreSQL starts again', async () => {
      try {
        this.server = await startPostgres({ dataFolder, durable: true });
        return true;
      } catch (error) {
        if (!isJobhoursError(error, 'POSTGRES_START')) throw error;
        return false;
      }
    });
    this.proxy.targetPort = this.server.port;
  }

  async close(): Promise<void> {
    await this.server.stop('immediate');
    await this.proxy.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}
