/**
 * The names that one set of books has in Temporal: workflows, Schedules, task queues. The only file that makes them.
 * All begin with the books' name, so that two books share one Temporal. Workflow code uses this file.
 */
import { JobhoursError } from './errors.js';
import { fnv1a128 } from './fnv.js';
import { GRANULARITIES, type Granularity } from './period.js';
import { quotedValue } from './quoted-value.js';
import { instantText } from './units.js';

/** A longer segment is hashed: Temporal refuses ids above 1,000 bytes. */
const LONGEST_SEGMENT = 200;

/** 1 to 64 letters, digits, `.`, `_` or `-`, beginning with a letter or digit. */
const BOOKS_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The Schedules of some books: one for each granularity, and the one that audits. */
export const SCHEDULE_NAMES = [...GRANULARITIES, 'audit'] as const;
export type ScheduleName = (typeof SCHEDULE_NAMES)[number];

export interface Ids {
  /** Task queue of the usage workflows. */
  readonly usageQueue: string;
  /** Workflow `usageKeeper`: one for the books. */
  readonly keeper: string;
  /** Workflow `aggregatePeriod`: `<books>/usage/hour/2026-01-31T15:00Z`. `startAtMs` is a whole minute. */
  period(granularity: Granularity, startAtMs: number): string;
  /** Workflow `backfill` of that name. */
  backfill(name: string): string;
  /** Schedule, and the beginning of the ids of the workflows that it starts: `<books>/usage-hour`, `-audit`. */
  schedule(name: ScheduleName): string;
}

/** The names of some books. CONFIG when the books' name is not an allowed one. */
export function ids(booksName: string): Ids {
  if (!BOOKS_NAME.test(booksName)) {
    throw new JobhoursError(
      'CONFIG',
      `the name of the books is ${quotedValue(booksName)}: expected 1 to 64 letters, digits, . _ or -, beginning with a letter or digit`,
    );
  }
  const id = (...segments: string[]): string => [booksName, ...segments].join('/');
  return {
    usageQueue: id('usage'),
    keeper: id('usage', 'keeper'),
    period: (granularity, startAtMs) =>
      id('usage', granularity, `${instantText(startAtMs).slice(0, 16)}Z`),
    backfill: (name) => id('backfill', segment(name)),
    schedule: (name) => id(`usage-${name}`),
  };
}

/**
 * Any text as one segment of an id: percent-encoded, so that it holds no slash; a long one as its
 * hash after a `=`, which no encoded text holds, so that no short text has the name of a long one.
 */
export function segment(text: string): string {
  // A lone surrogate has no UTF-8 and would be refused.
  const encoded = encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\u{fffd}'));
  return encoded.length <= LONGEST_SEGMENT ? encoded : `=${fnv1a128(encoded)}`;
}
