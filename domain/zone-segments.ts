/**
 * The segments of a time zone: maximal intervals of constant UTC offset (DESIGN section 4), read
 * from the zone data of Intl, stretch by stretch when first asked for. Owns the mapping between
 * instants and what the local clock shows; periods are the calendar's (domain/calendar.ts).
 * "Local ms" are what the local clock shows, written as ms as if it were UTC.
 */
import { JobhoursError } from './errors.js';
import type { Span } from './period.js';
import {
  EARLIEST_AT_MS,
  LATEST_AT_MS,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
  MS_PER_SECOND,
} from './units.js';

/** Constant offset over `[startAtMs, endAtMs)`; local clock = instant + `offsetMs`. */
export interface Segment extends Span {
  readonly offsetMs: number;
}

const STRETCH_MS = 366 * MS_PER_DAY;
/** More than any offset (-12 to +14 h) and any hour: a question about t never leaves its stretch. */
const MARGIN_MS = 2 * MS_PER_DAY;
/** No two changes since 1970 are closer than 167 h, so none can hide between two probes. */
const PROBE_MS = MS_PER_DAY;

export class ZoneSegments {
  readonly #format: Intl.DateTimeFormat;
  readonly #stretches = new Map<number, readonly Segment[]>();

  /** `zone` is a name that Intl knows (domain/zone-name.ts). */
  constructor(readonly zone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      timeZoneName: 'longOffset',
    });
  }

  /**
   * Segments in time order that cover `atMs` and at least two days before and after it; the first
   * and the last may be cut there. TIME_RANGE when `atMs` is far outside 1990 to 2100, or NaN.
   */
  near(atMs: number): readonly Segment[] {
    const index = Math.floor(atMs / STRETCH_MS);
    let stretch = this.#stretches.get(index);
    if (stretch === undefined) {
      assertOnTimeLine(atMs);
      stretch = this.#read(index);
      this.#stretches.set(index, stretch);
    }
    return stretch;
  }

  /** The segment that contains the instant; bounds as in `near`. */
  at(atMs: number): Segment {
    const stretch = this.near(atMs);
    for (let i = stretch.length - 1; i > 0; i -= 1) {
      const segment = stretch[i];
      if (segment !== undefined && segment.startAtMs <= atMs) return segment;
    }
    return stretch[0] as Segment;
  }

  /** The segments that share an instant with the span, in time order, cut to it. */
  *within({ startAtMs, endAtMs }: Span): Generator<Segment> {
    let fromMs = startAtMs;
    while (fromMs < endAtMs) {
      let { endAtMs: toMs, offsetMs } = this.at(fromMs);
      while (toMs < endAtMs && this.at(toMs).offsetMs === offsetMs) toMs = this.at(toMs).endAtMs;
      toMs = Math.min(toMs, endAtMs);
      yield { startAtMs: fromMs, endAtMs: toMs, offsetMs };
      fromMs = toMs;
    }
  }

  /** reach(L): the first instant at which the local clock shows `localMs` or later. */
  reach(localMs: number): number {
    for (const segment of this.near(localMs)) {
      const atMs = Math.max(segment.startAtMs, localMs - segment.offsetMs);
      if (atMs < segment.endAtMs) return atMs;
    }
    throw new JobhoursError('UNEXPECTED', `${this.zone} never reaches local ${localMs} ms`);
  }

  /** Every instant at which the local clock shows `localMs`, in time order: none, one or two. */
  instantsShowing(localMs: number): number[] {
    const instants: number[] = [];
    for (const { startAtMs, endAtMs, offsetMs } of this.near(localMs)) {
      const atMs = localMs - offsetMs;
      if (startAtMs <= atMs && atMs < endAtMs) instants.push(atMs);
    }
    return instants;
  }

  /** The local times that the change of the clocks around `localMs` skipped, or null. */
  skippedAround(localMs: number): { startLocalMs: number; endLocalMs: number } | null {
    let before: Segment | null = null;
    for (const segment of this.near(localMs)) {
      if (before !== null) {
        const startLocalMs = segment.startAtMs + before.offsetMs;
        const endLocalMs = segment.startAtMs + segment.offsetMs;
        if (startLocalMs <= localMs && localMs < endLocalMs) return { startLocalMs, endLocalMs };
      }
      before = segment;
    }
    return null;
  }

  #read(index: number): readonly Segment[] {
    const fromMs = index * STRETCH_MS - MARGIN_MS;
    const toMs = (index + 1) * STRETCH_MS + MARGIN_MS;
    const segments: Segment[] = [];
    let startAtMs = fromMs;
    let offsetMs = this.#offsetFromIntl(fromMs);
    for (let probeMs = fromMs; probeMs < toMs; probeMs += PROBE_MS) {
      const nextOffsetMs = this.#offsetFromIntl(probeMs + PROBE_MS);
      if (nextOffsetMs === offsetMs) continue;
      const changeAtMs = this.#firstAt(nextOffsetMs, probeMs, probeMs + PROBE_MS);
      segments.push({ startAtMs, endAtMs: changeAtMs, offsetMs });
      startAtMs = changeAtMs;
      offsetMs = nextOffsetMs;
    }
    segments.push({ startAtMs, endAtMs: toMs, offsetMs });
    return segments;
  }

  /** The first ms with `offsetMs` in `(beforeMs, atOrAfterMs]`. */
  #firstAt(offsetMs: number, beforeMs: number, atOrAfterMs: number): number {
    let [low, high] = [beforeMs, atOrAfterMs];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetFromIntl(middle) === offsetMs) high = middle;
      else low = middle;
    }
    return high;
  }

  /** Intl ends its text with `GMT`, `GMT-05:00` or, for old local mean times, `GMT-00:44:30`. */
  #offsetFromIntl(atMs: number): number {
    const text = this.#format.format(atMs);
    const offset = text.slice(text.lastIndexOf('GMT') + 3);
    if (offset === '') return 0;
    const sizeMs =
      Number(offset.slice(1, 3)) * MS_PER_HOUR +
      Number(offset.slice(4, 6)) * MS_PER_MINUTE +
      Number(offset.slice(7, 9)) * MS_PER_SECOND;
    if (!/^[+-]\d\d:\d\d(:\d\d)?$/.test(offset)) {
      throw new JobhoursError('UNEXPECTED', `Intl gave an offset of unknown form: ${text}`);
    }
    return offset.startsWith('-') ? -sizeMs : sizeMs;
  }
}

/** A year more than the accepted time line on each side: its first and last periods cross its ends. */
function assertOnTimeLine(atMs: number): void {
  if (atMs >= EARLIEST_AT_MS - STRETCH_MS && atMs < LATEST_AT_MS + STRETCH_MS) return;
  throw new JobhoursError(
    'TIME_RANGE',
    `instant ${atMs} ms lies outside the years 1990 to 2100, which the calendar knows`,
    { atMs: String(atMs) },
  );
}
