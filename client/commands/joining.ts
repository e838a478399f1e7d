/**
 * Which servers a short command works with: given by the environment, kept by a running `dev` or `demo`, or
 * PostgreSQL started for the command alone. Owns that order (DESIGN section 11).
 */
import { resolve } from 'node:path';
import type { Settings } from '../../domain/settings.js';
import {
  acquireOrJoin,
  readPublished,
  type HomeLock,
  type PublishedServers,
} from '../../local/home.js';
import { noBooks } from '../open-books.js';
import {
  booksHome,
  demoHome,
  hasData,
  isHeld,
  NAMESPACE,
  shownHome,
  startDatabase,
  type TemporalTarget,
} from './servers.js';
import type { Stopping } from './stopping.js';

/** What a short command works with. */
export interface JoinedServers {
  readonly databaseUrl: string;
  /** True when PostgreSQL runs for this command alone. */
  readonly isOwn: boolean;
  /** Undefined: no Temporal is known. */
  readonly temporal: TemporalTarget | undefined;
  /** Stops what was started for this command. */
  leave(): Promise<void>;
}

export interface JoinRequest {
  readonly settings: Settings;
  /** How this process calls itself to others: `jobhours import`. */
  readonly command: string;
  readonly stopping: Stopping;
  readonly note: (text: string) => void;
  /** Called before an embedded PostgreSQL is created. Absent: who only looks creates nothing. */
  readonly onCreate?: () => void;
}

/** A command waits this long for servers that another process is starting (DESIGN section 11). */
const JOIN_WAIT_MS = 60_000;
function temporalOf(
  settings: Settings,
  servers: PublishedServers | null,
): JoinedServers['temporal'] {
  if (settings.isTemporalGiven) return null;
  if (servers === null || servers.temporalAddress === null) return undefined;
  return { address: servers.temporalAddress, namespace: servers.temporalNamespace ?? NAMESPACE };
}

function joined(settings: Settings, servers: PublishedServers): JoinedServers {
  return {
    databaseUrl: servers.databaseUrl,
    isOwn: false,
    temporal: temporalOf(settings, servers),
    leave: () => Promise.resolve(),
  };
}

/** The servers of a `dev` that works on the given database too; null when none does. */
async function serversOn(
  databaseUrl: string,
  settings: Settings,
): Promise<PublishedServers | null> {
  for (const home of [booksHome(settings), demoHome(settings)]) {
    const servers = await readPublished(home);
    if (servers?.databaseUrl === databaseUrl) return servers;
  }
  return null;
}

/** A demo whose servers are just being started; null when there is none. */
async function startingDemo(request: JoinRequest): Promise<PublishedServers | null> {
  const home = demoHome(request.settings);
  if (!(await isHeld(home))) return null;
  const answer = await acquireOrJoin(home, {
    command: request.command,
    waitMs: JOIN_WAIT_MS,
    onProgress: request.note,
  });
  if ('servers' in answer) return answer.servers;
  await answer.lock.release();
  return null;
}

/**
 * The given database, else a running dev's servers, else a running demo's, else PostgreSQL started on
 * `<HOME>/books`. NOT_FOUND, and nothing created, when there is none and `onCreate` is absent. HOME_BUSY when another
 * process keeps that home for more than 60 s without publishing.
 */
export async function joinServers(request: JoinRequest): Promise<JoinedServers> {
  const { settings } = request;
  if (settings.databaseUrl !== null) {
    const servers = await serversOn(settings.databaseUrl, settings);
    return {
      databaseUrl: settings.databaseUrl,
      isOwn: false,
      temporal: temporalOf(settings, servers),
      leave: () => Promise.resolve(),
    };
  }
  const running =
    (await readPublished(booksHome(settings))) ??
    (await readPublished(demoHome(settings))) ??
    (await startingDemo(request));
  if (running !== null) return joined(settings, running);
  const home = booksHome(settings);
  // Whoever holds the home may be creating them.
  if (!(await isHeld(home))) await requireData(request);
  const answer = await acquireOrJoin(home, {
    command: request.command,
    waitMs: JOIN_WAIT_MS,
    onProgress: request.note,
  });
  if ('servers' in answer) return joined(settings, answer.servers);
  return startOwn(request, answer.lock);
}

/** NOT_FOUND when there is no PostgreSQL to start and none may be created. */
async function requireData({ settings, onCreate }: JoinRequest): Promise<boolean> {
  if (await hasData(booksHome(settings))) return true;
  if (onCreate === undefined) throw noBooks(shownHome(resolve(settings.home)));
  return false;
}

async function startOwn(request: JoinRequest, lock: HomeLock): Promise<JoinedServers> {
  const { settings, stopping, note } = request;
  const release = stopping.closing(() => lock.release());
  try {
    if (!(await requireData(request))) request.onCreate?.();
    const database = await startDatabase(settings, booksHome(settings), stopping, note);
    return {
      databaseUrl: database.url,
      isOwn: true,
      temporal: temporalOf(settings, null),
      leave: async () => {
        await database.stop();
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}
