/** A plan in words for people. Owns no rule: what is planned is domain/plan.ts. */
import type { Granularity } from './period.js';
import type { MissingSpan } from './plan.js';
import { instantText } from './units.js';

/** `48 hours, 2 days are missing ...: jobhours backfill create --start A --end B`, or an empty text. */
export function beyondReachText(
  missing: readonly MissingSpan[],
  originAtMs: number | null,
): string {
  if (missing.length === 0) return '';
  const periods = new Map<Granularity, number>();
  for (const one of missing) {
    periods.set(one.granularity, (periods.get(one.granularity) ?? 0) + one.periods);
  }
  const counts = [...periods].map(([granularity, count]) => `${count} ${granularity}s`).join(', ');
  const startAtMs = Math.min(...missing.map(({ span }) => span.startAtMs));
  const endAtMs = Math.max(...missing.map(({ span }) => span.endAtMs));
  const from = instantText(Math.max(startAtMs, originAtMs ?? startAtMs));
  return `missing and not mended by itself: ${counts}; jobhours backfill create --start ${from} --end ${instantText(endAtMs)}`;
}
