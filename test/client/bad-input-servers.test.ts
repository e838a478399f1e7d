/**
 * Servers that cannot be worked with, by number (B72, B73): each is told with what mends it before anything is changed.
 * Settings by themselves (B71) are test/domain/settings.test.ts, absent servers test/e2e/given-servers.test.ts.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { registerRun } from '../../client/commands/run.js';
import { registerSpace } from '../../client/commands/space.js';
import { registerUsage } from '../../client/commands/usage.js';
import { migrate, migrationStatus, openBooksAt } from '../../client/open-books.js';
import { connectTemporal } from '../../client/temporal.js';
import { parseSettings } from '../../domain/settings.js';
import { runCommand } from '../support/command-run.js';
import { contentsOf } from '../support/contents.js';
import {
  createTestDatabase,
  openTestBooks,
  openTestDatabase,
  type TestDatabase,
} from '../support/database.js';
import { insertRuns } from '../support/runs.js';

let test: TestDatabase;
let folder: string;
const madeDatabases: string[] = [];
const role = `reader_${randomBytes(6).toString('hex')}`;

beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  folder = await mkdtemp(join(tmpdir(), 'jobhours-servers-'));
  const startedAtMs = Date.UTC(2026, 0, 1);
  const run = { user: 'anna', milliGpus: 1, startedAtMs, endedAtMs: startedAtMs + 1 };
  await insertRuns(test, [{ key: 'one', ...run }]);
  await test.query(`create role ${role} login password 'x'`);
  await test.query(`grant usage on schema public to ${role}`);
  await test.query(`grant select on all tables in schema public to ${role}`);
});
afterAll(async () => {
  for (const name of madeDatabases) await test.query(`drop database ${name}`);
  await test.query(`drop owned by ${role}`);
  await test.query(`drop role ${role}`);
  await test.close();
  await rm(folder, { recursive: true });
});

const settings = parseSettings({ JOBHOURS_ZONE: 'UTC' });

/** Every way into a database: given, our own, and `db migrate` and `db status`. */
function waysInto(databaseUrl: string): readonly (() => Promise<unknown>)[] {
  const common = { databaseUrl, settings, isDemo: false, opens: true, defaultZone: null };
  return [
    () => openBooksAt({ ...common, folder: null, isEmbedded: false }),
    () => openBooksAt({ ...common, folder: null, isEmbedded: true }),
    () => migrate(databaseUrl),
    () => migrationStatus(databaseUrl),
  ];
}

async function newDatabase(options = ''): Promise<{ name: string; url: string }> {
  const name = `bad_${randomBytes(6).toString('hex')}`;
  await test.query(`create database ${name} ${options}`);
  madeDatabases.push(name);
  const url = new URL(test.url);
  url.pathname = `/${name}`;
  return { name, url: url.href };
}

describe('a database (B72)', () => {
  it('of a newer schema is refused by every way into it, with the migration that is not known', async () => {
    await test.query(`insert into schema_migration (name, run_on) values ('9999_future', now())`);
    const before = await contentsOf(test);
    for (const way of waysInto(test.url)) {
      await expect(way()).rejects.toMatchObject({
        code: 'SCHEMA_VERSION',
        message:
          'the database has 9999_future, which this version does not know: use a newer jobhours',
      });
    }
    expect(await contentsOf(test)).toEqual(before);
    await test.query(`delete from schema_migration where name = '9999_future'`);
  });

  it('without a schema is refused with the command that makes it, and gets no table', async () => {
    const { url } = await newDatabase();
    const [given = () => Promise.resolve()] = waysInto(url);
    await expect(given()).rejects.toMatchObject({
      code: 'SCHEMA_VERSION',
      message: expect.stringMatching(
        /^the database lacks 0001_books, .*: run 'jobhours db migrate'$/,
      ) as unknown,
    });
    const empty = openTestDatabase(url);
    expect(await contentsOf(empty)).toEqual({});
    await empty.close();
  });

  it.each(['LATIN1', 'SQL_ASCII'])(
    'of the encoding %s is refused by every way into it, and gets no table',
    async (encoding) => {
      const { name, url } = await newDatabase(
        `encoding '${encoding}' locale 'C' template template0`,
      );
      for (const way of waysInto(url)) {
        await expect(way()).rejects.toMatchObject({
          code: 'CONFIG',
          message: `DATABASE_URL: the database "${name}" has the encoding ${encoding}, expected UTF8: create it with ENCODING 'UTF8' TEMPLATE template0`,
        });
      }
      const empty = openTestDatabase(url);
      expect(await contentsOf(empty)).toEqual({});
      await empty.close();
    },
  );

  describe('for a user who may only read', () => {
    let reading: TestDatabase;
    beforeAll(() => {
      const url = new URL(test.url);
      [url.username, url.password] = [role, 'x'];
      reading = openTestDatabase(url.href);
    });
    afterAll(() => reading.close());

    it('shows what is there', async () => {
      const common = { databaseUrl: reading.url, settings, isDemo: false, defaultZone: null };
      const looking = { ...common, opens: false, folder: null, isEmbedded: false };
      const open = await openBooksAt(looking);
      await open.database.close();
      const january = ['--start', '2026-01-01', '--end', '2026-02-01'];
      const usage = await runCommand(reading, registerUsage, ['usage', ...january, '-o', 'csv']);
      expect(usage).toMatchObject({ error: null });
      expect(usage.stdout).toContain(',2026-01,,,,1,0.001,');
      const runs = await runCommand(reading, registerRun, ['run', 'list']);
      expect(runs).toMatchObject({ error: null });
    });

    it.each([
      ['import', registerImport, ['import', 'csv', 'FILE']],
      ['run void', registerRun, ['run', 'void', '1', '--reason', 'x']],
      ['space add', registerSpace, ['space', 'add', 'lab', 'anna']],
    ])('refuses %s with what mends it, and changes nothing', async (_, register, argv) => {
      const file = join(folder, 'records');
      await writeFile(file, 'user,gpus,job_id,start,end\nbob,1,j,2026-01-01T10:00:00Z,\n');
      const before = await contentsOf(test);
      const words = argv.map((word) => (word === 'FILE' ? file : word));
      const told =
        /^DATABASE_FAILURE: .*permission denied for table .*, SQLSTATE 42501\. The user of DATABASE_URL may not do this: use one that may, or let the owner of the tables grant it\.$/;
      expect((await runCommand(reading, register, words)).error).toMatch(told);
      expect(await contentsOf(test)).toEqual(before);
    });
  });

  it('that takes no writing says so, and changes nothing', async () => {
    const before = await contentsOf(test);
    const url = new URL(test.url);
    url.searchParams.set('options', '-c default_transaction_read_only=on');
    const standby = openTestDatabase(url.href);
    const { error } = await runCommand(standby, registerSpace, ['space', 'add', 'lab', 'anna']);
    await standby.close();
    expect(error).toMatch(
      /^DATABASE_FAILURE: .*read-only transaction, SQLSTATE 25006\. The database takes no writing: use the primary server, or switch default_transaction_read_only off\.$/,
    );
    expect(await contentsOf(test)).toEqual(before);
  });
});

describe('a Temporal server (B71, B73)', () => {
  it.each([
    ['a profile that is nowhere', { TEMPORAL_PROFILE: 'nope' }, /Profile 'nope' not found/],
    [
      'a configuration file that is none',
      { TEMPORAL_CONFIG_FILE: 'FILE' },
      /^TEMPORAL_PROFILE, TEMPORAL_CONFIG_FILE or another TEMPORAL_\* is wrong: /,
    ],
  ])('that is named by %s is CONFIG, not a defect', async (_, environment, message) => {
    const file = join(folder, 'temporal.toml');
    await writeFile(file, 'no [ toml');
    const before = { ...process.env };
    for (const [name, value] of Object.entries(environment)) {
      process.env[name] = value === 'FILE' ? file : value;
    }
    try {
      await expect(connectTemporal(null)).rejects.toMatchObject({
        code: 'CONFIG',
        message: expect.stringMatching(message) as unknown,
      });
    } finally {
      for (const name of Object.keys(environment)) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  });
});
