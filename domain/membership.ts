/**
 * Memberships: `[from, to)` of one user in one space, any number of them, never two at once for one (user, space).
 * Pure. Owns what a change of memberships may be, and what is refused (B70); counting members is domain/member-count.ts.
 */
import { JobhoursError } from './errors.js';
import { parseInstant } from './instant-text.js';
import { quotedValue } from './quoted-value.js';
import { nameOf } from './record-text.js';
import { instantText } from './units.js';

export interface Membership {
  readonly user: string;
  readonly space: string;
  /** Inclusive. */
  readonly fromAtMs: number;
  /** Exclusive; null = until further notice. */
  readonly toAtMs: number | null;
}

/** Stands in reports for usage without a space: it has no members. */
export const NO_SPACE = '-';

/** The name of a user who is to be a member. USER_INVALID. */
export function memberName(text: string): string {
  return nameOf(text, { field: 'user', code: 'USER_INVALID' });
}

/** The name of a space that has members. SPACE_INVALID, also for `-`, which stands for no space. */
export function spaceName(text: string, field = 'space'): string {
  const name = nameOf(text, { field, code: 'SPACE_INVALID' });
  if (name !== NO_SPACE) return name;
  throw new JobhoursError(
    'SPACE_INVALID',
    `${field} "-" stands for no space: it has no members and no other name`,
  );
}

/** One record of a file: texts as they stand there, an absent field is empty. */
export type MembershipFields = Readonly<Record<'user' | 'space' | 'from' | 'to', string>>;

/**
 * The membership of one record. An empty `to` = until further notice. Times without offset are read in `zone`, null: they
 * are refused. USER_INVALID, SPACE_INVALID, FIELD_MISSING for an empty `from`, TIME_ORDER when `to` is not after `from`
 * (B70), and the errors of parseInstant.
 */
export function membershipOf(fields: MembershipFields, zone: string | null): Membership {
  const [user, space] = [memberName(fields.user), spaceName(fields.space)];
  if (fields.from === '') {
    throw new JobhoursError('FIELD_MISSING', 'from is empty: say since when the user is a member');
  }
  const fromAtMs = parseInstant(fields.from, { zone, field: 'from' });
  const toAtMs = fields.to === '' ? null : parseInstant(fields.to, { zone, field: 'to' });
  if (toAtMs !== null && toAtMs <= fromAtMs) {
    throw new JobhoursError(
      'TIME_ORDER',
      `to ${instantText(toAtMs)} is not after from ${instantText(fromAtMs)}`,
    );
  }
  return { user, space, fromAtMs, toAtMs };
}

/** How an instant is written for people: in UTC, or in the zone of the books. */
export type TimeText = (atMs: number) => string;

/** `[2026-01-01T00:00:00.000Z, 2026-02-01T00:00:00.000Z)`; without an end `[2026-01-01T00:00:00.000Z, open)`. */
export function intervalText(
  { fromAtMs, toAtMs }: Pick<Membership, 'fromAtMs' | 'toAtMs'>,
  timeText: TimeText = instantText,
): string {
  return `[${timeText(fromAtMs)}, ${toAtMs === null ? 'open' : timeText(toAtMs)})`;
}

/** A membership that is asked for, and where: the line of a file, or 0. */
export interface GivenMembership extends Membership {
  readonly line: number;
}

/** What the books hold; the id is the caller's. */
interface Stored<Id> extends Membership {
  readonly id: Id;
}

/** A membership that was refused. */
export interface RefusedMembership {
  readonly line: number;
  readonly detail: string;
}

/** What given memberships change. With `refused` ones nothing may be changed. */
export interface MembershipPlan<Id> {
  readonly added: GivenMembership[];
  /** Open ones that get their end. */
  readonly ended: { readonly id: Id; readonly toAtMs: number }[];
  readonly unchanged: GivenMembership[];
  /** Lines that say again what another one says. */
  repeated: number;
  /** MEMBERSHIP_OVERLAP, by line. */
  readonly refused: RefusedMembership[];
}

/**
 * How given memberships go together with the stored ones of the same users and spaces. What is there already is unchanged;
 * one with the start of an open one gives it its end; every other overlap is refused, on each given line, naming both
 * intervals (B70). The order of what is given changes nothing.
 */
export function planMemberships<Id>(
  stored: readonly Stored<Id>[],
  given: readonly GivenMembership[],
  timeText: TimeText = instantText,
): MembershipPlan<Id> {
  const plan: MembershipPlan<Id> = {
    ...{ added: [], ended: [], unchanged: [], refused: [] },
    repeated: 0,
  };
  const storedByPair = byPair(stored);
  for (const [pair, ofPair] of byPair(given)) {
    planPair(storedByPair.get(pair) ?? [], ofPair, plan, timeText);
  }
  plan.refused.sort((a, b) => a.line - b.line);
  return plan;
}

function byPair<M extends Membership>(memberships: readonly M[]): Map<string, M[]> {
  const pairs = new Map<string, M[]>();
  for (const one of memberships) {
    const pair = JSON.stringify([one.space, one.user]);
    const known = pairs.get(pair);
    if (known === undefined) pairs.set(pair, [one]);
    else known.push(one);
  }
  return pairs;
}

function planPair<Id>(
  stored: readonly Stored<Id>[],
  given: readonly GivenMembership[],
  plan: MembershipPlan<Id>,
  timeText: TimeText,
): void {
  const distinct = new Map<string, GivenMembership>();
  for (const one of given) {
    const interval = intervalText(one);
    if (distinct.has(interval)) plan.repeated += 1;
    else distinct.set(interval, one);
  }
  const storedByStart = new Map(stored.map((one) => [one.fromAtMs, one]));
  const replaced = new Set<number>();
  for (const one of distinct.values()) {
    const same = storedByStart.get(one.fromAtMs);
    if (same !== undefined && same.toAtMs === one.toAtMs) plan.unchanged.push(one);
    else if (same?.toAtMs === null && one.toAtMs !== null) {
      plan.ended.push({ id: same.id, toAtMs: one.toAtMs });
    } else {
      plan.added.push(one);
      continue;
    }
    replaced.add(one.fromAtMs);
  }
  const kept = stored.filter(({ fromAtMs }) => !replaced.has(fromAtMs));
  const all = [...kept.map((one) => ({ ...one, line: null })), ...distinct.values()];
  refuseOverlaps(all, plan, timeText);
}

type Placed = Membership & { readonly line: number | null };

function endOf({ toAtMs }: Membership): number {
  return toAtMs ?? Number.POSITIVE_INFINITY;
}

/** Refuses each given one that overlaps another; stored ones never overlap each other. */
function refuseOverlaps<Id>(
  memberships: readonly Placed[],
  { refused }: MembershipPlan<Id>,
  timeText: TimeText,
): void {
  const refusedLines = new Set<number>();
  const refuse = (one: Placed, other: Placed): void => {
    if (one.line === null || refusedLines.has(one.line)) return;
    refusedLines.add(one.line);
    refused.push({ line: one.line, detail: overlapText(one, other, timeText) });
  };
  let reach: Placed | null = null;
  for (const one of memberships.toSorted((a, b) => a.fromAtMs - b.fromAtMs)) {
    if (reach !== null && one.fromAtMs < endOf(reach)) {
      refuse(reach, one);
      refuse(one, reach);
    }
    if (reach === null || endOf(one) > endOf(reach)) reach = one;
  }
}

function overlapText(one: Placed, other: Placed, timeText: TimeText): string {
  const place = other.line === null ? 'which is in the books' : `line ${other.line}`;
  return `${quotedValue(one.user)} in ${quotedValue(one.space)}: ${intervalText(one, timeText)} overlaps ${intervalText(other, timeText)}, ${place}`;
}

/** What ends a membership: it gets an end, or it is deleted when it would be empty. Null: it ends there already. */
export type Removal<Id> = { readonly id: Id; readonly toAtMs: number | null } | null;

/**
 * How a user stops being a member at an instant, given the stored memberships of that user in that space. NOT_FOUND when
 * the user is no member then.
 */
export function planRemoval<Id>(
  stored: readonly Stored<Id>[],
  { user, space, atMs }: { readonly user: string; readonly space: string; readonly atMs: number },
  timeText: TimeText = instantText,
): Removal<Id> {
  const member = stored.find((one) => one.fromAtMs <= atMs && atMs < endOf(one));
  if (member !== undefined) {
    return { id: member.id, toAtMs: member.fromAtMs === atMs ? null : atMs };
  }
  if (stored.some(({ toAtMs }) => toAtMs === atMs)) return null;
  const entered =
    stored.length === 0
      ? 'no membership was entered; members inferred from use cannot leave before members are entered'
      : `entered is ${stored.map((one) => intervalText(one, timeText)).join(', ')}`;
  throw new JobhoursError(
    'NOT_FOUND',
    `user ${quotedValue(user)} is no member of ${quotedValue(space)} at ${timeText(atMs)}: ${entered}`,
    { user, space, atMs },
  );
}
