/**
 * Brings the schema up to this program's version. Owns running the files of `migrations/`; the library owns
 * order, lock and bookkeeping.
 */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { JobhoursError } from '../domain/errors.js';
import { quotedValue } from '../domain/quoted-value.js';
import { DEFAULT_TIMEOUT_MS, StatementWatch } from './statement-watch.js';
import { translated } from './sqlstate.js';

const folder = fileURLToPath(new URL('./migrations', import.meta.url));
const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const TABLE = 'schema_migration';

/** Names of the migrations that this program has, in order. */
export function knownMigrations(): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .map((name) => name.replace(/\.sql$/, ''))
    .sort();
}

async function withClient<T>(
  url: string,
  timeoutMs: number,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const watch = new StatementWatch({ url, timeoutMs });
  const client = new pg.Client({
    connectionString: url,
    application_name: 'jobhours migrate',
    connectionTimeoutMillis: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await watch.know(client);
    return await watch.during(client, 'migrate', work(client));
  } catch (error) {
    throw translated(error, 'migrate', watch.address);
  } finally {
    await watch.during(client, 'end', client.end()).catch(() => undefined);
  }
}

async function applied(client: pg.Client): Promise<string[]> {
  await requireUtf8(client);
  const exists = await client.query<{ present: boolean }>(
    'select to_regclass($1) is not null as present',
    [TABLE],
  );
  if (exists.rows[0]?.present !== true) return [];
  const rows = await client.query<{ name: string }>(`select name from ${TABLE} order by name`);
  return rows.rows.map((row) => row.name);
}

/** CONFIG for a database in which not every name can be kept, or where a name has another length (B72). */
async function requireUtf8(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string; name: string }>(
    "select current_setting('server_encoding') as encoding, current_database() as name",
  );
  const [{ encoding, name } = { encoding: '', name: '' }] = rows;
  if (encoding === 'UTF8') return;
  throw new JobhoursError(
    'CONFIG',
    `DATABASE_URL: the database ${quotedValue(name)} has the encoding ${encoding}, expected UTF8: create it with ENCODING 'UTF8' TEMPLATE template0`,
    { variable: 'DATABASE_URL', encoding },
  );
}

/**
 * Applied and pending migrations; SCHEMA_VERSION when the database has one that this program lacks, CONFIG when it keeps
 * text in another encoding than UTF-8.
 */
export async function migrationStatus(
  url: string,
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<{ applied: string[]; pending: string[] }> {
  const known = knownMigrations();
  const done = await withClient(url, timeoutMs, applied);
  const unknown = done.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new JobhoursError(
      'SCHEMA_VERSION',
      `the database has ${unknown.join(', ')}, which this version does not know: use a newer jobhours`,
    );
  }
  return { applied: done, pending: known.filter((name) => !done.includes(name)) };
}

/** Applies what is pending, under a lock; concurrent calls wait for each other. Returns what was applied. */
export async function migrate(url: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<string[]> {
  const { pending } = await migrationStatus(url, timeoutMs);
  if (pending.length === 0) return [];
  // Loaded here, because that is a fifth of a short command's time and nearly no command has anything to apply.
  const { runner } = await import('node-pg-migrate');
  return withClient(url, timeoutMs, async (client) => {
    const done = await runner({
      dbClient: client,
      dir: folder,
      migrationsTable: TABLE,
      direction: 'up',
      checkOrder: true,
      singleTransaction: true,
      advisoryLockMode: 'wait',
      logger: quiet,
    });
    return done.map((migration) => migration.name);
  });
}

/** Refuses to work on another schema version: SCHEMA_VERSION names what is pending and the command. */
export async function requireMigrated(url: string, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<void> {
  const { pending } = await migrationStatus(url, timeoutMs);
  if (pending.length > 0) {
    throw new JobhoursError(
      'SCHEMA_VERSION',
      `the database lacks ${pending.join(', ')}: run 'jobhours db migrate'`,
    );
  }
}
