/** README's page "Daily work": every command works as typed, and every sentence on odd records is so. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { registerImport } from '../../client/commands/import.js';
import { registerUser } from '../../client/commands/rename.js';
import { registerRun } from '../../client/commands/run.js';
import { registerSource } from '../../client/commands/source.js';
import { registerSpace } from '../../client/commands/space.js';
import { registerUsage } from '../../client/commands/usage.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { runsOf, sacctLine } from '../support/imports.js';
import { commandsOf, headingsBelow, sectionOf } from '../support/readme.js';
import { setOrigin } from '../support/runs.js';

const REGISTERS = {
  import: registerImport,
  run: registerRun,
  source: registerSource,
  space: registerSpace,
  usage: registerUsage,
  user: registerUser,
};
/** Tried elsewhere: the recipes in import-recipes, the others on servers in test/e2e/readme and test/client/doctor. */
const ELSEWHERE = [
  ...['### Slurm', '### Kubernetes', '### CSV', '### Standard Workload Format'],
  ...['### Doctor', '### Periods', '### Backfill', '### Watching it'],
];

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'jobhours-daily-'));
});
beforeEach(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Europe/Berlin' });
  await setOrigin(test, Date.UTC(2026, 0, 1));
});
afterEach(() => test.close());
afterAll(() => rm(folder, { recursive: true }));

function jobhours(words: readonly string[]): Promise<CommandRun> {
  const register = REGISTERS[words[0] as keyof typeof REGISTERS];
  return runCommand(test, register, words, { wakeKeeper: () => Promise.resolve(null) });
}

async function imported(format: string, text: string | Uint8Array, ...flags: string[]) {
  const file = join(folder, 'input');
  await writeFile(file, text);
  const run = await jobhours(['import', format, file, '-o', 'json', ...flags]);
  const summary = (run.stdout === '' ? {} : JSON.parse(run.stdout)) as Record<string, unknown>;
  return { ...run, summary };
}

async function numberOf(sql: string): Promise<string> {
  const [row] = await test.query<{ n: string }>(`select (${sql})::text as n`);
  return row?.n ?? '';
}

const HEADER = 'user,space,job_id,gpus,start,end\n';
const HOUR = '2026-01-10T10:00:00Z,2026-01-10T11:00:00Z';

/** What a section needs: files, and the numbers that stand for README's 12 and 4711. */
const SCENES: Readonly<
  Record<
    string,
    { files?: Record<string, string>; first?: string; numbers?: Record<string, string> }
  >
> = {
  '### Records left out': {
    files: {
      'jobs.csv': `${HEADER}heron,vision,1,2,${HOUR}\nheron,vision,2,many,${HOUR}\nheron,vision,3,-1,${HOUR}\n`,
      'corrected.csv': `${HEADER}heron,vision,3,1,${HOUR}\n`,
    },
    numbers: {
      '12': 'select min(batch) from rejected_record',
      '12:40': "select min(batch) || ':3' from rejected_record",
    },
  },
  '### What feeds have delivered': { files: { 'sacct.txt': sacctLine({ cluster: 'north' }) } },
  '### Spaces and their members': {
    files: { 'members.csv': 'user,space,from,to\nheron,vision,2026-01-01,\n' },
  },
  '### Take an import back': {
    first: `${HEADER}heron,vision,1,2,${HOUR}\n`,
    numbers: { '12': 'select max(id) from import_batch' },
  },
  '### One run': {
    first: `${HEADER}heron,vision,1,2,${HOUR}\nibis,vision,2,2,${HOUR}\n`,
    // The first is voided and the other corrected.
    numbers: { '4711': 'select min(id) from run' },
  },
  '### Names': { first: `${HEADER}amiller,vision,1,2,${HOUR}\n` },
  '### Runs without an end': {
    files: { 'sacct.txt': sacctLine({}) },
    first: `${HEADER}heron,vision,1,2,2026-01-10T10:00:00Z,\n`,
    numbers: { '4711': 'select id from run where ended_at_ms is null' },
  },
};
/** A partial import that left something out. */
const STATUS_2 = /^import csv \S+ --partial/;

describe("README's daily work", () => {
  it('has no section that is tried nowhere', () => {
    const headings = headingsBelow('## Daily work');
    const withCommands = headings.filter((one) => commandsOf(sectionOf(one)).length > 0);
    const tried = [...ELSEWHERE, ...Object.keys(SCENES), '### Ask', '### File an answer'];
    expect(withCommands.sort()).toEqual(tried.sort());
  });

  it.each(headingsBelow('## Daily work').filter((one) => !ELSEWHERE.includes(one)))(
    '%s: every command works, in the order of the page',
    async (heading) => {
      const { files = {}, first, numbers = {} } = SCENES[heading] ?? {};
      for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
      if (first !== undefined) expect(await imported('csv', first)).toMatchObject({ error: null });
      for (const words of commandsOf(sectionOf(heading))) {
        const typed: string[] = [];
        for (const word of words) {
          const number = numbers[word];
          if (number !== undefined) typed.push(await numberOf(number));
          else typed.push(/\.(csv|txt|json)$/.test(word) ? join(folder, word) : word);
        }
        const { error, exitCode, stdout, stderr } = await jobhours(typed);
        const line = typed.join(' ');
        const expected = STATUS_2.test(line) ? 'RECORDS_REJECTED' : null;
        expect({
          line,
          stdout,
          stderr,
          exitCode,
          error: error?.split(':')[0] ?? null,
        }).toMatchObject({
          exitCode: 0,
          error: expected,
        });
      }
    },
  );
});

const NOTHING_REJECTED = { error: null, exitCode: 0 };
const COUNTS = { new: 0, corrected: 0, ended: 0, kept: 0 };
/** A job of 4 h over the night in which Berlin's clocks go forward. */
const IN_UTC = { start: '2026-03-28T23:00:00', end: '2026-03-29T03:00:00', elapsed: '04:00:00' };
const IN_BERLIN = { start: '2026-03-29T00:00:00', end: '2026-03-29T05:00:00', elapsed: '04:00:00' };

/** What shows each sentence, by the words with which it begins. */
const SENTENCES: Readonly<Record<string, () => Promise<void>>> = {
  'The same file twice': async () => {
    await imported('sacct', sacctLine({}));
    const before = await runsOf(test);
    const again = await imported('sacct', sacctLine({}));
    expect(again).toMatchObject({ ...NOTHING_REJECTED, summary: { ...COUNTS, unchanged: 1 } });
    expect(await runsOf(test)).toEqual(before);
  },
  'A record with other content': async () => {
    await imported('sacct', sacctLine({}));
    const other = await imported('sacct', sacctLine({ user: 'bob' }));
    expect(other.summary).toMatchObject({ ...COUNTS, corrected: 1 });
    expect(await runsOf(test)).toMatchObject([{ user: 'bob' }]);
    const shown = await jobhours(['run', 'show', await numberOf('select id from run')]);
    expect(shown.stdout).toContain('anna');
  },
  "Yesterday's dump after today's": async () => {
    const open = { end: 'Unknown', state: 'RUNNING' };
    await imported('sacct', sacctLine({}));
    const before = await runsOf(test);
    const yesterday = await imported('sacct', sacctLine(open));
    expect(yesterday).toMatchObject({ ...NOTHING_REJECTED, summary: { ...COUNTS, kept: 1 } });
    expect(await runsOf(test)).toEqual(before);
  },
  'A job that was requeued': async () => {
    const attempts = ['09', '12', '15'].map((hour, index) =>
      sacctLine({
        ...{ jobidraw: '7', submit: `2026-01-01T${hour}:00:00`, start: `2026-01-01T${hour}:30:00` },
        ...{ end: `2026-01-01T${hour}:45:00`, state: index < 2 ? 'REQUEUED' : 'COMPLETED' },
      }),
    );
    const { summary } = await imported('sacct', attempts.join('\n'));
    expect(summary).toMatchObject({ ...COUNTS, new: 3 });
  },
  'Two clusters with the same job ids': async () => {
    const both = ['north', 'south'].map((cluster) => sacctLine({ cluster })).join('\n');
    expect((await imported('sacct', both)).summary).toMatchObject({ ...COUNTS, new: 2 });
    const named = ['--source', 'east'];
    const csv = `${HEADER}anna,vision,1,2,${HOUR}\n`;
    expect((await imported('csv', csv, ...named)).summary).toMatchObject({ new: 1 });
    expect((await imported('csv', csv, '--source', 'west')).summary).toMatchObject({ new: 1 });
  },
  'A dump in local time': async () => {
    await imported('sacct', sacctLine(IN_UTC));
    const refused = await imported('sacct', sacctLine(IN_BERLIN));
    expect(refused.error).toMatch(/^RECORDS_REJECTED/);
    expect(refused.summary).toMatchObject({ batch: null, rejected: { TIME_ZONE_SUSPECT: 1 } });
    const submit = '2026-01-01T10:00:00';
    const read = await imported(
      'sacct',
      sacctLine({ ...IN_BERLIN, submit }),
      '--zone',
      'Europe/Berlin',
    );
    expect(read).toMatchObject({ ...NOTHING_REJECTED, summary: { ...COUNTS, unchanged: 1 } });
    const twice = sacctLine({ jobidraw: '2', end: '2026-10-25T02:30:00' });
    const autumn = await imported('sacct', twice, '--zone', 'Europe/Berlin');
    expect(autumn.summary['rejected']).toEqual({ TIME_AMBIGUOUS: 1 });
  },
  'Suspended jobs': async () => {
    await imported('sacct', sacctLine({ elapsed: '00:50:00' }));
    expect(await runsOf(test)).toMatchObject([
      { milli_gpus: 4000, facts: { suspended_ms: '600000' } },
    ]);
    const half = sacctLine({ jobidraw: '2', elapsed: '00:30:00' });
    expect((await imported('sacct', half)).summary['rejected']).toEqual({ TIME_ZONE_SUSPECT: 1 });
    expect(await imported('sacct', half, '--zone', 'UTC')).toMatchObject(NOTHING_REJECTED);
  },
  'A feed that died': async () => {
    await imported('sacct', sacctLine({}), '--covers', '2026-01-01,2026-01-06');
    const days = ['usage', '--start', '2026-01-01', '--end', '2026-01-08', '--step', 'day'];
    const { stdout } = await jobhours([...days, '-o', 'json']);
    const states = (JSON.parse(stdout) as { state: string }[]).map(({ state }) => state);
    expect(states).toEqual([...Array<string>(5).fill('complete'), 'incomplete', 'incomplete']);
    expect((await jobhours(days)).stdout).toContain('incomplete: hpc1 misses [2026-01-06');
  },
  'Compressed by gzip': async () => {
    const text = `\ufeff${HEADER}anna,vision,1,2,${HOUR}\n`.replaceAll('\n', '\r\n');
    expect((await imported('csv', gzipSync(text))).summary).toMatchObject({ ...COUNTS, new: 1 });
    const latin = Buffer.from(`${HEADER}andr\u00e9,vision,2,2,${HOUR}\n`, 'latin1');
    expect((await imported('csv', latin)).error).toMatch(/^ENCODING: .*iconv/);
    const zstd = Buffer.from('28b52ffd00', 'hex');
    expect((await imported('csv', zstd)).error).toMatch(/^ENCODING: .*zstd/);
  },
};

describe('What the books make of it', () => {
  it('has a proof for each sentence', () => {
    const section = sectionOf('### What the books make of it');
    const leads = [...section.matchAll(/^- \*\*(.*?)\*\*/gm)].map(([, lead]) => lead);
    expect(leads).toEqual(Object.keys(SENTENCES));
  });

  it.each(Object.entries(SENTENCES))('%s', (_, shows) => shows());
});
