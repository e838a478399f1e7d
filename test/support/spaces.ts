/** Memberships and space reports in tests: entering them as a file would, reading rows, and an oracle by minutes. */
import { importMemberships, type MembershipImport } from '../../client/space-import.js';
import { withSpaceReport, type SpaceRow, type SpaceStep } from '../../client/space-report.js';
import { readBooks } from '../../db/books-store.js';
import type { Calendar } from '../../domain/calendar.js';
import type { Membership } from '../../domain/membership.js';
import type { Span } from '../../domain/period.js';
import { instantText, MS_PER_MINUTE } from '../../domain/units.js';
import type { TestDatabase } from './database.js';
import { inputOf } from './imports.js';
import type { NewRun } from './runs.js';

/** Imports lines of `user,space,from,to`; local times are of the books' zone. */
export async function importMembers(
  test: TestDatabase,
  lines: readonly string[],
  header = 'user,space,from,to',
): Promise<MembershipImport> {
  const books = await readBooks(test.database);
  if (books === null) throw new Error('no books');
  const input = inputOf([header, ...lines, ''].join('\n'));
  return importMemberships(test.database, books, input, books.zone);
}

/** A line of that file. */
export function memberLine({ user, space, fromAtMs, toAtMs }: Membership): string {
  return [user, space, instantText(fromAtMs), toAtMs === null ? '' : instantText(toAtMs)].join(',');
}

export interface AskedSpaces {
  readonly window: Span;
  readonly step: SpaceStep;
  readonly space?: string | null;
}

/** The rows of a report. */
export function spaceRows(
  test: TestDatabase,
  calendar: Calendar,
  { window, step, space = null }: AskedSpaces,
): Promise<SpaceRow[]> {
  const request = { windowAt: () => window, step, space };
  return withSpaceReport(test.database, calendar, request, async (report) => {
    const rows: SpaceRow[] = [];
    for await (const row of report.rows) rows.push(row);
    return rows;
  });
}

/** A row as one line of text: label, space, member minutes, at end, active, nonmembers, started, run ms, milli-GPU-ms. */
export function lineOfSpace(row: SpaceRow): string {
  return [
    ...[row.label, row.space, row.isInferred ? 'inferred' : 'entered'],
    ...[row.memberMs, row.membersAtEnd, row.activeUsers, row.activeNonmembers],
    ...[row.runsStarted, row.runMs, row.milliGpuMs],
  ].join(' ');
}

/**
 * What a report must say, by looking at each minute: all edges must be whole minutes, and runs finished. Independent of
 * the product's code except for the calendar's boundaries.
 */
export function oracleOfSpaces(
  calendar: Calendar,
  { window, step, space = null }: AskedSpaces,
  entered: readonly Membership[],
  runs: readonly NewRun[],
): string[] {
  const runSpace = (run: NewRun): string => run.space ?? '-';
  const names = new Set([...entered.map((one) => one.space), ...runs.map(runSpace)]);
  const asked = [...names].filter((name) => space === null || name === space).toSorted();
  return [...calendar.periodsTouching(step, window)].flatMap((period) => {
    const a = Math.max(period.startAtMs, window.startAtMs);
    const b = Math.min(period.endAtMs, window.endAtMs);
    return asked.flatMap((name) => {
      const ofSpace = entered.filter((one) => one.space === name);
      const ownRuns = runs.filter((run) => runSpace(run) === name);
      const isInferred = ofSpace.length === 0 && name !== '-';
      const members = isInferred ? inferred(ownRuns) : ofSpace;
      const line = oracleLine([a, b], members, ownRuns, name !== '-');
      const head = `${period.label} ${name} ${isInferred ? 'inferred' : 'entered'}`;
      return line === null ? [] : [`${head} ${line}`];
    });
  });
}

/** Each user from the first start on. */
function inferred(runs: readonly NewRun[]): Membership[] {
  return [...new Set(runs.map(({ user }) => user))].map((user) => {
    const starts = runs.filter((run) => run.user === user).map(({ startedAtMs }) => startedAtMs);
    return { user, space: '', fromAtMs: Math.min(...starts), toAtMs: null };
  });
}

function oracleLine(
  [a, b]: readonly [number, number],
  members: readonly Membership[],
  runs: readonly NewRun[],
  hasMembers: boolean,
): string | null {
  const isMember = ({ fromAtMs, toAtMs }: Membership, atMs: number): boolean =>
    fromAtMs <= atMs && (toAtMs === null || atMs < toAtMs);
  const everMembers = new Set<string>();
  let [memberMinutes, atEnd] = [0, 0];
  const use = { runMs: 0, milliGpuMs: 0, started: 0, active: new Set<string>() };
  for (let atMs = a; atMs < b; atMs += MS_PER_MINUTE) {
    const present = new Set(members.filter((one) => isMember(one, atMs)).map(({ user }) => user));
    for (const user of present) everMembers.add(user);
    memberMinutes += present.size;
    atEnd = present.size;
    for (const run of runs) {
      const started = run.startedAtMs === atMs;
      const isRunning = run.startedAtMs <= atMs && atMs < (run.endedAtMs ?? 0);
      if (started) use.started += 1;
      if (isRunning) {
        use.runMs += MS_PER_MINUTE;
        use.milliGpuMs += MS_PER_MINUTE * run.milliGpus;
      }
      if (started || isRunning) use.active.add(run.user);
    }
  }
  if (memberMinutes === 0 && use.active.size === 0) return null;
  const nonmembers = [...use.active].filter((user) => hasMembers && !everMembers.has(user));
  const memberMs = memberMinutes * MS_PER_MINUTE;
  const { started, runMs, milliGpuMs, active } = use;
  return [memberMs, atEnd, active.size, nonmembers.length, started, runMs, milliGpuMs].join(' ');
}
