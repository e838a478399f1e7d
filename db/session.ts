/**
 * Sessions: what stores run statements on. Owns how rows are counted and converted; where a statement runs is handed
 * in (db/wire.ts, db/database.ts).
 */
import type { Answer, Ask } from './wire.js';
import {
  convertRow,
  parameterValues,
  type DeclaredType,
  type Statement,
  type Values,
} from './statement.js';
import { JobhoursError } from '../domain/errors.js';

type Columns = Readonly<Record<string, DeclaredType>>;

/** What stores run statements on: the pool itself (each statement alone) or one transaction. */
export interface Session {
  /** All rows. */
  rows<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>[]>;
  /** Exactly one row; UNEXPECTED otherwise. */
  one<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>>;
  /** One row or null; UNEXPECTED when there are more. */
  maybeOne<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R> | null>;
  /** Number of rows written. */
  execute<P extends Columns>(statement: Statement<P>, params: Values<P>): Promise<number>;
}

/** A session inside a transaction, on one connection. */
export interface Transaction extends Session {
  /**
   * Streams text-format COPY lines into a table. `target` is SQL written in the source, never input:
   * `staged (line, code)`.
   */
  copyInto(target: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void>;
  /** Backend process id, for tests that cancel or kill it. */
  readonly backendPid: number;
}

/** Runs declared statements by `ask`. */
export class StatementRunner implements Session {
  constructor(private readonly ask: Ask) {}

  private run<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Answer> {
    const { name, text } = statement;
    return this.ask(name, { name, text, values: parameterValues(statement, params) });
  }

  async rows<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>[]> {
    const result = await this.run(statement, params);
    return result.rows.map((row) => convertRow(statement, row));
  }

  async one<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R>> {
    const row = await this.maybeOne(statement, params);
    if (row === null) throw new JobhoursError('UNEXPECTED', `${statement.name}: no row`);
    return row;
  }

  async maybeOne<P extends Columns, R extends Columns>(
    statement: Statement<P, R>,
    params: Values<P>,
  ): Promise<Values<R> | null> {
    const rows = await this.rows(statement, params);
    if (rows.length > 1) throw new JobhoursError('UNEXPECTED', `${statement.name}: several rows`);
    return rows[0] ?? null;
  }

  async execute<P extends Columns>(statement: Statement<P>, params: Values<P>): Promise<number> {
    return (await this.run(statement, params)).rowCount ?? 0;
  }
}
