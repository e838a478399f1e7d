/**
 * What `doctor` looks at outside of the books: this program, PostgreSQL, Temporal. Owns what is right there. Nothing is
 * changed.
 */
import { databaseNowMs } from '../db/books-store.js';
import { readClocks } from '../db/clock.js';
import type { Database } from '../db/database.js';
import { readServerSettings } from '../db/doctor-store.js';
import { migrationStatus } from '../db/migrations.js';
import { isJobhoursError } from '../domain/errors.js';
import { ids } from '../domain/ids.js';
import { MS_PER_DAY, MS_PER_MINUTE, MS_PER_SECOND } from '../domain/units.js';
import { notKnown, ok, wrong, type Checks, type Diagnosis } from './doctor-check.js';
import type { OpenBooks } from './open-books.js';
import { isShortPause, scheduleFaults, type ScheduleFault } from './schedules.js';
import { requireWorker, type TemporalClient } from './temporal.js';

/** package.json says the same to npm, which only warns. */
const OLDEST_NODE = { major: 20, minor: 19 } as const;
/** Major versions that jobhours is tested with. */
const POSTGRES = { oldest: 15, newest: 18 } as const;
/** Workers refuse to build at 5 minutes (db/clock.ts); this is said before. */
const LONGEST_SKEW_MS = MS_PER_MINUTE;
/** What a workflow did must still be there when somebody looks into it the next day. */
const SHORTEST_RETENTION_MS = MS_PER_DAY;

export interface Program {
  readonly version: string;
  /** `20.19.5` */
  readonly nodeVersion: string;
}

export const PROGRAM_CHECKS: Checks<Program> = {
  node: ({ version, nodeVersion }) => {
    const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
    const { major: oldest, minor: oldestMinor } = OLDEST_NODE;
    const isOld = major < oldest || (major === oldest && minor < oldestMinor);
    const what = `jobhours ${version} on Node ${nodeVersion}`;
    return isOld
      ? wrong(`${what}: use Node ${oldest}.${oldestMinor} or newer`, '')
      : ok(`${what}, zone data ${zoneDataVersion()}`);
  },
};

/** Version of the zone data that this Node has: `2025b`. */
export function zoneDataVersion(): string {
  return process.versions['tz'] ?? 'of unknown version';
}

/** A database that answers. */
export interface DatabaseSubject {
  readonly database: Database;
  readonly databaseUrl: string;
  readonly timeoutMs: number;
  /** This machine's clock, in ms. */
  readonly ownNowMs: () => number;
}

export const DATABASE_CHECKS: Checks<DatabaseSubject> = {
  'postgresql version': async ({ database }) => {
    const { version, version_number: number } = await readServerSettings(database);
    const major = Math.floor(number / 10_000);
    if (major >= POSTGRES.oldest && major <= POSTGRES.newest) return ok(version);
    return wrong(`${version}: use PostgreSQL ${POSTGRES.oldest} to ${POSTGRES.newest}`, '');
  },
  durability: durability,
  clock: clock,
  schema: async ({ databaseUrl, timeoutMs }) => {
    const { applied, pending } = await migrationStatus(databaseUrl, timeoutMs);
    if (pending.length > 0) return wrong(`lacks ${pending.join(', ')}`, 'jobhours db migrate');
    return ok(`up to date: ${applied.at(-1) ?? 'empty'}`);
  },
};

const LOST_BY_OFF = {
  fsync: 'a crash of the machine may destroy the books',
  full_page_writes: 'a crash of the machine may destroy pages of the books',
  synchronous_commit: 'a crash may lose the last commits, also those that were reported as done',
} as const;

async function durability({ database }: DatabaseSubject): Promise<Diagnosis> {
  const settings = await readServerSettings(database);
  const names = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;
  const off = names.filter((name) => settings[name] === 'off');
  if (off.length === 0) return ok(names.map((name) => `${name} ${settings[name]}`).join(', '));
  const commands = off.map((name) => `-c 'alter system set ${name} = on'`).join(' ');
  return wrong(
    off.map((name) => `${name} is off: ${LOST_BY_OFF[name]}`).join('; '),
    `psql ${commands} -c 'select pg_reload_conf()'`,
  );
}

async function clock({ database, ownNowMs }: DatabaseSubject): Promise<Diagnosis> {
  const { skewMs, uncertaintyMs } = await readClocks(database, ownNowMs);
  if (Math.abs(skewMs) - uncertaintyMs <= LONGEST_SKEW_MS) {
    return ok(`${Math.abs(skewMs)} ms from the database's`);
  }
  const seconds = Math.round(Math.abs(skewMs) / MS_PER_SECOND);
  const where = skewMs > 0 ? 'ahead of' : 'behind';
  return wrong(`this machine is ${seconds} s ${where} the database`, 'timedatectl');
}

/** A Temporal that answers. */
export interface TemporalSubject {
  readonly temporal: TemporalClient;
  /** True when `dev` or `demo` started it. */
  readonly isEmbedded: boolean;
}

export const TEMPORAL_CHECKS: Checks<TemporalSubject> = {
  retention: async ({ temporal: { client, namespace, address } }) => {
    const { config } = await client.workflowService.describeNamespace({ namespace });
    const keptMs = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * MS_PER_SECOND;
    const detail = `namespace ${namespace} keeps ended workflows for ${(keptMs / MS_PER_DAY).toFixed(1)} days`;
    if (keptMs >= SHORTEST_RETENTION_MS) return ok(detail);
    return wrong(
      `${detail}, 1 is the least: what a failed one did cannot be seen the next day`,
      `temporal operator namespace update --address ${address} --namespace ${namespace} --retention 7d`,
    );
  },
  fairness: ({ isEmbedded }) =>
    isEmbedded
      ? ok('switched on by the jobhours that started this Temporal')
      : notKnown('a Temporal server does not tell: start it with matching.enableFairness=true'),
};

/** Books that a Temporal works for. */
export interface WorkflowSubject {
  readonly temporal: TemporalClient;
  readonly open: OpenBooks;
}

export const WORKFLOW_CHECKS: Checks<WorkflowSubject> = {
  schedules: async ({ temporal, open }) => {
    const found = await scheduleFaults(temporal, open);
    const nowMs = await databaseNowMs(open.database);
    const faults = found.filter((fault) => !isShortPause(fault, nowMs));
    if (found.length === 0) return ok('all exist as this version wants them, none is paused');
    if (faults.length === 0) return ok(`${found.map(faultText).join('; ')}, not for long`);
    const [paused, others] = [true, false].map((is) =>
      faults.filter((fault) => (fault.is === 'paused') === is),
    );
    return wrong(
      faults.map(faultText).join('; '),
      others?.length === 0
        ? `jobhours schedule unpause${paused?.length === 1 ? ` ${paused[0]?.name ?? ''}` : ''}`
        : 'jobhours schedule apply',
    );
  },
  workers: async ({ temporal, open }) => {
    const queue = ids(open.books.name).usageQueue;
    try {
      await requireWorker(temporal, queue, 0);
      return ok(`the task queue ${queue} is polled`);
    } catch (error) {
      if (!isJobhoursError(error, 'NO_WORKER')) throw error;
      return wrong(`no worker polls the task queue ${queue}`, 'jobhours worker');
    }
  },
};

function faultText({ id, is, note }: ScheduleFault): string {
  if (is === 'missing') return `${id} is missing`;
  if (is === 'changed') return `${id} is not as this version and its settings want it`;
  return `${id} is paused${note === '' ? '' : ` (${note})`}`;
}
