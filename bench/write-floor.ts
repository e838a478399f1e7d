/**
 * The least that writing can cost: rows that are finished already, put into a table with the same columns, checks and
 * index, by INSERT and by COPY. Owns that table.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { clientCost, type Cost } from './cost.js';
import { benchFolder } from './stage.js';

/** Makes an empty `finished_<table>`, like a usage table. */
export async function emptyFloor(client: pg.Client, table: string): Promise<void> {
  await client.query(`drop table if exists finished_${table}`);
  await client.query(`create table finished_${table} (like ${table} including all)`);
}

/** Inserts the finished rows of a period, in one transaction. */
export async function insertFinished(
  client: pg.Client,
  table: string,
  periodStartAtMs: number,
): Promise<Cost> {
  await client.query(
    `create temp table finished as
     select * from ${table} where period_start_at_ms = ${periodStartAtMs} order by usage_key`,
  );
  const cost = await clientCost(client, async () => {
    await client.query('begin');
    await client.query(`insert into finished_${table} select * from finished`);
    await client.query('commit');
  });
  await client.query('drop table finished');
  return cost;
}

/** Copies the finished rows of a period from memory; those that the floor has of it are removed before. */
export async function copyFinished(
  client: pg.Client,
  table: string,
  periodStartAtMs: number,
): Promise<Cost> {
  const rows = `select * from ${table} where period_start_at_ms = ${periodStartAtMs} order by usage_key`;
  const text = await buffer(client.query(copyTo(`copy (${rows}) to stdout`)));
  await client.query(`delete from finished_${table} where period_start_at_ms = ${periodStartAtMs}`);
  return clientCost(client, () =>
    pipeline(Readable.from([text]), client.query(copyFrom(`copy finished_${table} from stdin`))),
  );
}

/** Copies all rows of some tables into new ones like them, from files. */
export async function copyAllFinished(client: pg.Client, tables: readonly string[]): Promise<Cost> {
  const folder = await benchFolder();
  try {
    for (const table of tables) {
      await emptyFloor(client, table);
      await pipeline(
        client.query(copyTo(`copy (select * from ${table} order by 1, 2) to stdout`)),
        createWriteStream(join(folder, table)),
      );
    }
    return await clientCost(client, async () => {
      for (const table of tables) {
        await pipeline(
          createReadStream(join(folder, table)),
          client.query(copyFrom(`copy finished_${table} from stdin`)),
        );
      }
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
