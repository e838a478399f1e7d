/**
 * What work costs: wall time, processor time of its PostgreSQL session, processor time of this process. Owns reading the
 * clocks, rounds and medians; what is measured is elsewhere.
 */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import type { Database } from '../db/database.js';

/** In ms. */
export interface Cost {
  readonly wallMs: number;
  /** Of the sessions that worked; wall time where the system does not tell (all but Linux). */
  readonly backendMs: number;
  /** Of this process. */
  readonly nodeMs: number;
}

export type Clock = keyof Cost;

/** Processor time of a process in ms; null where the system does not tell. */
function processorMs(pid: number): number | null {
  try {
    // Nanoseconds on a processor; /proc/PID/stat counts in hundredths of a second.
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
  } catch {
    return null;
  }
}

/** True where `backendMs` is processor time and not wall time. */
export const KNOWS_PROCESSOR_TIME = processorMs(process.pid) !== null;

/** Runs `work`, which uses the sessions of these processes, and says what it cost. */
export async function costOf(pids: readonly number[], work: () => Promise<unknown>): Promise<Cost> {
  const node = process.cpuUsage();
  const wall = performance.now();
  const before = pids.map(processorMs);
  await work();
  const after = pids.map(processorMs);
  const wallMs = performance.now() - wall;
  const { user, system } = process.cpuUsage(node);
  const spent = after.map((ms, at) => (ms ?? wallMs) - (before[at] ?? 0));
  return {
    wallMs,
    backendMs: spent.reduce((sum, ms) => sum + ms, 0),
    nodeMs: (user + system) / 1_000,
  };
}

/** As `costOf`, of work on the product's way in, which has one connection. */
export async function databaseCost(
  database: Database,
  work: () => Promise<unknown>,
): Promise<Cost> {
  const pid = await database.transaction({}, (transaction) =>
    Promise.resolve(transaction.backendPid),
  );
  return costOf([pid], work);
}

/** As `costOf`, of plain SQL. */
export function clientCost(client: pg.Client, work: () => Promise<unknown>): Promise<Cost> {
  return costOf([(client as unknown as { processID: number }).processID], work);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low, high] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  if (low === undefined || high === undefined) throw new RangeError('median of nothing');
  return (low + high) / 2;
}

/** Costs of several kinds of work, a cost for each round. */
export type Rounds<Side extends string> = Readonly<Record<Side, readonly Cost[]>>;

/**
 * Runs every side once in each round, so that what disturbs the machine disturbs them all. `round` counts from 0.
 */
export async function inRounds<Side extends string>(
  count: number,
  sides: Readonly<Record<Side, (round: number) => Promise<Cost>>>,
): Promise<Rounds<Side>> {
  const names = Object.keys(sides) as Side[];
  const costs = Object.fromEntries(names.map((name) => [name, [] as Cost[]])) as Record<
    Side,
    Cost[]
  >;
  for (let round = 0; round < count; round += 1) {
    for (const name of names) costs[name].push(await sides[name](round));
  }
  return costs;
}

export function medianMs(costs: readonly Cost[], clock: Clock): number {
  return median(costs.map((cost) => cost[clock]));
}

/** The median of the rounds' ratios. */
export function medianRatio(of: readonly Cost[], to: readonly Cost[], clock: Clock): number {
  return median(of.map((cost, round) => cost[clock] / (to[round]?.[clock] ?? Number.NaN)));
}
