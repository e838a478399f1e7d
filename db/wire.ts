/**
 * One connection of the driver: statements and COPY on it, watched while they wait for an answer, their errors
 * translated. Owns nothing of what runs; connections are taken and given back by db/database.ts.
 */
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { JobhoursError } from '../domain/errors.js';
import { translated } from './sqlstate.js';
import { backendPidOf, socketOf, type StatementWatch } from './statement-watch.js';

/** Runs one statement; `name` is how errors call it. */
export type Ask = (name: string, query: string | pg.QueryConfig) => Promise<Answer>;
export type Answer = pg.QueryResult<Record<string, unknown>>;

export class Wire {
  /** True when the connection cannot be used again. */
  isBroken = false;

  /**
   * `keepsPlans`: the server plans each statement a few times and then keeps the plan (by the statement's name);
   * otherwise it plans every call for its values and for the tables as they are by then.
   */
  constructor(
    private readonly client: pg.PoolClient,
    private readonly watch: StatementWatch,
    private readonly keepsPlans = true,
  ) {}

  get backendPid(): number {
    return backendPidOf(this.client);
  }

  /** The server's answer; errors of db/sqlstate.ts, DATABASE_MISSING when none can come. */
  readonly ask: Ask = async (name, query) => {
    try {
      await this.watch.know(this.client);
      return await this.watch.during(this.client, name, this.client.query(this.planned(query)));
    } catch (error) {
      throw this.failure(error, name);
    }
  };

  private planned(query: string | pg.QueryConfig): string | pg.QueryConfig {
    if (this.keepsPlans || typeof query === 'string') return query;
    const { text, values = [] } = query;
    return { text, values };
  }

  /** Ends the transaction without its changes, or marks the connection as broken, which ends it as well. */
  async rollBack(): Promise<void> {
    if (this.isBroken) return;
    try {
      await this.ask('rollback', 'rollback');
    } catch {
      // Why the transaction failed is thrown by the caller.
      this.isBroken = true;
    }
  }

  /** An error of the catalogue; notes when it says that the connection is gone. */
  failure(error: unknown, name: string): JobhoursError {
    const failure = translated(error, name, this.watch.address);
    if (failure.code === 'DATABASE_MISSING') this.isBroken = true;
    return failure;
  }

  /** Streams text-format COPY lines; `target` is SQL written in the source, never input. */
  async copyInto(target: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
    const name = `copy ${target}`;
    const socket = socketOf(this.client);
    const sink = this.client.query(copyFrom(`copy ${target} from stdin`));
    const isFeeding = (): boolean =>
      !sink.writableEnded && sink.writableLength === 0 && socket.writableLength === 0;
    try {
      const copied = pipeline(Readable.from(lines), sink);
      await this.watch.during(this.client, name, copied, isFeeding);
    } catch (error) {
      throw this.failure(error, name);
    }
  }
}
