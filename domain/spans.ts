/**
 * Sets of spans: what is left, what is covered, what is one. Owns arithmetic of several spans at once; a single span
 * is domain/period.ts.
 */
import { contains, type Span } from './period.js';

/** Spans of `spans` without `removed` (both in time order, each without overlaps). */
export function subtract(spans: readonly Span[], removed: readonly Span[]): Span[] {
  const left: Span[] = [];
  for (const span of spans) {
    let fromMs = span.startAtMs;
    for (const cut of removed) {
      if (cut.endAtMs <= fromMs || cut.startAtMs >= span.endAtMs) continue;
      if (cut.startAtMs > fromMs) left.push({ startAtMs: fromMs, endAtMs: cut.startAtMs });
      fromMs = Math.max(fromMs, cut.endAtMs);
    }
    if (fromMs < span.endAtMs) left.push({ startAtMs: fromMs, endAtMs: span.endAtMs });
  }
  return left;
}

/** The same instants in time order, spans that touch or overlap as one. Any order is taken. */
export function union(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const { startAtMs, endAtMs } of [...spans].sort((a, b) => a.startAtMs - b.startAtMs)) {
    const last = result.at(-1);
    if (last === undefined || startAtMs > last.endAtMs) result.push({ startAtMs, endAtMs });
    else {
      const latestMs = Math.max(last.endAtMs, endAtMs);
      result[result.length - 1] = { startAtMs: last.startAtMs, endAtMs: latestMs };
    }
  }
  return result;
}

/** True when one of the spans (in time order, without overlaps) holds the whole of `inner`. */
export function covers(spans: readonly Span[], inner: Span): boolean {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((spans[middle]?.endAtMs ?? 0) <= inner.startAtMs) low = middle + 1;
    else high = middle;
  }
  const found = spans[low];
  return found !== undefined && contains(found, inner);
}
