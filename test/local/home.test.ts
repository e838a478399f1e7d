import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  acquire,
  acquireOrJoin,
  ensureHome,
  readPublished,
  type Addresses,
} from '../../local/home.js';
import { acquireLock } from '../../local/lock.js';
import { ownMark } from '../../local/process-identity.js';
import { cleanUp, startChild, temporaryFolder, type Child } from './child.js';

afterAll(cleanUp);

const addresses: Addresses = {
  databaseUrl: 'postgres://postgres:secret@127.0.0.1:1/postgres',
  temporalAddress: '127.0.0.1:2',
  temporalNamespace: 'jobhours',
  uiAddress: 'http://127.0.0.1:3',
};
const request = { command: 'test', waitMs: 0 };
let home: string;

beforeEach(async () => {
  home = join(await temporaryFolder(), '.jobhours', 'books');
});

/** A process that holds the home; publishes when told so. */
async function holder(publishes: boolean): Promise<Child> {
  const child = startChild(`
    const { acquire } = await load('home');
    const lock = await acquire(${JSON.stringify(home)}, { command: 'jobhours dev', waitMs: 0 });
    if (${publishes}) await lock.publish(${JSON.stringify(addresses)});
    tell('held');`);
  await child.next();
  return child;
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;

describe('a home', () => {
  it('is for its owner only and kept out of version control', async () => {
    await ensureHome(home);
    expect(await modeOf(home)).toBe(0o700);
    expect(await readFile(join(home, '.gitignore'), 'utf8')).toBe('*\n');
    const lock = await acquire(home, request);
    await lock.publish(addresses);
    expect(await modeOf(join(home, 'servers.json'))).toBe(0o600);
    await lock.release();
  });

  it('that cannot be created is refused with the name of the setting', async () => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(file, '');
    await expect(ensureHome(join(file, 'books'))).rejects.toMatchObject({
      code: 'CONFIG',
      message: expect.stringContaining('JOBHOURS_HOME'),
    });
  });

  it('below /proc is refused at once, where a recursive mkdir of Node 20 never returns', async () => {
    await expect(ensureHome('/proc/jobhours/books')).rejects.toMatchObject({ code: 'CONFIG' });
  }, 5_000);

  it('with missing parents is made with them', async () => {
    const deep = join(await temporaryFolder(), 'a', 'b', 'home');
    await ensureHome(deep);
    expect(await modeOf(deep)).toBe(0o700);
  });

  it('with published servers refuses a second start at once, naming pid, command and home', async () => {
    const child = await holder(true);
    const attempt = acquire(home, { command: 'jobhours dev', waitMs: 60_000 });
    await expect(attempt).rejects.toMatchObject({
      code: 'HOME_BUSY',
      details: { pid: child.pid, command: 'jobhours dev', home },
    });
    await attempt.catch((error: Error) => {
      for (const part of [String(child.pid), 'jobhours dev', home]) {
        expect(error.message).toContain(part);
      }
    });
  });

  it('held beyond the wait without published servers is HOME_BUSY', async () => {
    await holder(false);
    await expect(acquire(home, { ...request, waitMs: 100 })).rejects.toMatchObject({
      code: 'HOME_BUSY',
    });
    const joining = acquireOrJoin(home, { ...request, waitMs: 100 });
    await expect(joining).rejects.toMatchObject({
      code: 'HOME_BUSY',
      message: expect.stringMatching(
        /is kept by jobhours dev \(pid \d+\): wait for its end .*'jobhours dev'/,
      ) as unknown,
    });
    await expect(joining).rejects.not.toMatchObject({
      message: expect.stringMatching(/stop|JOBHOURS_HOME/) as unknown,
    });
  });

  it('is waited for while a short command holds it', async () => {
    const said: string[] = [];
    const short = await acquire(home, request);
    const waiting = acquire(home, {
      command: 'jobhours dev',
      waitMs: 30_000,
      onProgress: (text) => {
        said.push(text);
        void short.release();
      },
    });
    await (await waiting).release();
    expect(said).toHaveLength(1);
    expect(said[0]).toBe(`waiting for test (pid ${process.pid}), which keeps ${home}`);
  });

  it('of a killed process is taken over', async () => {
    const child = await holder(true);
    await child.kill();
    const lock = await acquire(home, request);
    await lock.release();
    expect(await readdir(home)).toEqual(['.gitignore']);
  });
});

describe('published addresses', () => {
  it('are read by other processes while the publisher runs, and never after it died', async () => {
    const child = await holder(true);
    expect(await readPublished(home)).toEqual({
      ...addresses,
      pid: child.pid,
      command: 'jobhours dev',
    });
    await child.kill();
    expect(await readFile(join(home, 'servers.json'), 'utf8')).toContain('127.0.0.1:2');
    expect(await readPublished(home)).toBeNull();
  });

  it('are withdrawn with the lock and absent before the first publication', async () => {
    expect(await readPublished(home)).toBeNull();
    const lock = await acquire(home, request);
    expect(await readPublished(home)).toBeNull();
    await lock.publish(addresses);
    expect(await readPublished(home)).toMatchObject(addresses);
    await lock.release();
    expect(await readPublished(home)).toBeNull();
  });

  it('are waited for by a command that finds the home held', async () => {
    const starting = await acquire(home, request);
    const joining = acquireOrJoin(home, {
      command: 'jobhours import',
      waitMs: 30_000,
      onProgress: () => void starting.publish(addresses),
    });
    expect(await joining).toEqual({
      servers: { ...addresses, pid: process.pid, command: 'test' },
    });
    await starting.release();
    const free = await acquireOrJoin(home, request);
    expect('lock' in free).toBe(true);
    if ('lock' in free) await free.lock.release();
  });
});

describe('a lock', () => {
  it('of a process that ended before another got its pid is taken over', async () => {
    const file = join(await temporaryFolder(), 'lock');
    const mark = { ...(await ownMark()), identity: 'another start' };
    await writeFile(file, JSON.stringify({ ...mark, command: 'old', token: 'old' }));
    const answer = await acquireLock(file, request);
    expect(answer).toMatchObject({ lock: { holder: { pid: process.pid, command: 'test' } } });
  });

  it('whose text was cut off by a power loss is taken over', async () => {
    for (const text of ['', '{"pid":', 'null', '[]']) {
      const file = join(await temporaryFolder(), 'lock');
      await writeFile(file, text);
      expect(await acquireLock(file, request)).toHaveProperty('lock');
    }
  });

  it('is held by one of many processes at a time, from a dead holder on', async () => {
    const folder = await temporaryFolder();
    const [file, counter] = [join(folder, 'lock'), join(folder, 'counter')];
    await writeFile(counter, '0');
    await writeFile(file, JSON.stringify({ pid: 2 ** 30, identity: 'x', command: '', token: '' }));
    const rounds = 25;
    const children = Array.from({ length: 5 }, () =>
      startChild(`
        import { readFile, writeFile } from 'node:fs/promises';
        const { acquireLock } = await load('lock');
        for (let round = 0; round < ${rounds}; round += 1) {
          const answer = await acquireLock('${file}', { command: 'count', waitMs: 30000 });
          const read = Number(await readFile('${counter}', 'utf8'));
          await new Promise(setImmediate);
          await writeFile('${counter}', String(read + 1));
          // Every third time the holder "dies": its lock names a process that does not run.
          if (round % 3) await answer.lock.release();
          else await writeFile('${file}', JSON.stringify({ pid: 2 ** 30, identity: 'x', command: '', token: round + '' }));
        }
        tell('done');`),
    );
    for (const child of children) expect(await child.next()).toBe('done');
    expect(await readFile(counter, 'utf8')).toBe(String(rounds * children.length));
  });
});
