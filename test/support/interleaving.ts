/**
 * Runs two database sessions step by step in a given order. A step that waits for a lock of the other session is left
 * waiting, as a real session would be, and its later steps follow when it goes on.
 */
import { buildPeriod, type BuildOptions } from '../../db/period-builder.js';
import { Database } from '../../db/database.js';
import { isJobhoursError } from '../../domain/errors.js';
import type { Period } from '../../domain/period.js';
import type pg from 'pg';
import type { TestDatabase } from './database.js';

/** One session: `advance` does its next step and resolves when that is done. */
export interface Actor {
  readonly applicationName: string;
  readonly steps: number;
  advance(): Promise<void>;
}

/** By the actor's name: orders that run one after the other share them, for a new one takes longer than an order. */
const clients = new Map<string, Promise<pg.Client>>();
const databases = new Map<string, Database>();

async function connectAs(test: TestDatabase, applicationName: string): Promise<pg.Client> {
  const client = await test.connect();
  await client.query(`set application_name = '${applicationName}'`);
  return client;
}

/** What is asked for by name, made when it is not there. */
function shared<T>(all: Map<string, T>, name: string, make: () => T): T {
  const one = all.get(name) ?? make();
  all.set(name, one);
  return one;
}

/** Closes the connections of all actors, which belong to one database. */
export async function closeActors(): Promise<void> {
  for (const client of clients.values()) await (await client).end();
  for (const database of databases.values()) await database.close();
  clients.clear();
  databases.clear();
}

/** Every order of `a` steps of the first actor and `b` of the second (0 = first, 1 = second). */
export function* orders(a: number, b: number): Generator<(0 | 1)[]> {
  if (a === 0 && b === 0) yield [];
  if (a > 0) for (const rest of orders(a - 1, b)) yield [0, ...rest];
  if (b > 0) for (const rest of orders(a, b - 1)) yield [1, ...rest];
}

/** SQLSTATEs with which a session may lose against another one; anything else is a defect of the test. */
export const LOST = new Set(['23514', '40001', '23505', '40P01']);

/** SQL steps on a connection of its own; a step that loses ends the transaction and the rest is skipped. */
export async function sqlActor(
  test: TestDatabase,
  applicationName: string,
  steps: readonly (readonly [text: string, values?: unknown[]])[],
): Promise<Actor> {
  const client = await shared(clients, applicationName, () => connectAs(test, applicationName));
  let next = 0;
  let failed = false;
  return {
    applicationName,
    steps: steps.length,
    advance: async () => {
      const step = steps[next];
      next += 1;
      if (failed || step === undefined) return;
      try {
        await client.query(step[0], step[1] ?? []);
      } catch (error) {
        if (!LOST.has(String((error as { code?: unknown }).code))) throw error;
        failed = true;
        await client.query('rollback');
      }
    },
  };
}

/** Steps of a build, in the order of db/period-builder.ts; the last one commits and reads back. */
export const HOUR_STEPS = ['lock', 'delete-marks', 'delete-dirty-rows', 'build', 'commit'] as const;
export const COARSE_STEPS = ['lock', 'delete-dirty-rows', 'build', 'commit'] as const;

/** The real builder, stopped after each of its steps. REPLAN is an allowed outcome; other errors are thrown. */
export function buildActor(
  test: TestDatabase,
  applicationName: string,
  period: Period,
  options: BuildOptions = {},
): Actor {
  const database = shared(databases, applicationName, () =>
    Database.open({ url: test.url, applicationName, maxConnections: 1 }),
  );
  let reached: () => void = () => undefined;
  let go: () => void = () => undefined;
  let build: Promise<void> | null = null;
  const start = (): Promise<void> =>
    buildPeriod(database, period, {
      ...options,
      afterStep: () => {
        const gate = new Promise<void>((resolve) => (go = resolve));
        reached();
        return gate;
      },
    }).then(
      () => undefined,
      (error: unknown) => {
        if (!isJobhoursError(error, 'REPLAN')) throw error;
      },
    );
  return {
    applicationName,
    steps: period.granularity === 'hour' ? HOUR_STEPS.length : COARSE_STEPS.length,
    advance: async () => {
      const atGate = new Promise<void>((resolve) => (reached = resolve));
      const release = go;
      build ??= start();
      release();
      await Promise.race([atGate, build]);
    },
  };
}

class Session {
  private current: Promise<void> | null = null;
  private owed = 0;
  private error: unknown = null;
  constructor(
    readonly actor: Actor,
    private readonly isBlocked: () => Promise<boolean>,
  ) {}

  /** Does one step, or owes it while the step before still waits for a lock. */
  async step(): Promise<void> {
    this.owed += 1;
    await this.goOn();
  }

  /** Does what is owed until a step waits for a lock or nothing is owed. True when nothing is. */
  async goOn(): Promise<boolean> {
    while (this.current !== null || this.owed > 0) {
      if (this.current === null) {
        this.owed -= 1;
        this.current = this.actor.advance().then(
          () => void (this.current = null),
          (error: unknown) => {
            this.error = error;
            this.current = null;
          },
        );
      }
      const settled = this.current;
      while (this.current !== null) {
        const blocked = await Promise.race([settled.then(() => false), this.isBlocked()]);
        if (blocked && this.current !== null) return false;
      }
      if (this.error !== null) throw this.error as Error;
    }
    return true;
  }
}

/** Runs the two actors in that order, to their ends. */
export async function runOrder(
  test: TestDatabase,
  actors: readonly [Actor, Actor],
  order: readonly (0 | 1)[],
): Promise<void> {
  const isBlocked = async (name: string): Promise<boolean> => {
    const found = await test.query(
      `select 1 from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'`,
      [name],
    );
    return found.length > 0;
  };
  const sessions = actors.map(
    (actor) => new Session(actor, () => isBlocked(actor.applicationName)),
  );
  for (const turn of order) {
    await sessions[turn]?.step();
    await sessions[1 - turn]?.goOn();
  }
  const deadlineAtMs = Date.now() + 20_000;
  for (;;) {
    const done = [];
    for (const session of sessions) done.push(await session.goOn());
    if (done.every(Boolean)) return;
    if (Date.now() > deadlineAtMs) throw new Error(`order ${order.join('')} hangs`);
  }
}
