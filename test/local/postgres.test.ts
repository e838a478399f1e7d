import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startPostgres, type PostgresServer } from '../../local/postgres.js';
import { cleanUp, keep, query, stopKept, temporaryFolder } from './child.js';

afterEach(stopKept);
afterAll(cleanUp);

/** Not durable unless durability matters: the tests share one disk. */
const start = (dataFolder: string, durable = false): Promise<PostgresServer> =>
  keep(startPostgres({ dataFolder, durable }));

describe('the embedded PostgreSQL', () => {
  it('is for its owner only: loopback, a password, mode 0700, no socket file', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    const server = await start(folder);
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
    const server = await start(join(await temporaryFolder(), 'postgres'), true);
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
    const first = await start(folder, true);
    await query(first, 'create table kept as select 1 as value');
    await first.stop();
    const second = await start(folder, true);
    await query(second, 'insert into kept values (2)');
    process.kill(second.pid, 'SIGKILL');
    await second.exited;
    const third = await start(folder, true);
    expect(await query(third, 'select value from kept order by value')).toEqual([[1], [2]]);
    await third.stop('immediate');
    expect(await query(await start(folder, true), 'select count(*)::int from kept')).toEqual([[2]]);
  });

  it('refuses a second start on a running data folder in the words of the server', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    await start(folder);
    const [pid] = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
    const attempt = startPostgres({ dataFolder: folder, durable: false });
    await expect(attempt).rejects.toMatchObject({
      code: 'POSTGRES_START',
      message: expect.stringMatching(`postmaster.pid" already exists[^]*PID ${pid}`),
    });
  });

  it('starts although the process file of a crash names a pid that another program has now', async () => {
    const folder = join(await temporaryFolder(), 'postgres');
    const first = await start(folder);
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const other = spawn('sleep', ['600']);
    try {
      const file = join(folder, 'postmaster.pid');
      const lines = (await readFile(file, 'utf8')).split('\n');
      await writeFile(file, [String(other.pid), ...lines.slice(1)].join('\n'));
      expect(await query(await start(folder), 'select 1')).toEqual([[1]]);
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
