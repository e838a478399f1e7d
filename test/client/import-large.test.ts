/** A large file: in bounded memory, and how long it takes beside COPY of the same rows. 10 million lines in torture. */
import { execFile, spawn } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { sacctStream } from '../support/sacct-stream.js';

const isTorture = process.env['JOBHOURS_TORTURE'] === '1';
const LINES = isTorture ? 10_000_000 : 40_000;
const SEED = 5;
/** What the importing process may hold, however long the file is: Node alone takes a fifth of it. */
const MOST_MIB = 400;
const HOUR_MS = 3_600_000;

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  folder = await mkdtemp(join(tmpdir(), 'jobhours-large-'));
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
}, HOUR_MS);

/** Resident memory in MiB; 0 when the process is gone. */
async function residentMib(pid: number): Promise<number> {
  const asked = promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  const { stdout } = await asked.catch(() => ({ stdout: '0' }));
  return Number(stdout.trim()) / 1_024;
}

/** `jobhours import sacct -` on the stream: its summary, how long it took, and the most memory that it held. */
async function importStream(): Promise<{ summary: unknown; tookMs: number; mostMib: number }> {
  const program = fileURLToPath(new URL('../../jobhours.mjs', import.meta.url));
  const startedMs = performance.now();
  const child = spawn(process.execPath, [program, 'import', 'sacct', '-', '-o', 'json'], {
    env: { PATH: process.env['PATH'], DATABASE_URL: test.url, JOBHOURS_HOME: folder },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  let mostMib = 0;
  const timer = setInterval(() => {
    void residentMib(child.pid ?? 0).then((mib) => (mostMib = Math.max(mostMib, mib)));
  }, 250);
  const [stdout] = await Promise.all([
    text(child.stdout),
    pipeline(Readable.from(sacctStream(LINES, SEED)), child.stdin),
  ]);
  clearInterval(timer);
  return { summary: JSON.parse(stdout), tookMs: performance.now() - startedMs, mostMib };
}

/** How long COPY takes to write the rows of a table into one of the same columns and indexes, in ms. */
async function copyMs(table: string): Promise<number> {
  const file = join(folder, table);
  const client = await test.connect();
  await client.query(`create table copied_${table} (like ${table} including all)`);
  const columns = await client.query<{ names: string }>(
    `select string_agg(attname, ', ' order by attnum) as names from pg_attribute
     where attrelid = '${table}'::regclass and attnum > 0 and not attisdropped`,
  );
  const names = columns.rows[0]?.names ?? '';
  await pipeline(
    client.query(copyTo(`copy ${table} (${names}) to stdout`)),
    createWriteStream(file),
  );
  const startedMs = performance.now();
  await pipeline(
    createReadStream(file),
    client.query(copyFrom(`copy copied_${table} (${names}) from stdin`)),
  );
  const tookMs = performance.now() - startedMs;
  await client.query(`drop table copied_${table}`);
  await rm(file);
  return tookMs;
}

describe(`an import of ${LINES} lines`, () => {
  it(
    `holds at most ${MOST_MIB} MiB, and every line counts`,
    async () => {
      const { summary, tookMs, mostMib } = await importStream();
      expect(summary).toMatchObject({ records: LINES, new: LINES, rejected: {} });
      expect(await test.query('select count(*)::text as runs from run')).toEqual([
        { runs: String(LINES) },
      ]);
      const copiedMs = (await copyMs('run')) + (await copyMs('run_detail'));
      process.stdout.write(
        `import of ${LINES} lines: ${(tookMs / 1_000).toFixed(1)} s, at most ${mostMib.toFixed(0)} MiB; ` +
          `COPY of its rows with their indexes: ${(copiedMs / 1_000).toFixed(1)} s, ratio ${(tookMs / copiedMs).toFixed(1)}\n`,
      );
      expect(mostMib).toBeGreaterThan(20);
      expect(mostMib).toBeLessThan(MOST_MIB);
    },
    isTorture ? 2 * HOUR_MS : HOUR_MS / 12,
  );
});
