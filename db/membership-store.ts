/**
 * Memberships: who belongs to which space, and when. Owns their SQL; which changes are right is domain/membership.ts,
 * what reports make of them is client/space-report.ts.
 */
import type { Membership } from '../domain/membership.js';
import type { Span } from '../domain/period.js';
import { requireOwnBooks } from './books-store.js';
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const nothing = { params: {}, row: {} } as const;
const dates = {
  user_name: 'text',
  space_name: 'text',
  from_at_ms: 'instant',
  to_at_ms: 'instant?',
} as const;

const sql = statements('membership', {
  'lock-memberships': nothing,
  'add-users': { params: { names: 'text[]' }, row: {} },
  'add-spaces': { params: { names: 'text[]' }, row: {} },
  entered: {
    params: { spaces: 'text[]', users: 'text[]' },
    row: { id: 'int8', ...dates },
  },
  'insert-memberships': {
    params: { users: 'text[]', spaces: 'text[]', froms: 'instant[]', tos: 'instant[]' },
    row: {},
  },
  'end-memberships': { params: { ids: 'int8[]', tos: 'instant[]' }, row: {} },
  'delete-memberships': { params: { ids: 'int8[]' }, row: {} },
  members: {
    params: { space: 'text?', user: 'text?', startAtMs: 'instant', endAtMs: 'instant' },
    row: {
      space_name: 'text',
      user_name: 'text',
      from_at_ms: 'instant',
      to_at_ms: 'instant?',
      is_inferred: 'bool',
    },
  },
});

function membershipOf(row: Values<typeof dates>): Membership {
  return {
    user: row.user_name,
    space: row.space_name,
    fromAtMs: row.from_at_ms,
    toAtMs: row.to_at_ms,
  };
}

/** A membership that somebody entered. */
export interface EnteredMembership extends Membership {
  readonly id: bigint;
}

/**
 * Makes this transaction the only writer of memberships until it ends, so that what it reads from now on stays so.
 * DEMO_BOOKS.
 */
export async function lockMemberships(session: Session): Promise<void> {
  await requireOwnBooks(session);
  await session.execute(sql['lock-memberships'], {});
}

/** Entered memberships of any of these users in any of these spaces, by their start. */
export async function enteredMemberships(
  session: Session,
  spaces: readonly string[],
  users: readonly string[],
): Promise<EnteredMembership[]> {
  const rows = await session.rows(sql.entered, { spaces, users });
  return rows.map((row) => ({ id: row.id, ...membershipOf(row) }));
}

/** Stores memberships, and their names where no record has had them yet. */
export async function insertMemberships(
  session: Session,
  added: readonly Membership[],
): Promise<void> {
  if (added.length === 0) return;
  const users = added.map(({ user }) => user);
  const spaces = added.map(({ space }) => space);
  await session.execute(sql['add-users'], { names: users });
  await session.execute(sql['add-spaces'], { names: spaces });
  await session.execute(sql['insert-memberships'], {
    users,
    spaces,
    froms: added.map(({ fromAtMs }) => fromAtMs),
    tos: added.map(({ toAtMs }) => toAtMs ?? 0),
  });
}

/** Lets memberships end at the given instants, exclusive. */
export async function endMemberships(
  session: Session,
  ended: readonly { readonly id: bigint; readonly toAtMs: number }[],
): Promise<void> {
  if (ended.length === 0) return;
  await session.execute(sql['end-memberships'], {
    ids: ended.map(({ id }) => id),
    tos: ended.map(({ toAtMs }) => toAtMs),
  });
}

/** Removes memberships as if they had never been entered. */
export async function deleteMemberships(session: Session, ids: readonly bigint[]): Promise<void> {
  if (ids.length > 0) await session.execute(sql['delete-memberships'], { ids });
}

/** A member of a space. `isInferred`: nobody was ever entered there, so its users are its members since their first run. */
export interface Member extends Membership {
  readonly isInferred: boolean;
}

/** Exact names to which members are narrowed; null = all. */
export interface MemberFilter {
  readonly space: string | null;
  readonly user: string | null;
}

/** Who was a member at some instant of the span, with the dates of each membership, in no particular order. */
export async function readMembers(
  session: Session,
  filter: MemberFilter,
  span: Span,
): Promise<Member[]> {
  const { space, user } = filter;
  const { startAtMs, endAtMs } = span;
  const rows = await session.rows(sql.members, { space, user, startAtMs, endAtMs });
  return rows.map((row) => ({ ...membershipOf(row), isInferred: row.is_inferred }));
}
