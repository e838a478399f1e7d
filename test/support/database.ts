/** A database of its own for each test file: cloned from a template that is migrated once per run. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { openBooks, type Books, type BooksSettings } from '../../db/books-store.js';
import { Database } from '../../db/database.js';
import { migrate } from '../../db/migrations.js';

const TEMPLATE = 'jobhours_template';
const TEMPLATE_LOCK = 7_241_001;

export interface TestDatabase {
  readonly url: string;
  readonly database: Database;
  /** Plain SQL for arranging and for oracles; int8 comes as text. */
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** A connection of its own, for interleavings; closed with the database. */
  connect(): Promise<pg.Client>;
  close(): Promise<void>;
}

function serverUrl(): string {
  const url = process.env['JOBHOURS_TEST_DATABASE_URL'];
  if (url === undefined) throw new Error('no test server: run npm test');
  return url;
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

async function onServer<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: serverUrl() });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Migrated once for each server. That it is marked as a template says that it is whole. */
async function prepareTemplate(client: pg.Client): Promise<void> {
  const ready = await client.query('select from pg_database where datname = $1 and datistemplate', [
    TEMPLATE,
  ]);
  if (ready.rowCount === 1) return;
  await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [TEMPLATE]);
    if (found.rowCount === 0) await client.query(`create database ${TEMPLATE}`);
    await migrate(withDatabase(serverUrl(), TEMPLATE));
    await client.query(`alter database ${TEMPLATE} is_template true`);
  } finally {
    await client.query('select pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
}

/** A migrated, empty database (no books). */
export async function createTestDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(async (client) => {
    await prepareTemplate(client);
    await client.query('select pg_advisory_lock($1)', [TEMPLATE_LOCK]);
    await client.query(`create database ${name} template ${TEMPLATE}`);
    await client.query('select pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  });
  const test = openTestDatabase(withDatabase(serverUrl(), name));
  return {
    ...test,
    close: async () => {
      await test.close();
      await onServer((client) => client.query(`drop database ${name} with (force)`));
    },
  };
}

/** A database that exists and is migrated, on any server; closing it leaves it there. */
export function openTestDatabase(url: string): TestDatabase {
  const database = Database.open({ url });
  const pool = new pg.Pool({ connectionString: url, max: 2 });
  pool.on('error', () => undefined);
  const clients: pg.Client[] = [];
  return {
    url,
    database,
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await pool.query<Row>(text, values)).rows,
    connect: async () => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      clients.push(client);
      return client;
    },
    close: async () => {
      for (const client of clients) await client.end().catch(() => undefined);
      await pool.end();
      await database.close();
    },
  };
}

/** Opens books with the usual settings of tests: UTC, minimum 1 ms, no origin. */
export function openTestBooks(
  test: TestDatabase,
  settings: Partial<BooksSettings> = {},
): Promise<Books> {
  return openBooks(test.database, {
    name: 'jobhours',
    zone: 'UTC',
    minimumRunMs: 1,
    isDemo: false,
    ...settings,
  });
}
