/**
 * Space reports: members and use of each space per period, from one snapshot. Owns how members and usage go together;
 * amounts are client/usage-report.ts's, so that there is one formula. Nothing is stored: a membership that is changed
 * changes every report at once.
 */
import type { Database } from '../db/database.js';
import { readMembers, type Member } from '../db/membership-store.js';
import type { Calendar } from '../domain/calendar.js';
import { MemberCount } from '../domain/member-count.js';
import { NO_SPACE } from '../domain/membership.js';
import type { Granularity, Span } from '../domain/period.js';
import { compareNames } from './usage-groups.js';
import { withUsageReport, type UsagePeriod, type UsageReport } from './usage-report.js';

/** What a row may be a period of. */
export const SPACE_STEPS = ['day', 'week', 'month'] as const satisfies readonly Granularity[];
export type SpaceStep = (typeof SPACE_STEPS)[number];

export interface SpaceRequest {
  /** The window asked for, given the report's instant. */
  readonly windowAt: (nowMs: number) => Span;
  readonly step: SpaceStep;
  /** Only this space (exact name); null = all. */
  readonly space: string | null;
}

/** Use of one space in one period. */
interface SpaceUse {
  /** Users with time of a run, or with a start, in the period; each counts once. */
  readonly activeUsers: number;
  /** Those of them who were a member at no instant of the period; 0 without a space, because nobody can be one. */
  readonly activeNonmembers: number;
  readonly runsStarted: bigint;
  readonly runMs: bigint;
  readonly milliGpuMs: bigint;
}

/** One space in one period (clipped to the window), with a member or with use. */
export interface SpaceRow extends UsagePeriod, SpaceUse {
  readonly space: string;
  /** True when no member was ever entered: then its users are, each from the start of the first run there. Not of `-`. */
  readonly isInferred: boolean;
  /** Members summed over the time of the period, in ms; divided by its length it is the average. */
  readonly memberMs: bigint;
  /** Members in the last ms of the period. */
  readonly membersAtEnd: number;
}

export interface SpaceReport extends Omit<UsageReport, 'rows'> {
  /** By period, then by space in C order. To be read once, while `use` runs. */
  readonly rows: AsyncIterable<SpaceRow>;
}

/** Runs `use` on a report, inside its snapshot. Errors of withUsageReport. */
export function withSpaceReport<T>(
  database: Database,
  calendar: Calendar,
  { windowAt, step, space }: SpaceRequest,
  use: (report: SpaceReport) => Promise<T>,
): Promise<T> {
  const filter = { user: null, space, pool: null };
  const request = { windowAt, step, by: ['user', 'space'], filter } as const;
  return withUsageReport(database, calendar, request, async (usage, session) => {
    const members = await readMembers(session, { space, user: null }, usage.window);
    return use({ ...usage, rows: rowsOf(usage, spacesOf(members)) });
  });
}

/** The members of one space in the window. */
interface SpaceMembers {
  readonly space: string;
  readonly isInferred: boolean;
  readonly count: MemberCount;
  readonly byUser: ReadonlyMap<string, readonly Member[]>;
}

function spacesOf(members: readonly Member[]): SpaceMembers[] {
  return [...gathered(members, ({ space }) => space)].map(([space, ofSpace]) => ({
    space,
    isInferred: ofSpace.some(({ isInferred }) => isInferred),
    count: new MemberCount(ofSpace),
    byUser: gathered(ofSpace, ({ user }) => user),
  }));
}

function gathered<T>(items: readonly T[], nameOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const known = groups.get(nameOf(item));
    if (known === undefined) groups.set(nameOf(item), [item]);
    else known.push(item);
  }
  return groups;
}

/** Use of one space while its rows are read. */
interface Tally {
  readonly activeUsers: string[];
  runsStarted: bigint;
  runMs: bigint;
  milliGpuMs: bigint;
}

const NO_USE: SpaceUse = {
  activeUsers: 0,
  activeNonmembers: 0,
  runsStarted: 0n,
  runMs: 0n,
  milliGpuMs: 0n,
};

async function* rowsOf(
  usage: UsageReport,
  spaces: readonly SpaceMembers[],
): AsyncGenerator<SpaceRow> {
  const rows = usage.rows[Symbol.asyncIterator]();
  let next = await rows.next();
  for (const period of usage.periods()) {
    const tallies = new Map<string, Tally>();
    while (next.done !== true && next.value.startAtMs === period.startAtMs) {
      const { user, space, runsStarted, runMs, milliGpuMs } = next.value;
      // A run that ended as the period began has a row, and no use in it.
      if (runMs > 0n || runsStarted > 0n) {
        add(tallies, space ?? '', { user: user ?? '', runsStarted, runMs, milliGpuMs });
      }
      next = await rows.next();
    }
    yield* rowsOfPeriod(period, spaces, tallies);
  }
}

function add(
  tallies: Map<string, Tally>,
  space: string,
  use: Pick<SpaceUse, 'runsStarted' | 'runMs' | 'milliGpuMs'> & { readonly user: string },
): void {
  const tally = tallies.get(space) ?? { ...NO_USE, activeUsers: [] };
  tally.activeUsers.push(use.user);
  tally.runsStarted += use.runsStarted;
  tally.runMs += use.runMs;
  tally.milliGpuMs += use.milliGpuMs;
  tallies.set(space, tally);
}

function rowsOfPeriod(
  period: UsagePeriod,
  spaces: readonly SpaceMembers[],
  tallies: ReadonlyMap<string, Tally>,
): SpaceRow[] {
  const rows: SpaceRow[] = [];
  const left = new Map(tallies);
  for (const { space, isInferred, count, byUser } of spaces) {
    const use = useOf(left.get(space), byUser, period);
    left.delete(space);
    const memberMs = count.memberMs(period);
    if (memberMs === 0n && use === NO_USE) continue;
    const membersAtEnd = count.membersAtEnd(period.endAtMs);
    rows.push({ ...period, space, isInferred, memberMs, membersAtEnd, ...use });
  }
  // Nobody was a member in the whole window: others were entered, or it is no space; users would have been inferred.
  for (const [space, tally] of left) {
    const members = { isInferred: false, memberMs: 0n, membersAtEnd: 0 };
    const use = useOf(tally, new Map(), period);
    const activeNonmembers = space === NO_SPACE ? 0 : use.activeNonmembers;
    rows.push({ ...period, space, ...members, ...use, activeNonmembers });
  }
  return rows.sort((a, b) => compareNames(a.space, b.space));
}

function useOf(
  tally: Tally | undefined,
  byUser: ReadonlyMap<string, readonly Member[]>,
  period: Span,
): SpaceUse {
  if (tally === undefined) return NO_USE;
  const isMember = (user: string): boolean =>
    (byUser.get(user) ?? []).some(
      ({ fromAtMs, toAtMs }) =>
        fromAtMs < period.endAtMs && (toAtMs === null || toAtMs > period.startAtMs),
    );
  const nonmembers = tally.activeUsers.filter((user) => !isMember(user));
  return {
    ...tally,
    activeUsers: tally.activeUsers.length,
    activeNonmembers: nonmembers.length,
  };
}
