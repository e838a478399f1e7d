/**
 * Members of spaces: listing them, letting users join and leave. Owns the order of the steps; what may be changed is
 * domain/membership.ts, the SQL is db/membership-store.ts. Each change is one transaction, for all users or for none.
 */
import { databaseNowMs, readBooks } from '../db/books-store.js';
import type { Database, Session } from '../db/database.js';
import {
  deleteMemberships,
  endMemberships,
  enteredMemberships,
  insertMemberships,
  lockMemberships,
  readMembers,
  type Member,
  type MemberFilter,
} from '../db/membership-store.js';
import { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import {
  memberName,
  planMemberships,
  planRemoval,
  spaceName,
  type Membership,
  type TimeText,
} from '../domain/membership.js';
import type { Span } from '../domain/period.js';
import { EARLIEST_AT_MS, LATEST_AT_MS } from '../domain/units.js';
import { compareNames } from './usage-groups.js';

export type { Member, MemberFilter } from '../db/membership-store.js';

/** The whole time line. */
const ALWAYS: Span = { startAtMs: EARLIEST_AT_MS, endAtMs: LATEST_AT_MS };

/** Users and the space that they join or leave. */
export interface MemberChange {
  readonly space: string;
  readonly users: readonly string[];
  /** The instant, given the present one (database clock). */
  readonly at: (nowMs: number) => number;
}

export interface ChangedMembers {
  readonly space: string;
  readonly atMs: number;
  /** Users whose membership changed. */
  readonly changed: readonly string[];
  /** Users who were, or were not, members from then on already. */
  readonly unchanged: readonly string[];
  /** Members that the space had by inference and has no more, because this change entered the first one. */
  readonly formerlyInferred: number;
  /** True when the last entered member went, so that members are inferred again. */
  readonly isInferredAgain: boolean;
}

interface CheckedChange {
  readonly space: string;
  readonly users: readonly string[];
}

function checked({ space, users }: MemberChange): CheckedChange {
  return { space: spaceName(space), users: [...new Set(users.map(memberName))] };
}

/**
 * Lets users be members from an instant on, until further notice. Who is one from then on already is left alone.
 * MEMBERSHIP_OVERLAP names both intervals; USER_INVALID, SPACE_INVALID. Refused for one user, nothing is changed.
 */
export async function addMembers(
  database: Database,
  change: MemberChange,
): Promise<ChangedMembers> {
  const { space, users } = checked(change);
  return database.transaction({}, async (transaction) => {
    const atMs = change.at(await databaseNowMs(transaction));
    await lockMemberships(transaction);
    const before = await readMembers(transaction, { space, user: null }, ALWAYS);
    const stored = await enteredMemberships(transaction, [space], users);
    const given = users.map((user, line) => {
      return { user, space, fromAtMs: atMs, toAtMs: null, line };
    });
    const timeText = await timeTextOf(transaction);
    const { added, unchanged, refused } = planMemberships(stored, given, timeText);
    const [first] = refused;
    if (first !== undefined) throw overlap(first.detail, refused.length);
    await insertMemberships(transaction, added);
    return {
      ...{ space, atMs, isInferredAgain: false },
      changed: added.map(({ user }) => user),
      unchanged: unchanged.map(({ user }) => user),
      formerlyInferred: before.filter(({ isInferred }) => isInferred).length,
    };
  });
}

/** Times in the zone of the books. */
async function timeTextOf(session: Session): Promise<TimeText> {
  const books = await readBooks(session);
  const calendar = Calendar.of(books?.zone ?? 'UTC');
  return (atMs) => calendar.localText(atMs);
}

function overlap(detail: string, refused: number): JobhoursError {
  const more = refused === 1 ? '' : ` (and ${refused - 1} more)`;
  return new JobhoursError(
    'MEMBERSHIP_OVERLAP',
    `${detail}${more}: nothing was changed; end or delete what is in the way by 'jobhours space remove'`,
    { refused },
  );
}

/**
 * Ends memberships at an instant, exclusive; one that begins at that very instant is deleted. Who left then already is left
 * alone. NOT_FOUND for who is no entered member at that instant. Refused for one user, nothing is changed.
 */
export async function removeMembers(
  database: Database,
  change: MemberChange,
): Promise<ChangedMembers> {
  const { space, users } = checked(change);
  return database.transaction({}, async (transaction) => {
    const atMs = change.at(await databaseNowMs(transaction));
    await lockMemberships(transaction);
    const stored = await enteredMemberships(transaction, [space], users);
    const timeText = await timeTextOf(transaction);
    const removals = users.map((user) => ({
      user,
      removal: planRemoval(
        stored.filter((one) => one.user === user),
        { user, space, atMs },
        timeText,
      ),
    }));
    const planned = removals.flatMap(({ removal }) => (removal === null ? [] : [removal]));
    const ended = planned.flatMap(({ id, toAtMs }) => (toAtMs === null ? [] : [{ id, toAtMs }]));
    const deleted = planned.filter(({ toAtMs }) => toAtMs === null).map(({ id }) => id);
    await endMemberships(transaction, ended);
    await deleteMemberships(transaction, deleted);
    const after =
      deleted.length === 0 ? [] : await readMembers(transaction, { space, user: null }, ALWAYS);
    return {
      ...{ space, atMs, formerlyInferred: 0 },
      changed: removals.filter(({ removal }) => removal !== null).map(({ user }) => user),
      unchanged: removals.filter(({ removal }) => removal === null).map(({ user }) => user),
      isInferredAgain: deleted.length > 0 && !after.some(({ isInferred }) => !isInferred),
    };
  });
}

export interface ListedMembers {
  /** The instant of the list; null = all memberships, past and coming ones too. */
  readonly atMs: number | null;
  /** By space, user (C order) and start. */
  readonly members: readonly Member[];
}

/** Members at an instant, given the present one; null = all memberships ever entered or inferred. */
export async function listMembers(
  database: Database,
  filter: MemberFilter,
  at: ((nowMs: number) => number) | null,
): Promise<ListedMembers> {
  const options = { isolation: 'repeatable read', readOnly: true } as const;
  return database.transaction(options, async (session) => {
    if ((await readBooks(session)) === null) {
      throw new JobhoursError('NOT_FOUND', 'this database has no books');
    }
    const atMs = at === null ? null : at(await databaseNowMs(session));
    const span = atMs === null ? ALWAYS : { startAtMs: atMs, endAtMs: atMs + 1 };
    const members = await readMembers(session, filter, span);
    return { atMs, members: members.toSorted(compareMembers) };
  });
}

function compareMembers(a: Membership, b: Membership): number {
  return compareNames(a.space, b.space) || compareNames(a.user, b.user) || a.fromAtMs - b.fromAtMs;
}
