/**
 * What a bench is: a piece of the product measured beside its bounds and its rivals. Owns the shape of what it finds;
 * the list of benches is main.ts, printing is results.ts.
 */
import type { Clock, Cost } from './cost.js';
import { KNOWS_PROCESSOR_TIME, medianMs, medianRatio } from './cost.js';
import type { Size } from './size.js';
import type { Stage } from './stage.js';

export interface Setup {
  readonly stage: Stage;
  readonly size: Size;
  /** Progress, for people. */
  readonly say: (text: string) => void;
}

export interface Bench {
  /** What is typed to run it alone. */
  readonly name: string;
  readonly title: string;
  run(setup: Setup): Promise<Finding>;
}

/** A row of DESIGN section 15, as measured. */
export interface Verdict {
  readonly target: string;
  /** `<= 1.20x` */
  readonly bound: string;
  readonly measured: string;
  readonly isMet: boolean;
}

export interface Table {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A line of a chart: how a cost grows. */
export interface Curve {
  readonly name: string;
  /** What grows. */
  readonly axis: string;
  /** What is measured, with its unit. */
  readonly cost: string;
  readonly points: readonly { readonly x: number; readonly ms: number }[];
}

export interface Finding {
  readonly verdicts: readonly Verdict[];
  readonly tables: readonly Table[];
  readonly curves?: readonly Curve[];
  /** What a reader must know to read the figures. */
  readonly notes?: readonly string[];
}

/** What bounds are given in. */
export type Unit = 'x' | 'ms' | 's';

/** Three digits, two of a small number. */
function numberText(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 0.1 || value === 0 ? 2 : 3);
}

/** `0.87x`, `12.3 ms`, `7.10 s`. */
export function amountText(value: number, unit: Unit): string {
  return `${numberText(value)}${unit === 'x' ? '' : ' '}${unit}`;
}

/** A target that is met when the measured value is at most the bound. */
export function atMost(target: string, bound: number, measured: number, unit: Unit = 'x'): Verdict {
  return {
    target,
    bound: `<= ${amountText(bound, unit)}`,
    measured: amountText(measured, unit),
    isMet: measured <= bound,
  };
}

/** A target that is met when the measured value is at least the bound. */
export function atLeast(
  target: string,
  bound: number,
  measured: number,
  unit: Unit = 'x',
): Verdict {
  return {
    target,
    bound: `>= ${amountText(bound, unit)}`,
    measured: amountText(measured, unit),
    isMet: measured >= bound,
  };
}

/** The clock of ratios between statements: what a busy machine disturbs least. */
export const PROCESSOR: Clock = KNOWS_PROCESSOR_TIME ? 'backendMs' : 'wallMs';

/** Columns of `costRow`. */
export const COST_HEAD = ['what', 'wall', 'PostgreSQL', 'Node', 'of the first'] as const;

const msText = (ms: number): string =>
  ms >= 10_000 ? amountText(ms / 1_000, 's') : amountText(ms, 'ms');

/** A row of a table of costs: medians, and the ratio of `clock` to those of another row. */
export function costRow(
  what: string,
  costs: readonly Cost[],
  first: readonly Cost[],
  clock: Clock = PROCESSOR,
): string[] {
  const clocks: Clock[] = ['wallMs', 'backendMs', 'nodeMs'];
  return [
    what,
    ...clocks.map((one) => msText(medianMs(costs, one))),
    costs === first ? '1' : amountText(medianRatio(costs, first, clock), 'x'),
  ];
}

/** Throws when two answers differ: a comparison of different answers says nothing. */
export function requireSame(what: string, ours: unknown, theirs: unknown): void {
  const [mine, other] = [JSON.stringify(ours), JSON.stringify(theirs)];
  if (mine !== other) throw new Error(`${what} answers ${other}, jobhours ${mine}`);
}
