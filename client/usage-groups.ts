/**
 * Dimensions of a report: usage keys gathered into the combinations that it prints, in their order.
 * Owns that order; amounts are client/usage-report.ts's.
 */
import type { KeyGroups, NamedUsageKey } from '../db/usage-store.js';

/** What usage can be broken down by, in the order of the columns. */
export const DIMENSIONS = ['user', 'space', 'pool'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** One combination; a dimension that is not asked for is null. */
export type Group = Readonly<Record<Dimension, string | null>>;

export interface Groups extends KeyGroups {
  /** In order of user, space and pool, each in C order (by code points). The index is the group's number. */
  readonly groups: readonly Group[];
  /** Usage key -> number of its group. */
  readonly groupOf: ReadonlyMap<number, number>;
}

/** The combinations of the keys by the dimensions asked for. Without any: one group, also when there is no key. */
export function groupsOf(keys: readonly NamedUsageKey[], by: readonly Dimension[]): Groups {
  const asked = (dimension: Dimension, name: string): string | null =>
    by.includes(dimension) ? name : null;
  const byIdentity = new Map<string, { group: Group; usageKeys: number[] }>();
  if (by.length === 0) {
    const group = { user: null, space: null, pool: null };
    byIdentity.set(identityOf(group), { group, usageKeys: [] });
  }
  for (const { usageKey, user, space, pool } of keys) {
    const group = {
      user: asked('user', user),
      space: asked('space', space),
      pool: asked('pool', pool),
    };
    const identity = identityOf(group);
    const known = byIdentity.get(identity);
    if (known === undefined) byIdentity.set(identity, { group, usageKeys: [usageKey] });
    else known.usageKeys.push(usageKey);
  }
  const sorted = [...byIdentity.values()].sort((a, b) => compareGroups(a.group, b.group));
  const numbered = sorted.flatMap(({ usageKeys }, number) =>
    usageKeys.map((usageKey) => [usageKey, number] as const),
  );
  return {
    groups: sorted.map(({ group }) => group),
    groupOf: new Map(numbered),
    usageKeys: numbered.map(([usageKey]) => usageKey),
    groupNumbers: numbered.map(([, number]) => number),
  };
}

function identityOf({ user, space, pool }: Group): string {
  return JSON.stringify([user, space, pool]);
}

function compareGroups(a: Group, b: Group): number {
  for (const dimension of DIMENSIONS) {
    const order = compareNames(a[dimension] ?? '', b[dimension] ?? '');
    if (order !== 0) return order;
  }
  return 0;
}

/** C order: by code points, which is the order of their UTF-8 bytes; not that of UTF-16 units. */
export function compareNames(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left !== right) return rankOfUnit(left) - rankOfUnit(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others, so they rank after U+E000 to U+FFFF. */
function rankOfUnit(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
