/** DuckDB on the same runs: a columnar engine, in one thread, with the usual expansion. Owns getting the runs there. */
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { Span } from '../domain/period.js';
import { answerSums, type Answer } from './answers.js';
import { costOf, type Cost } from './cost.js';
import { expansionSql, touchedHours } from './expansion.js';
import { benchFolder } from './stage.js';

const COLUMNS = 'usage_key, milli_gpus, started_at_ms, ended_at_ms';

export class DuckRuns {
  private constructor(private readonly connection: DuckDBConnection) {}

  /** Copies the runs of a database. They are kept in memory. */
  static async from(client: pg.Client): Promise<DuckRuns> {
    const folder = await benchFolder();
    try {
      const file = join(folder, 'run.csv');
      await pipeline(
        client.query(copyTo(`copy run (${COLUMNS}) to stdout (format csv)`)),
        createWriteStream(file),
      );
      const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
      const connection = await instance.connect();
      await connection.run(
        `create table run (usage_key integer, milli_gpus integer, started_at_ms bigint, ended_at_ms bigint)`,
      );
      await connection.run(`copy run from '${file}' (format csv, header false)`);
      return new DuckRuns(connection);
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  /** Expands the runs of a span into a table. DuckDB works in this process: its time is Node's. */
  async expand(span: Span): Promise<Cost> {
    const series = touchedHours(span, '//', 'unnest(generate_series({first}, {last}))');
    return costOf([], () =>
      this.connection.run(`create or replace table expanded_hour as ${expansionSql(span, series)}`),
    );
  }

  /** What the last expansion answered. */
  async answer(): Promise<Answer | undefined> {
    const sums = answerSums('hugeint').replace('/ 3600000', '// 3600000');
    const { columnNames, rows } = await this.read(`select ${sums} from expanded_hour`);
    const [row] = rows;
    if (row === undefined) return undefined;
    return Object.fromEntries(
      columnNames.map((name, at) => [name, String(row[at])]),
    ) as unknown as Answer;
  }

  close(): void {
    this.connection.closeSync();
  }

  private async read(sql: string): Promise<{ columnNames: string[]; rows: unknown[][] }> {
    const reader = await this.connection.runAndReadAll(sql);
    return { columnNames: reader.columnNames(), rows: reader.getRows() };
  }
}
