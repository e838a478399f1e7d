import { describe, expect, it } from '@jest/globals';
import { isJobhoursError } from '../../domain/errors.js';
import { MemberCount } from '../../domain/member-count.js';
import {
  intervalText,
  membershipOf,
  planMemberships,
  planRemoval,
  spaceName,
  type Membership,
} from '../../domain/membership.js';
import { MS_PER_DAY } from '../../domain/units.js';
import { seededRandom } from '../support/seeded-random.js';

const JANUARY = Date.UTC(2026, 0, 1);
/** A day of January 2026; 0 = open. */
const day = (number: number): number => JANUARY + (number - 1) * MS_PER_DAY;
const member = (from: number, to: number, user = 'anna', space = 'vision'): Membership => ({
  ...{ user, space, fromAtMs: day(from), toAtMs: to === 0 ? null : day(to) },
});
const stored = (...all: readonly Membership[]) => all.map((one, id) => ({ ...one, id }));
const given = (...all: readonly Membership[]) => all.map((one, n) => ({ ...one, line: n + 2 }));

/** What a plan does, in short. */
function planned(before: readonly Membership[], asked: readonly Membership[]) {
  const plan = planMemberships(stored(...before), given(...asked));
  return {
    added: plan.added.map(({ line }) => line),
    ended: plan.ended.map(({ id, toAtMs }) => [id, (toAtMs - JANUARY) / MS_PER_DAY + 1]),
    unchanged: plan.unchanged.map(({ line }) => line),
    repeated: plan.repeated,
    refused: plan.refused.map(({ line }) => line),
  };
}
const NOTHING = { added: [], ended: [], unchanged: [], repeated: 0, refused: [] };

describe('memberships that are given', () => {
  it.each<[string, Membership[], Membership[], Partial<ReturnType<typeof planned>>]>([
    ['a first one is added', [], [member(1, 0)], { added: [2] }],
    ['the same one is unchanged', [member(1, 5)], [member(1, 5)], { unchanged: [2] }],
    ['the same open one is unchanged', [member(1, 0)], [member(1, 0)], { unchanged: [2] }],
    ['an open one gets its end', [member(1, 0)], [member(1, 5)], { ended: [[0, 5]] }],
    ['a rejoin where the one before ended', [member(1, 5)], [member(5, 0)], { added: [2] }],
    ['two users at once', [member(1, 0)], [member(1, 0, 'ben')], { added: [2] }],
    ['one user in two spaces at once', [member(1, 0)], [member(1, 0, 'anna', 'x')], { added: [2] }],
    ['one said twice counts once', [], [member(1, 5), member(1, 5)], { added: [2], repeated: 1 }],
    [
      'an end and a rejoin behind it in one file, in any order',
      [member(1, 0)],
      [member(9, 0), member(1, 5)],
      { added: [2], ended: [[0, 5]] },
    ],
  ])('%s', (_, before, asked, expected) => {
    expect(planned(before, asked)).toEqual({ ...NOTHING, ...expected });
  });

  it.each<[string, Membership[], Membership[], number[]]>([
    ['an overlap with a stored one', [member(3, 8)], [member(1, 4)], [2]],
    ['one inside a stored one', [member(1, 0)], [member(3, 4)], [2]],
    ['one around a stored one', [member(3, 4)], [member(1, 0)], [2]],
    ['no end where one stands', [member(1, 5)], [member(1, 0)], [2]],
    ['another end where one stands', [member(1, 5)], [member(1, 6)], [2]],
    ['two of the file', [], [member(1, 5), member(20, 0), member(4, 6)], [2, 4]],
    ['two ends for an open one', [member(1, 0)], [member(1, 5), member(1, 6)], [2, 3]],
    ['a long one before two short ones', [], [member(1, 9), member(2, 3), member(5, 6)], [2, 3, 4]],
    ['an end, and a rejoin before it', [member(1, 0)], [member(1, 5), member(4, 0)], [2, 3]],
  ])('B70: refused is %s', (_, before, asked, lines) => {
    expect(planned(before, asked).refused).toEqual(lines);
  });

  it('B70: the refusal names user, space, both intervals and where the other one stands', () => {
    const plan = planMemberships(stored(member(3, 0)), given(member(1, 4)));
    expect(plan.refused).toEqual([
      {
        line: 2,
        detail:
          '"anna" in "vision": [2026-01-01T00:00:00.000Z, 2026-01-04T00:00:00.000Z) overlaps [2026-01-03T00:00:00.000Z, open), which is in the books',
      },
    ]);
    const inFile = planMemberships([], given(member(1, 4), member(2, 3)));
    expect(inFile.refused.map(({ detail }) => detail)).toEqual([
      expect.stringContaining('2026-01-03T00:00:00.000Z), line 3'),
      expect.stringContaining('2026-01-04T00:00:00.000Z), line 2'),
    ]);
  });

  it('are refused exactly when two of the result share an instant, in every order (random)', () => {
    const random = seededRandom(70);
    let refusals = 0;
    for (let round = 0; round < 2_000; round += 1) {
      const any = (): Membership => {
        const from = random.integer(1, 8);
        const to = random.chance(0.2) ? 0 : from + random.integer(1, 4);
        return member(from, to, random.pick(['anna', 'ben']));
      };
      const before: Membership[] = [];
      for (const one of [any(), any(), any()]) if (!before.some(overlaps(one))) before.push(one);
      const asked = Array.from({ length: random.integer(1, 4) }, any);
      const plan = planMemberships(stored(...before), given(...asked));
      const ends = new Map(plan.ended.map(({ id, toAtMs }) => [id, toAtMs]));
      const after = [
        ...stored(...before).map((one) => ({ ...one, toAtMs: ends.get(one.id) ?? one.toAtMs })),
        ...plan.added,
      ];
      const hasOverlap = after.some((one, n) => after.slice(n + 1).some(overlaps(one)));
      expect({ before, asked, refused: plan.refused.length > 0 }).toEqual({
        ...{ before, asked, refused: hasOverlap || contradict(asked) },
      });
      const turned = planMemberships(stored(...before), given(...asked).toReversed());
      // Of two that say the same, the first one is refused.
      const intervals = ({ refused }: typeof plan): string[] =>
        refused.map(({ detail }) => detail.split(' overlaps ')[0] ?? '').toSorted();
      expect(intervals(turned)).toEqual(intervals(plan));
      if (hasOverlap) refusals += 1;
    }
    expect(refusals).toBeGreaterThan(200);
    expect(refusals).toBeLessThan(1_800);
  });
});

/** True when two of them differ and share an instant: then no result can hold both. */
function contradict(all: readonly Membership[]): boolean {
  return all.some((one, n) =>
    all
      .slice(n + 1)
      .some((other) => overlaps(one)(other) && intervalText(one) !== intervalText(other)),
  );
}

/** True for memberships of the same user and space that share an instant, by trying every day. */
function overlaps(a: Membership): (b: Membership) => boolean {
  return (b) =>
    a.user === b.user &&
    a.space === b.space &&
    Array.from({ length: 20 }, (_, n) => day(n + 1)).some(
      (atMs) => isMember(a, atMs) && isMember(b, atMs),
    );
}

function isMember({ fromAtMs, toAtMs }: Membership, atMs: number): boolean {
  return fromAtMs <= atMs && (toAtMs === null || atMs < toAtMs);
}

describe('a member who leaves', () => {
  const history = stored(member(1, 5), member(9, 0));
  const at = (number: number) => ({ user: 'anna', space: 'vision', atMs: day(number) });

  it('ends the membership of that instant, or deletes it where it begins', () => {
    expect(planRemoval(history, at(3))).toEqual({ id: 0, toAtMs: day(3) });
    expect(planRemoval(history, at(12))).toEqual({ id: 1, toAtMs: day(12) });
    expect(planRemoval(history, at(9))).toEqual({ id: 1, toAtMs: null });
  });

  it('who left then already is left alone', () => {
    expect(planRemoval(history, at(5))).toBeNull();
  });

  it('who is no member then is NOT_FOUND, with what was entered', () => {
    expect(() => planRemoval(history, at(7))).toThrow(
      'user "anna" is no member of "vision" at 2026-01-07T00:00:00.000Z: entered is [2026-01-01T00:00:00.000Z, 2026-01-05T00:00:00.000Z), [2026-01-09T00:00:00.000Z, open)',
    );
    expect(() => planRemoval([], at(7))).toThrow('no membership was entered');
  });
});

describe('a record of a membership', () => {
  const usual = { user: 'anna', space: 'vision', from: '2026-01-01T00:00:00Z', to: '' };
  const codeOf = (fields: Partial<typeof usual>, zone: string | null = null): string => {
    try {
      return intervalText(membershipOf({ ...usual, ...fields }, zone));
    } catch (error) {
      if (!isJobhoursError(error)) throw error;
      return error.code;
    }
  };

  it('has names in normal form and half-open times, in the given zone where they have no offset', () => {
    const names = membershipOf({ ...usual, user: ' cafe\u0301 ', space: 'v' }, null);
    expect([names.user, names.space]).toEqual(['caf\u00e9', 'v']);
    expect(codeOf({})).toBe('[2026-01-01T00:00:00.000Z, open)');
    expect(codeOf({ from: '2026-03-29', to: '2026-03-30' }, 'Europe/Berlin')).toBe(
      '[2026-03-28T23:00:00.000Z, 2026-03-29T22:00:00.000Z)',
    );
  });

  it.each<[string, Partial<typeof usual>, string | null, string]>([
    ['B7 a time without offset', { from: '2026-01-01' }, null, 'TIME_ZONE_MISSING'],
    ['B6 no such date', { from: '2026-02-30T00:00Z' }, null, 'TIME_INVALID'],
    ['B9 a skipped local time', { from: '2026-03-29T02:30' }, 'Europe/Berlin', 'TIME_NONEXISTENT'],
    ['B8 a local time twice', { to: '2026-10-25T02:30' }, 'Europe/Berlin', 'TIME_AMBIGUOUS'],
    ['B4 a time before 1990', { from: '1969-12-31T23:59:59Z' }, null, 'TIME_RANGE'],
    ['B19 an empty user', { user: '' }, null, 'USER_INVALID'],
    ['B23 a user with a zero width space', { user: 'an\u200bna' }, null, 'USER_INVALID'],
    ['B19 an empty space', { space: ' ' }, null, 'SPACE_INVALID'],
    ['the name of no space', { space: '-' }, null, 'SPACE_INVALID'],
    ['no start', { from: '' }, null, 'FIELD_MISSING'],
    ['B70 an end before the start', { to: '2025-12-31T00:00:00Z' }, null, 'TIME_ORDER'],
    ['B70 an end at the start', { to: '2026-01-01T00:00:00Z' }, null, 'TIME_ORDER'],
  ])('is refused: %s', (_, fields, zone, code) => {
    expect(codeOf(fields, zone)).toBe(code);
  });

  it('knows that - is no space', () => {
    expect(() => spaceName('-')).toThrow('space "-" stands for no space');
  });
});

describe('members over time', () => {
  it('are counted half-open: who joins as a span ends is no member of it, who leaves then is', () => {
    const count = new MemberCount([member(1, 3), member(3, 0, 'ben'), member(2, 0, 'chris')]);
    expect([1, 2, 3, 4].map((number) => count.membersAtEnd(day(number)))).toEqual([0, 1, 2, 2]);
    expect(count.memberMs({ startAtMs: day(1), endAtMs: day(4) })).toBe(BigInt(5 * MS_PER_DAY));
  });

  it('equal a count by every instant (random)', () => {
    const random = seededRandom(71);
    for (let round = 0; round < 300; round += 1) {
      const memberships = Array.from({ length: random.integer(0, 12) }, () => {
        const from = random.integer(1, 28);
        return member(from, random.chance(0.3) ? 0 : from + random.integer(1, 9));
      });
      const count = new MemberCount(memberships);
      const [a, b] = [random.integer(1, 15), random.integer(16, 30)];
      const days = Array.from({ length: b - a }, (_, n) => day(a + n));
      const sum = days
        .map((atMs) => memberships.filter((one) => isMember(one, atMs)).length)
        .reduce((total, members) => total + members, 0);
      expect(count.memberMs({ startAtMs: day(a), endAtMs: day(b) })).toBe(
        BigInt(sum) * BigInt(MS_PER_DAY),
      );
      expect(count.membersAtEnd(day(b))).toBe(
        memberships.filter((one) => isMember(one, day(b) - 1)).length,
      );
    }
  });

  it('keep sums beyond 2^53 exact', () => {
    const many = Array.from({ length: 5_000 }, (_, n) => ({ fromAtMs: day(2) + n, toAtMs: null }));
    const span = { startAtMs: day(1), endAtMs: day(3) };
    const expected = many.reduce((sum, { fromAtMs }) => sum + BigInt(day(3) - fromAtMs), 0n);
    expect(new MemberCount(many).memberMs(span)).toBe(expected);
  });
});
