// `jobhours doctor` on real servers: silent on healthy books, and each kind of damage on its own line.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerDoctor, type DoctorContext } from '../../client/commands/doctor.js';
import type { CommandContext } from '../../client/commands/context.js';
import { examine, type CheckState, type Finding } from '../../client/doctor.js';
import {
  applySchedules,
  isShortPause,
  pauseSchedule,
  scheduleFaults,
} from '../../client/schedules.js';
import type { TemporalAddress } from '../../client/temporal.js';
import { Calendar } from '../../domain/calendar.js';
import { SCHEDULE_NAMES } from '../../domain/ids.js';
import { parseSettings, type Settings } from '../../domain/settings.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { deepCheck } from '../support/audits.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { OwnPostgres } from '../support/own-postgres.js';
import { aggregateAll, insertRuns, setOrigin } from '../support/runs.js';
import {
  openTemporalBooks,
  testTemporal,
  until,
  type TemporalBooks,
} from '../support/temporal-books.js';

const MINUTES = 60_000;
const ZONE = 'Asia/Kathmandu';
const calendar = Calendar.of(ZONE);
/** The longest grace: an hour that ends while the test runs is not due. */
const SETTINGS = parseSettings({ JOBHOURS_GRACE: '1h' });
/** What nobody can know without Temporal. */
const OF_TEMPORAL = ['temporal', 'retention', 'fairness', 'schedules', 'workers'];

let server: OwnPostgres;
beforeAll(async () => {
  server = await OwnPostgres.start();
}, MINUTES);
afterAll(() => server.close());

interface Looking {
  readonly settings?: Settings;
  readonly databaseUrl?: string;
  readonly temporal?: TemporalAddress;
  readonly ownNowMs?: () => number;
}

function lookAt(test: TestDatabase, looking: Looking = {}): Promise<Finding[]> {
  return examine({
    ...{ settings: SETTINGS, databaseUrl: test.url, temporal: undefined },
    ...{ programVersion: '0.1.0', ownNowMs: Date.now },
    ...looking,
  });
}

const named = (findings: readonly Finding[], state: CheckState): string[] =>
  findings.filter((one) => one.state === state).map(({ check }) => check);
const findingOf = (findings: readonly Finding[], check: string): Finding | undefined =>
  findings.find((one) => one.check === check);

function runDoctor(
  { url }: Pick<TestDatabase, 'url'>,
  argv: readonly string[],
  temporal: TemporalAddress | undefined = undefined,
): Promise<CommandRun> {
  const servers = { databaseUrl: url, isOwn: false, temporal, leave: () => Promise.resolve() };
  const withServers: DoctorContext['withServers'] = (work) => work(servers);
  const register = (program: Parameters<typeof registerDoctor>[0], context: CommandContext): void =>
    registerDoctor(program, { ...context, settings: SETTINGS, withServers });
  return runCommand({ url } as TestDatabase, register, ['doctor', ...argv]);
}

/** Three days of books that are as they should be; they begin with a local day. */
async function fill(test: TestDatabase): Promise<void> {
  const startAtMs = calendar.startOf('day', Date.now() - 3 * MS_PER_DAY);
  await setOrigin(test, startAtMs);
  const run = { user: 'jay', milliGpus: 1_000 };
  await insertRuns(test, [
    { ...run, key: 'a', startedAtMs: startAtMs + 1, endedAtMs: startAtMs + 30 * MS_PER_HOUR },
    { ...run, key: 'b', startedAtMs: startAtMs + 2, endedAtMs: null },
  ]);
  await test.query(`insert into import_batch (format, input_name, actor, started_at_ms, applied_at_ms)
    values ('csv', 'my runs.csv', 'ann', 1767225600000, 1767225600001)`);
  await test.query('update run set batch = (select id from import_batch)');
  await test.query(
    `insert into source_coverage (source, from_at_ms, to_at_ms, batch)
     select s.id, $1, $2, b.id from source s, import_batch b`,
    [startAtMs, Date.now() - MS_PER_HOUR],
  );
  await aggregateAll(test, calendar, { startAtMs, endAtMs: Date.now() });
  await deepCheck(test, calendar, { sample: 3, seed: 1 });
}

/** Done, and taken back. */
interface Damage {
  readonly check: string;
  readonly done: string;
  readonly undone: string;
  readonly detail: RegExp;
  readonly mend: RegExp;
}

const STRAY = `granularity = 'month' and label = 'stray'`;
const DAMAGES: readonly Damage[] = [
  {
    check: 'zone data',
    done: `insert into period (granularity, start_at_ms, end_at_ms, label, inputs_digest, digest, row_count, aggregated_at_ms)
      select 'month', origin_at_ms + 60000, origin_at_ms + 120000, 'stray', '\\x00', '\\x00', 0, 0 from books`,
    undone: `delete from period where ${STRAY}`,
    detail: /^1 of \d+ periods of the ledger are none of Asia\/Kathmandu .*, the first: month \[20/,
    mend: /^jobhours periods clean$/,
  },
  {
    check: 'coverage',
    done: 'insert into source_coverage (source, from_at_ms, to_at_ms, batch) select source, 1000, 2000, batch from source_coverage; update source_coverage set from_at_ms = from_at_ms + 3600000 where from_at_ms > 1000',
    undone:
      'delete from source_coverage where from_at_ms = 1000; update source_coverage set from_at_ms = from_at_ms - 3600000',
    detail: /^test misses \[20\d\d-\d\d-\d\dT00:00\+05:45, 20\d\d-\d\d-\d\dT01:00\+05:45\)$/,
    mend: /^jobhours import FORMAT FILE --source test --covers 20\S+T00:00\+05:45,20\S+T01:00\+05:45$/,
  },
  {
    check: 'coverage',
    done: 'create table kept as select * from source_coverage; update source_coverage set to_at_ms = from_at_ms + 3600000',
    undone: 'update source_coverage set to_at_ms = kept.to_at_ms from kept; drop table kept',
    detail: /^test misses \[20\S+T01:00\+05:45, 20\S+\)$/,
    mend: /^jobhours import FORMAT FILE --source test --covers 20\S+T01:00\+05:45,20\S+$/,
  },
  {
    check: 'overdue runs',
    done: `insert into run_detail (run, facts) select id, '{"timelimit": "01:00:00"}' from run where ended_at_ms is null`,
    undone: 'delete from run_detail',
    detail: /^1 open run should have ended, the oldest of jay, started 20/,
    mend: /^jobhours run list --overdue$/,
  },
  {
    check: 'rejects',
    done: `insert into rejected_record (batch, line, code, detail, record, at_ms) select id, 1, 'X', 'x', 'x', 1 from import_batch`,
    undone: 'delete from rejected_record',
    detail: /^1 rejected record of 1 import, the first is import 1: /,
    mend: /^jobhours import rejects list$/,
  },
  {
    check: 'audit',
    done: 'update audit set periods_wrong = 2',
    undone: 'update audit set periods_wrong = 0',
    detail: /^an audit found 2 periods that the runs say otherwise$/,
    mend: /^jobhours periods check --deep$/,
  },
  {
    check: 'audit',
    done: 'update audit set began_at_ms = began_at_ms - 259200000, ended_at_ms = ended_at_ms - 259200000',
    undone:
      'update audit set ended_at_ms = ended_at_ms + 259200000, began_at_ms = began_at_ms + 259200000',
    detail: /more than 2 days ago$/,
    mend: /^jobhours periods check --deep --sample 25$/,
  },
  {
    check: 'periods',
    done: `create table kept as select * from period where granularity = 'hour' order by start_at_ms limit 1;
      delete from period where (granularity, start_at_ms) in (select granularity, start_at_ms from kept)`,
    undone: 'insert into period select * from kept; drop table kept',
    detail: /\b1 missing\b.* of \d+ periods$/,
    mend: /^jobhours (backfill create --start|schedule trigger usage-month)/,
  },
  {
    check: 'imports',
    done: 'update import_batch set applied_at_ms = null, runs = 20, applied_runs = 10',
    undone: 'update import_batch set applied_at_ms = started_at_ms',
    detail: /^import 1 \(my runs.csv, begun 2026-01-01T.*\) has applied 10 of its 20 runs$/,
    mend: /^the command that began it finishes it, jobhours import undo 1 takes it back$/,
  },
  {
    check: 'backfills',
    done: `insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms)
      select 'spring', origin_at_ms, origin_at_ms + 3600000, 1, 'missing', opened_at_ms - 90000000, opened_at_ms - 90000000 from books`,
    undone: 'delete from backfill',
    detail: /^spring is paused since 20/,
    mend: /^jobhours backfill unpause spring$/,
  },
  {
    check: 'backfills',
    done: `insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms)
      select 'it''s', origin_at_ms, origin_at_ms + 3600000, 1, 'missing', opened_at_ms - 259200000 from books`,
    undone: 'delete from backfill',
    detail: /^it's is open since 20/,
    mend: /^jobhours backfill show 'it'\\''s'$/,
  },
];

describe('jobhours doctor without Temporal', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await server.createDatabase('books');
    await openTestBooks(test, { zone: ZONE });
    await fill(test);
  }, MINUTES);
  afterAll(() => test.close());

  it('says that all is well with healthy books, and what it does not know', async () => {
    const findings = await lookAt(test);
    expect(findings.filter(({ state }) => state === 'wrong')).toEqual([]);
    expect(named(findings, 'not known')).toEqual(OF_TEMPORAL);
    const temporal = findings.filter(({ check }) => OF_TEMPORAL.includes(check));
    for (const { detail } of temporal) expect(detail).toMatch(/^no Temporal/);
    expect(findings.filter(({ mend }) => mend !== '')).toEqual([]);
  });

  it('ends with status 0 and prints one line for each check, in every format', async () => {
    const findings = await lookAt(test);
    const checks = findings.map(({ check }) => check);
    const table = await runDoctor(test, []);
    expect(table).toMatchObject({ exitCode: 0, error: null });
    expect(table.stdout.split('\n').length).toBe(checks.length + 1);
    expect(table.stderr).toBe(`${checks.length} checks: 0 wrong, 5 not known`);
    const json = JSON.parse((await runDoctor(test, ['-o', 'json'])).stdout) as Finding[];
    expect(json.map(({ check }) => check)).toEqual(checks);
    expect(json[0]).toMatchObject({ check: 'node', state: 'ok', mend: null });
    const csv = (await runDoctor(test, ['-o', 'csv'])).stdout.split('\n');
    expect(csv[0]).toBe('check,state,detail,mend');
    expect(csv.length).toBe(checks.length + 1);
  });

  it.each(DAMAGES.map((damage) => [damage.check, damage.detail, damage] as const))(
    'finds what is wrong with %s (%s), there and nowhere else',
    async (check, detail, { done, undone, mend }) => {
      await test.query(done);
      try {
        const findings = await lookAt(test);
        expect(named(findings, 'wrong')).toEqual([check]);
        expect(findingOf(findings, check)).toMatchObject({
          detail: expect.stringMatching(detail) as unknown,
          mend: expect.stringMatching(mend) as unknown,
        });
        const run = await runDoctor(test, []);
        expect(run).toMatchObject({ exitCode: 5, error: null });
        expect(run.stderr).toMatch(/: 1 wrong, 5 not known$/);
      } finally {
        await test.query(undone);
      }
      expect(named(await lookAt(test), 'wrong')).toEqual([]);
    },
  );

  it('calls no pause of less than a day wrong, and no hole that the keeper is just mending', async () => {
    await test.query(`insert into backfill (name, start_at_ms, end_at_ms, lanes, reprocess, created_at_ms, paused_at_ms)
      select 'spring', origin_at_ms - 7200000, origin_at_ms - 3600000, 1, 'missing', opened_at_ms, opened_at_ms from books`);
    await test.query(`create table kept as select * from period where granularity = 'hour' order by start_at_ms limit 1;
      delete from period where (granularity, start_at_ms) in (select granularity, start_at_ms from kept)`);
    const applied = (atMs: number): Promise<unknown> =>
      test.query('update import_batch set applied_at_ms = $1', [atMs]);
    await applied(Date.now() - MINUTES);
    const findings = await lookAt(test);
    await applied(Date.now() - 61 * MINUTES);
    const later = await lookAt(test);
    await test.query('update import_batch set applied_at_ms = 1; delete from backfill');
    await test.query('insert into period select * from kept; drop table kept');
    expect(named(findings, 'wrong')).toEqual([]);
    expect(findingOf(findings, 'backfills')?.detail).toBe(
      '0 at work, 1 paused for less than a day',
    );
    expect(findingOf(findings, 'periods')?.detail).toMatch(
      /1 missing.* of \d+ periods: the keeper is at them$/,
    );
    expect(named(later, 'wrong')).toEqual(['periods']);
  });

  it('changes nothing: no row is written', async () => {
    const tables = await test.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
    );
    const rows = async (): Promise<Record<string, unknown>> => {
      const found: Record<string, unknown> = {};
      for (const { name } of tables) {
        // A row that is written again, with the same values too, has another xmin.
        found[name] = await test.query(
          `select t.xmin::text as written_by, t::text as content from ${name} t order by 2`,
        );
      }
      return found;
    };
    expect(tables.length).toBeGreaterThan(20);
    const before = await rows();
    await lookAt(test);
    expect(await rows()).toEqual(before);
  });

  it('tells an import that may run still from one that was interrupted', async () => {
    await test.query(
      'update import_batch set applied_at_ms = null, applied_runs = 1, started_at_ms = $1',
      [Date.now() - MINUTES],
    );
    const finding = findingOf(await lookAt(test), 'imports');
    await test.query('update import_batch set applied_at_ms = 1, started_at_ms = 1767225600000');
    expect(finding).toMatchObject({ state: 'not known', mend: '' });
  });

  it('says that periods are being built while somebody builds one, and how to begin while nobody does', async () => {
    const builder = await test.connect();
    const [first] = await test.query<{ minute: string }>(
      `select (min(start_at_ms) / 60000)::text as minute from period where granularity = 'hour'`,
    );
    await test.query('create table kept as select * from usage_change');
    await test.query('insert into usage_change (minute) select $1::bigint + 60', [first?.minute]);
    try {
      // Nothing was changed for long: the keeper had its time.
      const idle = findingOf(await lookAt(test), 'periods');
      expect(idle).toMatchObject({
        state: 'wrong',
        detail: expect.stringMatching(/^\d+ stale/) as unknown,
        mend: 'jobhours schedule trigger usage-month',
      });
      await builder.query('begin');
      await builder.query('select pg_advisory_xact_lock($1, $2)', [7_410_001, first?.minute]);
      const building = findingOf(await lookAt(test), 'periods');
      expect(building?.state).toBe('wrong');
      await builder.query('rollback; begin');
      await builder.query('select pg_advisory_xact_lock($1, $2)', [
        7_410_001,
        Number(first?.minute) + 60,
      ]);
      expect(findingOf(await lookAt(test), 'periods')).toMatchObject({
        state: 'ok',
        detail: expect.stringMatching(/1 building.*: the keeper is at them$/) as unknown,
      });
    } finally {
      await builder.query('rollback');
      await test.query('delete from usage_change where minute not in (select minute from kept)');
      await test.query('drop table kept');
    }
    expect(named(await lookAt(test), 'wrong')).toEqual([]);
  });

  it('F20: finds a clock that is more than a minute wrong', async () => {
    const findings = await lookAt(test, { ownNowMs: () => Date.now() - 2 * MINUTES });
    expect(named(findings, 'wrong')).toEqual(['clock']);
    expect(findingOf(findings, 'clock')?.detail).toMatch(/^this machine is 1[12]\d s behind the/);
  });

  it('finds settings that are for other books', async () => {
    const settings = parseSettings({ JOBHOURS_ZONE: 'UTC', JOBHOURS_GRACE: '1h' });
    const findings = await lookAt(test, { settings });
    expect(named(findings, 'wrong')).toEqual(['books']);
    expect(findingOf(findings, 'books')?.detail).toMatch(/^BOOKS_MISMATCH: .*zone is Asia/);
  });

  it('knows nothing of books whose schema is older, and names the command', async () => {
    await test.query(`create table kept as select * from schema_migration order by id desc limit 1;
      delete from schema_migration where id in (select id from kept)`);
    const findings = await lookAt(test);
    await test.query('insert into schema_migration select * from kept; drop table kept');
    expect(named(findings, 'wrong')).toEqual(['schema']);
    expect(findingOf(findings, 'schema')?.mend).toBe('jobhours db migrate');
    expect(named(findings, 'not known')).toEqual(
      expect.arrayContaining(['books', 'zone data', 'periods', 'audit']),
    );
  });

  it('says that a PostgreSQL which does not answer is wrong, and of what needs it nothing', async () => {
    const away = { url: 'postgres://jay:secret@127.0.0.1:1/books' };
    const findings = await lookAt(test, { databaseUrl: away.url });
    expect(named(findings, 'wrong')).toEqual(['postgresql']);
    expect(named(findings, 'ok')).toEqual(['node']);
    expect(JSON.stringify(findings)).not.toContain('secret');
    expect(await runDoctor(away, [])).toMatchObject({ exitCode: 5, error: null });
  });
});

describe('jobhours doctor on a server that may lose commits', () => {
  it('F4: names each setting and why, and asks for books where there are none', async () => {
    const test = await createTestDatabase();
    try {
      const findings = await lookAt(test);
      expect(named(findings, 'wrong')).toEqual(['durability', 'books']);
      const { detail, mend } = findingOf(findings, 'durability') ?? {};
      for (const name of ['fsync', 'full_page_writes', 'synchronous_commit']) {
        expect(detail).toContain(`${name} is off: a crash`);
        expect(mend).toContain(`-c 'alter system set ${name} = on'`);
      }
    } finally {
      await test.close();
    }
  });
});

describe('jobhours doctor with Temporal', () => {
  let books: TemporalBooks;
  const look = (): Promise<Finding[]> => lookAt(books.test, { temporal: testTemporal() });
  beforeAll(async () => {
    books = await openTemporalBooks(ZONE, { test: await server.createDatabase('worked') });
    await fill(books.test);
  }, MINUTES);
  afterAll(async () => {
    for (const name of SCHEDULE_NAMES) {
      await books.temporal.client.schedule.getHandle(books.names.schedule(name)).delete();
    }
    await books.close();
  });

  it('finds schedules that are missing, changed or paused, and that no worker polls', async () => {
    const before = await look();
    expect(named(before, 'wrong')).toEqual(['schedules', 'workers']);
    expect(findingOf(before, 'schedules')?.detail.match(/ is missing/g)?.length).toBe(5);
    expect(findingOf(before, 'schedules')?.mend).toBe('jobhours schedule apply');
    expect(findingOf(before, 'workers')?.mend).toBe('jobhours worker');
    const wanted = { ...books, settings: SETTINGS };
    await applySchedules(books.temporal, {
      ...wanted,
      settings: { ...SETTINGS, graceMs: 2 * MINUTES },
    });
    expect(findingOf(await look(), 'schedules')).toMatchObject({
      detail: expect.stringMatching(/\/usage-hour is not as this version /) as unknown,
      mend: 'jobhours schedule apply',
    });
    await applySchedules(books.temporal, wanted);
    expect(named(await look(), 'wrong')).toEqual(['workers']);
    await pauseSchedule(books.temporal, books.books.name, 'day', 'maintenance');
    expect(findingOf(await look(), 'schedules')).toMatchObject({
      state: 'ok',
      detail: `${books.names.schedule('day')} is paused (maintenance), not for long`,
    });
    const [fault] = await scheduleFaults(books.temporal, wanted);
    expect(fault).toMatchObject({ is: 'paused', everyMs: MS_PER_HOUR });
    if (fault === undefined) throw new Error('no fault');
    expect(Math.abs(fault.lastAtMs - Date.now())).toBeLessThan(10 * MINUTES);
    expect(isShortPause(fault, fault.lastAtMs + MS_PER_DAY)).toBe(true);
    expect(isShortPause(fault, fault.lastAtMs + 2 * MS_PER_DAY)).toBe(false);
    await books.temporal.client.schedule.getHandle(books.names.schedule('day')).unpause();
  });

  it('says that all is well once a worker polls', async () => {
    await books.work();
    await until('the worker is seen', async () => named(await look(), 'wrong').length === 0);
    const findings = await look();
    expect(named(findings, 'ok')).toEqual(findings.map(({ check }) => check));
    expect(await runDoctor(books.test, [], testTemporal())).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/ 0 wrong, 0 not known$/) as unknown,
    });
  });

  it('finds a namespace that forgets within a day', async () => {
    const namespace = `${books.books.name}-short`;
    const { workflowService } = books.temporal.client;
    await workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 3_600 as never },
    });
    const temporal = { ...testTemporal(), namespace };
    expect(findingOf(await lookAt(books.test, { temporal }), 'retention')).toMatchObject({
      state: 'wrong',
      mend: expect.stringContaining(`--namespace ${namespace} --retention 7d`) as unknown,
    });
  });

  it('says that a Temporal which does not answer is wrong, and of what needs it nothing', async () => {
    const temporal = { address: '127.0.0.1:1', namespace: 'default' };
    const findings = await lookAt(books.test, { temporal });
    expect(named(findings, 'wrong')).toEqual(['temporal']);
    expect(findingOf(findings, 'temporal')?.detail).toMatch(/^TEMPORAL_MISSING: /);
    expect(named(findings, 'not known')).toEqual(OF_TEMPORAL.slice(1));
  });
});
