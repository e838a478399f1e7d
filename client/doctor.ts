/**
 * `doctor`: everything on which the figures rest, looked at once. Owns what is looked at in which order, and what cannot
 * be known without what. Changes nothing. What is right: client/doctor-servers.ts and client/doctor-books.ts.
 */
import { databaseNowMs, openBooks, readBooks } from '../db/books-store.js';
import { addressOf } from '../db/address.js';
import { Database } from '../db/database.js';
import { Calendar } from '../domain/calendar.js';
import type { Settings } from '../domain/settings.js';
import { BOOK_CHECKS } from './doctor-books.js';
import {
  checkAll,
  checked,
  failed,
  notKnown,
  ok,
  wrong,
  type Diagnosis,
  type Finding,
} from './doctor-check.js';
import {
  DATABASE_CHECKS,
  PROGRAM_CHECKS,
  TEMPORAL_CHECKS,
  WORKFLOW_CHECKS,
} from './doctor-servers.js';
import type { OpenBooks } from './open-books.js';
import { connectTemporal, type TemporalAddress, type TemporalClient } from './temporal.js';

export type { CheckState, Finding } from './doctor-check.js';

export interface DoctorRequest {
  readonly settings: Settings;
  readonly databaseUrl: string;
  /** Null: what the environment says; undefined: there is none. */
  readonly temporal: TemporalAddress | undefined;
  readonly programVersion: string;
  /** This machine's clock, in ms. */
  readonly ownNowMs: () => number;
}

/**
 * A finding for each check, always the same ones in the same order. A check that fails is `wrong` and says how; one that
 * needs what is not there is `not known`. CONFIG when an address has no allowed form.
 */
export async function examine(request: DoctorRequest): Promise<Finding[]> {
  const { databaseUrl, settings, programVersion, ownNowMs } = request;
  const timeoutMs = settings.databaseTimeoutMs;
  const database = Database.open({ url: databaseUrl, timeoutMs });
  try {
    const program = { version: programVersion, nodeVersion: process.versions.node };
    const postgres = await checked('postgresql', () => answerOf(database, databaseUrl));
    const subject = { database, databaseUrl, timeoutMs, ownNowMs };
    const answers = postgres.state === 'ok' ? subject : null;
    const server = await checkAll(DATABASE_CHECKS, answers, 'PostgreSQL does not answer');
    const isUsable = server.some(({ check, state }) => check === 'schema' && state === 'ok');
    const books = await checked('books', () =>
      isUsable
        ? booksOf(database, settings)
        : notKnown('the schema is not up to date or not known'),
    );
    const open = books.state === 'ok' ? await openOf(database, request) : null;
    return [
      ...(await checkAll(PROGRAM_CHECKS, program, '')),
      ...[postgres, ...server, books],
      ...(await checkAll(BOOK_CHECKS, open, 'no books can be read')),
      ...(await checkTemporal(request, open)),
    ];
  } finally {
    await database.close();
  }
}

async function answerOf(database: Database, url: string): Promise<Diagnosis> {
  // The first answer has the time of connecting in it.
  const beganMs = performance.now();
  await databaseNowMs(database);
  return ok(`${addressOf(url)} answers in ${Math.round(performance.now() - beganMs)} ms`);
}

/** BOOKS_MISMATCH when the settings say otherwise. Books that do not exist are not opened. */
async function booksOf(database: Database, settings: Settings): Promise<Diagnosis> {
  const books = await readBooks(database);
  if (books === null) {
    return wrong('this database has none yet', 'JOBHOURS_ZONE=ZONE jobhours import FORMAT FILE');
  }
  const { name, zone, minimumRunMs, originAtMs, isDemo } = books;
  await openBooks(database, {
    name: settings.name ?? name,
    zone: settings.zone ?? zone,
    minimumRunMs: settings.minimumRunMs ?? minimumRunMs,
    isDemo,
  });
  const begin =
    originAtMs === null ? 'have not begun' : `begin at ${Calendar.of(zone).localText(originAtMs)}`;
  return ok(`${name}${isDemo ? ' (demo)' : ''}, zone ${zone}, ${begin}`);
}

/** Null when they went away since the last look. */
async function openOf(
  database: Database,
  { settings, databaseUrl }: DoctorRequest,
): Promise<OpenBooks | null> {
  const books = await readBooks(database).catch(() => null);
  if (books === null) return null;
  return { database, books, calendar: Calendar.of(books.zone), settings, databaseUrl };
}

async function checkTemporal(request: DoctorRequest, open: OpenBooks | null): Promise<Finding[]> {
  const { finding, temporal } = await connected(request.temporal);
  try {
    const isEmbedded = request.temporal !== null;
    const whyNot = 'no Temporal';
    const both = temporal === null || open === null ? null : { temporal, open };
    return [
      finding,
      ...(await checkAll(
        TEMPORAL_CHECKS,
        temporal === null ? null : { temporal, isEmbedded },
        whyNot,
      )),
      ...(await checkAll(
        WORKFLOW_CHECKS,
        both,
        temporal === null ? whyNot : 'no books can be read',
      )),
    ];
  } finally {
    await temporal?.close();
  }
}

interface Connected {
  readonly finding: Finding;
  readonly temporal: TemporalClient | null;
}

async function connected(target: TemporalAddress | undefined): Promise<Connected> {
  const check = 'temporal';
  if (target === undefined) {
    const why = 'no Temporal: jobhours dev, or TEMPORAL_ADDRESS';
    return { finding: { check, ...notKnown(why) }, temporal: null };
  }
  try {
    const temporal = await connectTemporal(target);
    const finding = await checked(check, async () => {
      const beganMs = performance.now();
      const { serverVersion } = await temporal.client.workflowService.getSystemInfo({});
      const tookMs = Math.round(performance.now() - beganMs);
      return ok(
        `${temporal.address}, namespace ${temporal.namespace}, version ${serverVersion ?? '?'}, answers in ${tookMs} ms`,
      );
    });
    return { finding, temporal };
  } catch (error) {
    return { finding: { check, ...failed(error) }, temporal: null };
  }
}
