/** The commands for corrections, as a person types them: what they print, refuse and wake. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { registerUser } from '../../client/commands/rename.js';
import { registerRun } from '../../client/commands/run.js';
import { registerSource } from '../../client/commands/source.js';
import { registerSpace } from '../../client/commands/space.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf } from '../support/imports.js';

let test: TestDatabase;
let folder: string;
let wakes = 0;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Europe/Berlin' });
  folder = await mkdtemp(join(tmpdir(), 'jobhours-corrections-'));
});
beforeEach(async () => {
  wakes = 0;
  await test.query(`
    delete from source_coverage; delete from former_name; delete from voided_record; delete from withheld_record; delete from run_confirmation;
    delete from run_history; delete from import_source; delete from run; delete from rejected_record;
    delete from import_batch`);
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true, force: true });
});

const wakeKeeper = (): Promise<string | null> => {
  wakes += 1;
  return Promise.resolve(null);
};
function run(...argv: string[]): Promise<CommandRun> {
  const register = {
    ...{ import: registerImport, run: registerRun },
    ...{ space: registerSpace, source: registerSource, user: registerUser },
  }[argv[0] ?? ''];
  if (register === undefined) throw new Error(`no command ${argv.join(' ')}`);
  return runCommand(test, register, argv, { wakeKeeper });
}

/** Imports rows `user,job,gpus,start,end`, times of 2026-01-01 in UTC. */
async function importFile(rows: readonly string[], ...flags: string[]): Promise<CommandRun> {
  const file = join(folder, 'jobs.csv');
  const lines = rows.map((row) => row.replaceAll(/(\d\d:\d\d)/g, '2026-01-01T$1:00Z'));
  await writeFile(file, ['user,job_id,gpus,start,end', ...lines].join('\n'));
  return run('import', 'csv', file, ...flags);
}

async function newestBatch(): Promise<string> {
  const [row] = await test.query<{ id: string }>('select max(id)::text as id from import_batch');
  return row?.id ?? '';
}
async function runNumber(job: string): Promise<string> {
  const [row] = await test.query<{ id: string }>('select id::text from run where job_id = $1', [
    job,
  ]);
  return row?.id ?? '';
}
const ROWS = ['anna,1,1,10:00,11:00', 'bob,2,2,10:00,'];

describe('jobhours import list, show and undo', () => {
  it('show what changed the books, who did it and why, and take it back', async () => {
    await importFile(ROWS);
    const batch = await newestBatch();
    wakes = 0;
    const undone = await run('import', 'undo', batch, '--reason', 'wrong file', '--actor', 'ops');
    expect(undone.stdout).toMatch(
      new RegExp(
        `^import ${batch} \\(import csv, .*jobs\\.csv\\) is undone, by import \\d+\\nruns: 2 removed$`,
      ),
    );
    expect(wakes).toBe(1);
    const { stdout } = await run('import', 'list', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject([
      { what: 'undo', actor: 'ops', reason: 'wrong file', undoes: batch, state: 'applied' },
      { batch, what: 'import csv', state: 'undone', changed: '2 new' },
    ]);
    const table = await run('import', 'list');
    expect(table.stdout).toMatch(/batch +when +who +what +subject +changed +state +reason/);
    expect(table.stdout).toContain(`undone by ${Number(batch) + 1}`);
    const shown = await run('import', 'show', batch);
    expect(shown.stdout).toContain(
      'source      csv: 2 runs, 2026-01-01T11:00+01:00 to 2026-01-01T12:00+01:00',
    );
    const [record] = JSON.parse(
      (await run('import', 'show', batch, '-o', 'json')).stdout,
    ) as Record<string, unknown>[];
    expect(record).toMatchObject({
      ...{ batch, rejects: 0, open_rejects: 0 },
      sources: 'csv 2026-01-01T10:00:00.000Z/2026-01-01T11:00:00.000Z 2 runs',
    });
  });

  it('want a reason and a number, and say so before anything is opened', async () => {
    expect((await run('import', 'undo', '1')).error).toMatch(/^USAGE: --reason is missing/);
    expect((await run('import', 'undo', 'x', '--reason', 'y')).error).toMatch(
      /^USAGE: "x" is not the number of an import/,
    );
    expect((await run('import', 'show', '77')).error).toBe(
      'NOT_FOUND: there is no import 77: see jobhours import list',
    );
    expect((await run('import', 'undo', '77', '--reason', ' ')).error).toMatch(/^FIELD_MISSING/);
  });

  it('list and dismiss rejected records', async () => {
    const partial = await importFile([...ROWS, 'eve,3,none,10:00,11:00'], '--partial');
    expect(partial.error).toMatch(/^RECORDS_REJECTED/);
    const batch = await newestBatch();
    const listed = await run('import', 'rejects', 'list', '--batch', batch, '-o', 'csv');
    expect(listed.stdout).toContain(`${batch},4,GPUS_INVALID,`);
    const place = `${batch}:4`;
    const dismissed = await run('import', 'rejects', 'dismiss', place, '--reason', 'a test');
    expect(dismissed.stdout).toMatch(/^1 reject dismissed, by import \d+$/);
    expect((await run('import', 'rejects', 'list')).stderr).toBe('no rejected record is open');
    expect((await run('import', 'rejects', 'list', '--all')).stdout).toContain('dismissed: a test');
    expect((await run('import', 'rejects', 'dismiss', place, '--reason', 'x')).error).toBe(
      `NOT_FOUND: there are no open rejects of import ${batch}, line 4`,
    );
  });
});

describe('jobhours run', () => {
  it('lists runs, open ones, those of a range and of a user', async () => {
    await importFile(ROWS);
    const jobs = async (...flags: string[]): Promise<string[]> => {
      const { stdout } = await run('run', 'list', '-o', 'json', ...flags);
      return (JSON.parse(stdout) as { job_id: string }[]).map((one) => one.job_id).sort();
    };
    expect(await jobs()).toEqual(['1', '2']);
    expect(await jobs('--open')).toEqual(['2']);
    expect(await jobs('--user', 'anna')).toEqual(['1']);
    expect(await jobs('--source', 'north')).toEqual([]);
    expect(await jobs('--start', '2026-01-01T12:30')).toEqual(['2']);
    expect(await jobs('--end', '2026-01-01T11:00')).toEqual([]);
    expect(await jobs('--limit', '1')).toHaveLength(1);
    expect((await run('run', 'list')).stdout).toMatch(/run +key +source +user .* ended\n/);
  });

  it('B22: finds a user whose name is typed in another normal form, overdue runs too', async () => {
    await importFile(['ren\u00e9e,1,1,08:00,', 'bob,2,1,12:00,13:00']);
    await importFile(['bob,3,1,14:00,15:00']);
    for (const flags of [[], ['--overdue']]) {
      const { stdout } = await run('run', 'list', '--user', 'rene\u0301e', '-o', 'json', ...flags);
      expect(JSON.parse(stdout)).toMatchObject([{ job_id: '1' }]);
    }
  });

  it('B28: shows what sources say in one line each, whatever a terminal would make of it', async () => {
    const evil = '\u001b[2Jx\nfact        state: FORGED\u202e\u009b';
    const shown = '\\u001b[2Jx\\u000afact        state: FORGED\\u202e\\u009b';
    const file = join(folder, 'evil.csv');
    const row = '2026-01-01T10:00:00Z,2026-01-01T11:00:00Z';
    const bad = `user,job_id,gpus,start,end,jobname\nanna,1,1,${row},"${evil}"\nbob,2,x,${row},y\n`;
    await writeFile(file, bad);
    await run('import', 'csv', file, '--partial');
    const batch = await newestBatch();
    await test.query('update import_batch set input_name = $1', [evil]);
    await test.query('update rejected_record set detail = $1', [evil]);
    await test.query('update run set record_key = $1', [evil]);
    const printed = [
      await run('run', 'show', await runNumber('1')),
      await run('run', 'list'),
      await run('import', 'list'),
      await run('import', 'show', batch),
      await run('import', 'rejects', 'list'),
      await run('import', 'undo', batch, '--reason', 'x'),
    ];
    for (const { stdout, stderr } of printed) {
      expect(stdout).toContain(shown);
      expect(stdout + stderr).not.toMatch(/[\u001b\u202e\u009b]|^fact        state/m);
    }
    expect(printed[0]?.stdout).toContain(`fact        jobname: ${shown}`);
  });

  it('corrects a run by hand, in the zone of the books, and shows who did it and what stood there', async () => {
    await importFile(ROWS);
    const id = await runNumber('2');
    const corrected = await run(
      ...['run', 'correct', '2/0', '--end', '2026-01-01T12:00', '--gpus', '0.5'],
      ...['--reason', 'the node died', '--actor', 'ops'],
    );
    expect(corrected.stdout).toMatch(
      new RegExp(`^run ${id} \\(2/0 of csv\\) is corrected, by import \\d+\n`),
    );
    const shown = await run('run', 'show', id);
    expect(shown.stdout).toContain(
      'now         bob, -, -, 0.5 GPUs, 2026-01-01T11:00+01:00 to 2026-01-01T12:00+01:00 (Europe/Berlin)',
    );
    expect(shown.stdout).toMatch(/by hand {5}import \d+: imports leave it alone/);
    expect(shown.stdout).toMatch(
      /corrected .* by import \d+, ops: the node died\n {2}before {4}bob, -, -, 2 GPUs, .* to running/,
    );
    const records = JSON.parse((await run('run', 'show', id, '-o', 'json')).stdout) as unknown;
    expect(records).toMatchObject([
      { gpus: '2', end: null, changed_by: 'ops', change_reason: 'the node died' },
      { gpus: '0.5', end: '2026-01-01T11:00:00.000Z', end_is_estimated: false, change: null },
    ]);
    expect((await run('run', 'show', id, '-o', 'csv')).stdout).toContain(',false,');
    expect((await importFile(ROWS)).stdout).toContain('1 corrected by hand and left so');
  });

  it('takes a job id when it is the run of one attempt only, and says whose run it was', async () => {
    await importFile(['anna,22222222-aaaa,2,10:00,11:00', 'bob,7x,1,10:00,11:00']);
    const file = join(folder, 'attempts.csv');
    const times = '2026-01-01T12:00:00Z,2026-01-01T13:00:00Z';
    const rows = ['user,job_id,attempt,gpus,start,end', `bob,7x,1,1,${times}`].join('\n');
    await writeFile(file, rows);
    await run('import', 'csv', file);
    const several = await run('run', 'show', '7x');
    expect(several.error).toMatch(
      /^USAGE: 7x is .*: number \d+ \(key 7x\/0 .*\); number \d+ \(key 7x\/1 .*: give '#NUMBER'/,
    );
    const id = await runNumber('22222222-aaaa');
    const voided = await run('run', 'void', '22222222-aaaa', '--reason', 'x');
    expect(voided.stdout.split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^run ${id} .* is voided, by import \\d+$`)),
      'it was anna, -, -, 2 GPUs, 2026-01-01T11:00+01:00 to 2026-01-01T12:00+01:00',
    ]);
    const batch = await newestBatch();
    const again = `RUN_VOIDED: run ${id} is voided already, by import ${batch}: jobhours import undo ${batch} --reason TEXT`;
    expect((await run('run', 'void', '22222222-aaaa', '--reason', 'x')).error).toBe(again);
    expect((await run('run', 'correct', id, '--gpus', '1', '--reason', 'x')).error).toBe(again);
    expect((await run('run', 'show', id)).stdout).toContain(
      `now         voided by import ${batch}; jobhours import undo ${batch} --reason TEXT`,
    );
  });

  it('notes names that no record has', async () => {
    await importFile(ROWS);
    const corrected = await run('run', 'correct', '1/0', '--user', 'herno', '--reason', 'x');
    expect(corrected.stderr).toContain('note: no record has the user "herno"\n');
    expect((await run('run', 'list', '--user', 'herno')).stderr).toBe('');
    const none = await run('run', 'list', '--user', 'hreno', '--source', 'csvv', '-o', 'csv');
    expect(none.stderr).toBe(
      'note: no record has the user "hreno"\nnote: no record has the source "csvv"',
    );
    const imported = await importFile(ROWS, '--source', 'nroth');
    expect(imported.stderr).toMatch(/^note: nroth is a new source; those before are csv/m);
    expect((await importFile(ROWS, '--source', 'nroth')).stderr).not.toContain('new source');
  });

  it('shows what happened to a run in order of time', async () => {
    await importFile(ROWS);
    await run('run', 'correct', '1/0', '--gpus', '3', '--reason', 'x');
    await run('import', 'undo', await newestBatch(), '--reason', 'y');
    await importFile(ROWS);
    const { stdout } = await run('run', 'show', '1/0');
    const events = stdout.match(/^(corrected|confirmed)/gm);
    expect(events).toEqual(['corrected', 'corrected', 'confirmed']);
  });

  it.each([
    [['--gpus', '1e3'], /^GPUS_INVALID: --gpus "1e3"/],
    [['--user', ''], /^USER_INVALID: --user ""/],
    [['--start', '2026-01-01T13:00'], /^TIME_ORDER/],
    [['--end', '2100-01-01'], /^TIME_FUTURE/],
    [['--end', 'later'], /^TIME_INVALID: --end "later"/],
    [[], /^USAGE: nothing to correct/],
  ])('refuses %j and changes nothing', async (flags, error) => {
    await importFile(ROWS);
    const words = ['run', 'correct', '1/0', ...flags, '--reason', 'x'];
    expect((await run(...words)).error).toMatch(error);
    expect(await countOf(test, 'run_history')).toBe(0);
    expect(await countOf(test, 'import_batch')).toBe(1);
  });

  it('voids a run; a key of two sources wants a number or --source', async () => {
    await importFile(ROWS);
    await importFile(ROWS, '--source', 'other');
    const ambiguous = await run('run', 'void', '1/0', '--reason', 'test');
    expect(ambiguous.error).toMatch(
      /^USAGE: 1\/0 is the number, the key or the job id of several runs: number \d+ \(key 1\/0 of csv, anna, started 2026-01-01T10:00:00.000Z\); number \d+ \(key 1\/0 of other, anna, .*\): give '#NUMBER', or the key with --source$/,
    );
    const voided = await run('run', 'void', '1/0', '--source', 'other', '--reason', 'test');
    expect(voided.stdout).toMatch(/^run \d+ \(1\/0 of other\) is voided, by import \d+\n/);
    expect(await countOf(test, 'run')).toBe(3);
    expect((await importFile(ROWS, '--source', 'other')).stdout).toContain('Set aside   VOIDED 1');
    const shown = await run('run', 'show', '1/0', '--source', 'other');
    expect(shown.stdout).toContain('now         voided by import ');
    expect((await run('run', 'show', 'nobody')).error).toMatch(/^NOT_FOUND/);
    expect((await run('run', 'void', '999999', '--reason', 'x')).error).toBe(
      'NOT_FOUND: no run has the number, the key or the job id 999999: see jobhours run list',
    );
  });

  it('refuses what is the number of one run and the key of another, and takes either when it is said', async () => {
    const keyed = ['--key', 'job_id', '--source', 'k'];
    await importFile(['anna,first,1,10:00,11:00'], ...keyed);
    const number = await runNumber('first');
    await importFile([`bob,${number},1,12:00,13:00`, 'eve,3,1,10:00,11:00'], ...keyed);
    const other = await runNumber(number);
    for (const verb of ['show', 'void', 'correct']) {
      const flags = {
        show: [],
        void: ['--reason', 'x'],
        correct: ['--gpus', '2', '--reason', 'x'],
      };
      const { error } = await run('run', verb, number, ...flags[verb as keyof typeof flags]);
      expect(error).toContain(
        `USAGE: ${number} is the number, the key or the job id of several runs: `,
      );
      expect(error).toContain(`number ${other} (key ${number} of k, bob, started 2026-01-01T12`);
      expect(error).toContain(`number ${number} (key first of k, anna, started 2026-01-01T10`);
    }
    const shown = async (...words: string[]): Promise<string> =>
      (await run('run', 'show', ...words)).stdout.split('\n')[0] ?? '';
    expect(await shown(number, '--source', 'k')).toContain(`${other}: ${number} of k`);
    expect(await shown(`#${number}`)).toContain(`${number}: first of k`);
    expect(await shown('first')).toContain(`${number}: first of k`);
    expect(await shown(other)).toContain(`${other}: ${number} of k`);
    // A run that was removed has its number still.
    await run('run', 'void', `#${number}`, '--reason', 'x');
    expect((await run('run', 'void', number, '--reason', 'x')).error).toMatch(/^USAGE/);
    expect((await run('run', 'show', `#${number}`, '--source', 'csv')).error).toMatch(/^NOT_FOUND/);
    expect(await shown(number, '--source', 'k')).toContain(`${other}: ${number} of k`);
  });
});

describe('jobhours import --close-unseen', () => {
  it('ends open runs that the import should have shown where they were seen last, as an act of its own', async () => {
    await importFile(['anna,1,1,08:00,', 'bob,2,2,08:30,', 'eve,3,1,09:00,10:00']);
    const later = ['anna,1,1,08:00,', 'eve,4,1,12:00,13:00'];
    expect((await importFile(later)).stderr).not.toContain('ended');
    const overdue = await run('run', 'list', '--overdue', '-o', 'json');
    expect(JSON.parse(overdue.stdout)).toMatchObject([
      { job_id: '2', overdue: 'unseen', overdue_since: '2026-01-01T10:00:00.000Z' },
    ]);
    const closing = await importFile(later, '--close-unseen');
    expect(closing.stderr).toMatch(
      /1 open run ended where last seen, because this import reaches beyond and does not show it, by import \d+:\n {2}run \d+ \(2\/0 of csv, bob\) ended 2026-01-01T11:00\+01:00, estimated/,
    );
    const [closed] = await test.query('select * from run where job_id = $1', ['2']);
    expect(closed).toMatchObject({
      ended_at_ms: String(Date.UTC(2026, 0, 1, 10)),
      ...{ reported_ended_at_ms: null, end_is_estimated: true },
    });
    const act = await newestBatch();
    const relied = await run('import', 'undo', String(Number(act) - 1), '--reason', 'x');
    expect(relied.error).toMatch(
      new RegExp(
        `^UNDO_CONFLICT: .* import ${act} \\(close-unseen\\) ended runs .* import undo ${act} `,
      ),
    );
    await run('import', 'undo', act, '--reason', 'it runs still');
    expect(await countOf(test, 'run where ended_at_ms is null')).toBe(2);
  });

  it('ends nothing that started after the latest start of the import, nor when records were rejected', async () => {
    await importFile(['anna,1,1,08:00,', 'bob,2,2,12:30,']);
    const bad = await importFile(
      ['eve,4,none,12:00,13:00', 'eve,5,1,12:00,13:00'],
      '--close-unseen',
      '--partial',
    );
    expect(bad.stderr).toContain('nothing was closed, because records were rejected');
    await importFile(['eve,6,1,12:00,13:00'], '--close-unseen');
    const open = await test.query('select job_id from run where ended_at_ms is null');
    expect(open).toEqual([{ job_id: '2' }]);
    const again = await importFile(['eve,6,1,12:00,13:00'], '--close-unseen');
    expect(again.stderr).toContain('every open run that should be in it is');
    expect(await countOf(test, "import_batch where act = 'close-unseen'")).toBe(1);
  });
});

describe('jobhours user rename', () => {
  it('renames, says how to take it back, and refuses a taken name with the way to merge', async () => {
    await importFile(ROWS);
    const renamed = await run('user', 'rename', 'anna', 'anna-b', '--reason', 'married');
    expect(renamed.stdout).toMatch(/^user anna is called anna-b now, by import \d+$/);
    expect(renamed.stderr).toMatch(/^take it back: jobhours import undo \d+ --reason TEXT\n/);
    const taken = await run('user', 'rename', 'anna-b', 'bob', '--reason', 'one person');
    expect(taken.error).toMatch(
      /^NAME_TAKEN: user bob is in the books already.*run correct ID --user bob/,
    );
    expect((await run('user', 'rename', 'x', 'y')).error).toMatch(/^USAGE: --reason is missing/);
  });
});

describe('jobhours space rename', () => {
  it.each([
    [['-', 'foo'], 'SPACE_INVALID: space "-" stands for no space'],
    [['s49', '-'], 'SPACE_INVALID: new name of space "-" stands for no space'],
    [['s49', ''], 'SPACE_INVALID: new name of space "": empty'],
    [['s49', 'a\u202eb'], 'SPACE_INVALID: new name of space "a\\u202eb": invisible character'],
  ])('refuses %j: - is no space, and other names are as in records', async (names, message) => {
    await importFile(ROWS, '--set', 'space=s49');
    await importFile(['anna,9,1,10:00,11:00']);
    const before = await test.query('select name from dim_space order by 1');
    const { error } = await run('space', 'rename', ...names, '--reason', 'x');
    expect(error).toContain(message);
    expect(await test.query('select name from dim_space order by 1')).toEqual(before);
  });
});

describe('jobhours source list', () => {
  it('names 20 gaps of a source, then says how many more there are', async () => {
    await importFile(ROWS);
    await test.query(
      `insert into source_coverage (source, from_at_ms, to_at_ms, batch)
       select s.id, 1704067200000 + n * 172800000::bigint, 1704153600000 + n * 172800000::bigint, b.id
       from source s, import_batch b, generate_series(0, 21) n where s.name = 'csv'`,
    );
    const { stdout } = await run('source', 'list');
    const lines = stdout.split('\n').filter((line) => line.startsWith('csv misses '));
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('csv misses 2 more');
  });
});

describe('demo books', () => {
  it('refuse every change by hand: DEMO_BOOKS', async () => {
    await importFile([...ROWS, 'eve,3,none,10:00,11:00'], '--partial');
    const batch = await newestBatch();
    await run('space', 'add', 'vision', 'anna');
    const counted = async (): Promise<unknown[]> =>
      test.query(`select (select count(*) from import_batch) as batches, (select count(*) from run) as runs,
        (select count(*) from membership) as members, (select max(name) from dim_user) as name`);
    const before = await counted();
    await test.query('update books set is_demo = true');
    try {
      for (const words of [
        ...[
          ['run', 'void', '1/0'],
          ['run', 'correct', '1/0', '--gpus', '2'],
        ],
        ...[
          ['user', 'rename', 'anna', 'zoe'],
          ['source', 'end', 'csv'],
        ],
        ...[
          ['import', 'undo', batch],
          ['import', 'rejects', 'dismiss', batch],
        ],
      ]) {
        expect([words, (await run(...words, '--reason', 'x')).error]).toEqual([
          words,
          expect.stringMatching(/^DEMO_BOOKS: .* changes by hand: stop the demo/),
        ]);
      }
      for (const verb of ['add', 'remove']) {
        const { error } = await run('space', verb, 'vision', 'anna', '--at', '2027-01-01');
        expect([verb, error]).toEqual([verb, expect.stringMatching(/^DEMO_BOOKS/)]);
      }
      expect(await counted()).toEqual(before);
    } finally {
      await test.query('update books set is_demo = false; delete from membership');
    }
  });
});

describe('--covers and source end', () => {
  it('say what was recorded as covered, also of an empty file', async () => {
    const january = ['--covers', '2026-01-01,2026-01-02'];
    const { stdout } = await importFile(ROWS, '--source', 'north', ...january);
    const said = '2026-01-01T00:00+01:00 to 2026-01-02T00:00+01:00';
    expect(stdout).toContain(`\nCovers      ${said} of north (Europe/Berlin)\n`);
    const empty = await importFile([], '--source', 'north', ...january, '-o', 'json');
    expect(JSON.parse(empty.stdout)).toMatchObject({
      records: 0,
      covers: {
        ...{ source: 'north', start: '2025-12-31T23:00:00.000Z', end: '2026-01-01T23:00:00.000Z' },
      },
    });
    expect(empty.stderr).toMatch(/^NOTE: 0 records in .*: it is recorded that there were none/);
    expect(empty.stderr).not.toContain('nothing was imported');
    const shown = await run('import', 'show', await newestBatch());
    expect(shown.stdout).toContain(`\ncovers      north: ${said}`);
    const none = await importFile(ROWS, '-o', 'json');
    expect(JSON.parse(none.stdout)).toMatchObject({ covers: null });
  });

  it('note what lies after the end of a source', async () => {
    await importFile(ROWS.slice(0, 1), '--source', 'north', '--covers', '2026-01-01,2026-01-02');
    const end = ['source', 'end', 'north', '--reason', 'x', '--at'];
    expect((await run(...end, '2026-01-01T11:30')).stderr.split('\n').slice(0, 2)).toEqual([
      'note: 1 run of north reaches beyond it, up to 2026-01-01T12:00+01:00, and counts as always',
      'note: its imports were declared to cover up to 2026-01-02T00:00+01:00',
    ]);
    expect((await run(...end, '2026-01-02')).stderr).toMatch(/^take it back/);
  });

  it('are plain in the csv of import list: no dash for nothing, no grouped digits', async () => {
    await importFile(ROWS);
    await importFile(ROWS);
    await test.query(
      `update import_batch set counts = jsonb_set(counts, '{new}', '1234567') where counts ->> 'new' = '2'`,
    );
    const { stdout } = await run('import', 'list', '-o', 'csv');
    const changed = stdout.split('\n').map((line) => line.split(',').at(-1));
    expect(changed).toEqual(['changed', '', '1234567 new']);
  });
});
