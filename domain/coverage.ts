/**
 * What sources have delivered, and what is missing (G6): a figure is complete only when every declared source covers it
 * no rejected record may lie in it and no import of it is half done. Pure. Owns this judgement; what was declared is db/coverage-store.ts.
 */
import type { Calendar } from './calendar.js';
import { intersection, type Span } from './period.js';
import { subtract, union } from './spans.js';

/** A source of which somebody said what its imports covered. */
export interface DeclaredSource {
  readonly name: string;
  /** Declared spans, in any order; at least one. */
  readonly declared: readonly Span[];
  /** Nothing is expected of it from then on; null: it goes on. */
  readonly endedAtMs: number | null;
}

/** Rejected records of one import that nobody dismissed. */
export interface OpenRejects {
  readonly batch: string;
  readonly records: number;
  /** Where they may lie, as far as their times could be read; from the beginning or to the end of time where not. */
  readonly spans: readonly Span[];
}

/** An import that has applied some of its runs: it is at work, or it was interrupted and nobody finished it. */
export interface UnfinishedImport {
  readonly batch: string;
  /** Name of its input. */
  readonly input: string;
  readonly startedAtMs: number;
  readonly runs: number;
  readonly appliedRuns: number;
  /** Where its runs lie. */
  readonly span: Span;
}

export interface Coverage {
  /** By name. Empty: nobody declared anything, and completeness is judged without it. */
  readonly sources: readonly DeclaredSource[];
  readonly rejects: readonly OpenRejects[];
  readonly unfinished: readonly UnfinishedImport[];
}

/** Why a span is not complete. */
export type Gap =
  | { readonly kind: 'uncovered'; readonly source: string; readonly spans: readonly Span[] }
  | { readonly kind: 'rejects'; readonly batch: string; readonly records: number }
  | ({ readonly kind: 'unfinished' } & UnfinishedImport);

export const ALL_TIME: Span = {
  startAtMs: Number.MIN_SAFE_INTEGER,
  endAtMs: Number.MAX_SAFE_INTEGER,
};

/** What is expected of a source in a span: since its first declared instant, until it ended. */
function expectedOf({ declared, endedAtMs }: DeclaredSource, span: Span): Span | null {
  const startAtMs = Math.min(...declared.map((one) => one.startAtMs));
  return intersection({ startAtMs, endAtMs: endedAtMs ?? ALL_TIME.endAtMs }, span);
}

/** The parts of a span that the source should have delivered and did not, in time order. */
export function uncovered(source: DeclaredSource, span: Span): Span[] {
  const expected = expectedOf(source, span);
  return expected === null ? [] : subtract([expected], union(source.declared));
}

/** What keeps a span from being complete; empty: nothing does. */
export function gapsIn(coverage: Coverage, span: Span): Gap[] {
  const gaps: Gap[] = [];
  for (const source of coverage.sources) {
    const spans = uncovered(source, span);
    if (spans.length > 0) gaps.push({ kind: 'uncovered', source: source.name, spans });
  }
  for (const { batch, records, spans } of coverage.rejects) {
    if (spans.some((one) => intersection(one, span) !== null)) {
      gaps.push({ kind: 'rejects', batch, records });
    }
  }
  for (const one of coverage.unfinished) {
    if (intersection(one.span, span) !== null) gaps.push({ kind: 'unfinished', ...one });
  }
  return gaps;
}

/** The end of what a source has delivered without a gap since its first declared instant. */
export function coveredUntil(source: DeclaredSource): number {
  return union(source.declared)[0]?.endAtMs ?? 0;
}

/**
 * Where nothing is complete: merged, in time order, from the beginning to the end of time. Made once for many questions
 * (`isComplete`).
 */
export function holesOf({ sources, rejects, unfinished }: Coverage): Span[] {
  return union([
    ...sources.flatMap((source) => uncovered(source, ALL_TIME)),
    ...rejects.flatMap(({ spans }) => spans),
    ...unfinished.map(({ span }) => span),
  ]);
}

/** True when the span touches none of the holes (in time order, without overlaps). */
export function isComplete(holes: readonly Span[], span: Span): boolean {
  let [low, high] = [0, holes.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((holes[middle]?.endAtMs ?? 0) <= span.startAtMs) low = middle + 1;
    else high = middle;
  }
  const next = holes[low];
  return next === undefined || next.startAtMs >= span.endAtMs;
}

/** Stretches of a source that are told by name. */
const TOLD = 3;

/** What a report's header says about a span; instants in the zone of the books. */
export function coverageText(coverage: Coverage, span: Span, calendar: Calendar): string {
  const gaps = gapsIn(coverage, span).map((gap) => gapText(gap, calendar));
  if (gaps.length > 0) return `incomplete: ${gaps.join('; ')}`;
  const expected = coverage.sources.flatMap((source) => {
    const part = expectedOf(source, span);
    if (part === null) return [];
    const isWhole = part.startAtMs === span.startAtMs;
    return isWhole ? source.name : `${source.name} from ${calendar.localText(part.startAtMs)} on`;
  });
  return expected.length === 0 ? 'not declared' : `complete (${expected.join(', ')})`;
}

/** `north misses [A, B)`, `3 rejected records of import 7 are open`, or `import 8 has applied 10 of its 20 runs`. */
export function gapText(gap: Gap, calendar: Calendar): string {
  if (gap.kind === 'rejects') {
    const { records, batch } = gap;
    return `${records} rejected ${records === 1 ? 'record' : 'records'} of import ${batch} ${records === 1 ? 'is' : 'are'} open`;
  }
  if (gap.kind === 'unfinished') {
    return `import ${gap.batch} (${gap.input}) has applied ${gap.appliedRuns} of its ${gap.runs} runs`;
  }
  const told = gap.spans
    .slice(0, TOLD)
    .map(
      ({ startAtMs, endAtMs }) =>
        `[${calendar.localText(startAtMs)}, ${calendar.localText(endAtMs)})`,
    );
  const more = gap.spans.length - told.length;
  return `${gap.source} misses ${told.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What closes a gap: a command, or what to do. */
export function gapAdvice(gap: Gap): string {
  if (gap.kind === 'rejects') return `jobhours import rejects list --batch ${gap.batch}`;
  if (gap.kind === 'unfinished') {
    return `the command that began it finishes it, jobhours import undo ${gap.batch} takes it back`;
  }
  return 'import its records with --covers A,B, or say when it ended: jobhours source end';
}
