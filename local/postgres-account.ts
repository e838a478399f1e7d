/**
 * Under which account PostgreSQL runs: it refuses root.
 * Owns the choice and the hand-over of folders. An ordinary user runs it as it is.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface PostgresAccount {
  /** For progress and error texts. */
  readonly name: string;
  /** Words before the program that change the account. */
  readonly prefix: readonly string[];
  /** Owner of the data folder, null when the files stay ours. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
}

const ORDINARY: PostgresAccount = { name: 'this user', prefix: [], owner: null };

function succeeds(words: readonly string[]): Promise<boolean> {
  const [program = '', ...args] = words;
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 20_000, cwd: '/' }, (error) => resolve(error === null));
  });
}

async function accountOf(user: string): Promise<{ uid: number; gid: number } | null> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const fields = passwd
    .split('\n')
    .find((line) => line.startsWith(`${user}:`))
    ?.split(':');
  return fields === undefined ? null : { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** The ways of root, the best first: an own user namespace changes no file's owner. */
async function rootAccounts(): Promise<PostgresAccount[]> {
  const accounts: PostgresAccount[] = [];
  const [nobody, postgres] = [await accountOf('nobody'), await accountOf('postgres')];
  // initdb wants a name for its uid, so the namespace borrows one from /etc/passwd.
  const mapped = nobody ?? postgres;
  if (mapped !== null) {
    const maps = [`--map-user=${mapped.uid}`, `--map-group=${mapped.gid}`];
    const prefix = ['unshare', '--user', ...maps, '--'];
    accounts.push({ name: 'root in a user namespace', prefix, owner: null });
  }
  for (const [name, owner] of [
    ['nobody', nobody],
    ['postgres', postgres],
  ] as const) {
    if (owner === null) continue;
    const ids = [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, '--clear-groups'];
    accounts.push({ name: `user ${name}`, prefix: ['setpriv', ...ids, '--'], owner });
  }
  return accounts;
}

/** Accounts that may be tried on a data folder, the best first. */
export async function candidateAccounts(
  dataFolder: string,
  hasData: boolean,
): Promise<PostgresAccount[]> {
  if (process.getuid?.() !== 0) return [ORDINARY];
  const accounts = await rootAccounts();
  if (!hasData) return accounts;
  const { uid } = await stat(dataFolder);
  // Data belong to the account that made them; the namespace of root sees only root's as its own.
  return accounts.filter((account) => (account.owner?.uid ?? 0) === uid);
}

/**
 * Lets the account reach the data folder and proves that it can run the programs.
 * Returns null when it can, else the reason why not. Opens (o+x) no folder but the data folder's parent.
 */
export async function prepareAccount(
  account: PostgresAccount,
  programFolder: string,
  dataFolder: string,
): Promise<string | null> {
  const postgres = join(programFolder, 'postgres');
  if (!(await succeeds([...account.prefix, postgres, '--version']))) {
    return `${account.name} cannot run ${postgres}`;
  }
  if (account.owner === null) return null;
  const parent = dirname(dataFolder);
  const mode = (await stat(parent)).mode;
  await chmod(parent, (mode & 0o7777) | 0o001);
  if (await succeeds([...account.prefix, 'test', '-x', parent])) return null;
  return `${account.name} cannot reach ${parent}`;
}

/** Gives a file or folder to the account. */
export async function handOver(account: PostgresAccount, path: string): Promise<void> {
  if (account.owner !== null) await chown(path, account.owner.uid, account.owner.gid);
}
