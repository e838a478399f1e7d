/** Keys: what the same key means in one input, in another one, and for a stored run (DESIGN section 5). */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { countOf, csv, importText, runsOf, sacct, sacctLine } from '../support/imports.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
});
beforeEach(async () => {
  await test.query('delete from run_history');
  await test.query('delete from run');
  await test.query('delete from rejected_record');
  await test.query('delete from usage_change');
});
afterAll(() => test.close());

const HEADER = 'user,space,pool,job_id,attempt,gpus,submit,start,end\n';

/** A row of canonical columns: job, then what differs from an ordinary one. */
function row(
  job: string,
  {
    user = 'anna',
    space = 'lab',
    pool = 'a100',
    gpus = '1',
    start = '10:00:00',
    end = '11:00:00',
  } = {},
): string {
  const at = (time: string): string => (time === '' ? '' : `2026-01-01T${time}Z`);
  return `${user},${space},${pool},${job},,${gpus},,${at(start)},${at(end)}\n`;
}

const rows = (...lines: string[]): string => HEADER + lines.join('');
const history = (): Promise<
  { change: string; former: Record<string, unknown>; actor: string; reason: string }[]
> => test.query('select change, former, actor, reason from run_history order by id');
const marks = (): Promise<number> => countOf(test, 'usage_change');

describe('the same key twice in one input', () => {
  it('counts once when the content is the same, and says how often it was repeated', async () => {
    const { summary } = await importText(test, csv(), rows(row('1'), row('2'), row('1'), row('1')));
    expect(summary).toMatchObject({ records: 4, runs: 2, new: 2, repeated: 2, rejected: {} });
  });

  it('is KEY_DUPLICATE on all its lines when the content differs, in any field', async () => {
    const text = rows(
      ...[
        row('1'),
        row('1', { user: 'bob' }),
        row('2'),
        row('2', { space: 'x' }),
        row('3'),
        row('3', { pool: 'x' }),
      ],
      ...[
        row('4'),
        row('4', { gpus: '2' }),
        row('5'),
        row('5', { start: '10:00:01' }),
        row('6'),
        row('6', { end: '' }),
      ],
      row('7'),
    );
    const { summary, rejects } = await importText(test, csv(), text);
    expect(summary).toMatchObject({ runs: 1, batch: null, rejected: { KEY_DUPLICATE: 12 } });
    expect(rejects[0]).toMatchObject({
      line: 2,
      code: 'KEY_DUPLICATE',
      detail: 'key 1/0 of source csv stands 2 times with different content, lines 2, 3',
      record: row('1').trim(),
    });
    expect(await countOf(test, 'run')).toBe(0);
  });

  it('is two records in two sources and for two attempts', async () => {
    await importText(test, csv(), rows(row('1')));
    await importText(test, csv({ source: 'other' }), rows(row('1')));
    const { summary } = await importText(
      test,
      csv(),
      `user,gpus,job_id,attempt,start,end\nanna,1,1,1,2026-01-01T10:00:00Z,2026-01-01T11:00:00Z\n`,
    );
    expect(summary).toMatchObject({ new: 1 });
    expect(await countOf(test, 'run')).toBe(3);
  });
});

describe('rejected records', () => {
  const bad = rows(row('1'), row('2', { gpus: 'x' }), row('3', { end: '09:00:00' }), row('4'));

  it('keep everything out without --partial: no run, no name, no import (B35)', async () => {
    const batches = await countOf(test, 'import_batch');
    const { summary } = await importText(test, csv(), bad.replaceAll('anna', 'nobody-yet'));
    expect(summary).toMatchObject({ batch: null, rejected: { GPUS_INVALID: 1, TIME_ORDER: 1 } });
    expect(await countOf(test, 'run')).toBe(0);
    expect(await countOf(test, 'rejected_record')).toBe(0);
    expect(await countOf(test, "dim_user where name = 'nobody-yet'")).toBe(0);
    expect(await countOf(test, 'import_batch')).toBe(batches);
  });

  it('are kept with line, code, reason and text when the others are applied by --partial (G7, B35)', async () => {
    const { summary } = await importText(test, csv(), bad, { partial: true });
    expect(summary).toMatchObject({ new: 2, rejected: { GPUS_INVALID: 1, TIME_ORDER: 1 } });
    const kept = await test.query(
      'select line::int, code, record, batch::text from rejected_record order by line',
    );
    expect(kept).toEqual([
      {
        line: 3,
        code: 'GPUS_INVALID',
        record: row('2', { gpus: 'x' }).trim(),
        batch: summary.batch,
      },
      {
        line: 4,
        code: 'TIME_ORDER',
        record: row('3', { end: '09:00:00' }).trim(),
        batch: summary.batch,
      },
    ]);
    const [batch] = await test.query<{ counts: unknown; actor: string }>(
      'select counts, actor from import_batch where applied_at_ms is not null order by id desc limit 1',
    );
    expect(batch).toMatchObject({ actor: 'tester', counts: summary });
  });

  it('are shown up to 20 and all given to the writer of --rejects', async () => {
    const many = rows(
      ...Array.from({ length: 2500 }, (_, index) => row(String(index), { gpus: 'x' })),
    );
    const lines: number[] = [];
    const { summary, rejects } = await importText(test, csv(), many, {
      writeRejects: async (pages) => {
        for await (const page of pages) lines.push(...page.map(({ line }) => line));
      },
    });
    expect(rejects.map(({ line }) => line)).toEqual(
      Array.from({ length: 20 }, (_, index) => index + 2),
    );
    expect(lines).toEqual(Array.from({ length: 2500 }, (_, index) => index + 2));
    expect(summary.rejected).toEqual({ GPUS_INVALID: 2500 });
  });
});

describe('a stored run', () => {
  it('is not touched by the same record again: nothing written, no marks (G5)', async () => {
    const text = rows(row('1'), row('2', { end: '' }), row('3'));
    await importText(test, csv(), text);
    const before = await test.query('select *, xmin::text from run order by id');
    await test.query('delete from usage_change');
    const { summary } = await importText(test, csv(), text);
    expect(summary).toMatchObject({ new: 0, corrected: 0, ended: 0, unchanged: 3 });
    expect(await test.query('select *, xmin::text from run order by id')).toEqual(before);
    expect(await marks()).toBe(0);
    expect(await history()).toEqual([]);
  });

  it('is corrected by other content; its former values are kept and the numbers told', async () => {
    await importText(test, csv(), rows(row('1'), row('2'), row('3'), row('4')));
    const changed = rows(
      row('1', { user: 'bob' }),
      row('2', { gpus: '2', space: 'x' }),
      row('3', { end: '10:30:00' }),
      row('4'),
    );
    const { summary } = await importText(test, csv(), changed);
    expect(summary).toMatchObject({
      ...{ new: 0, corrected: 3, ended: 0, unchanged: 1 },
      correctedFields: { user: 1, space: 1, gpus: 1, end: 1 },
    });
    expect(
      (await runsOf(test)).map((run) => [run['user'], run['space'], run['milli_gpus']]),
    ).toEqual([
      ['bob', 'lab', 1000],
      ['anna', 'x', 2000],
      ['anna', 'lab', 1000],
      ['anna', 'lab', 1000],
    ]);
    const kept = await history();
    expect(kept.map(({ change, actor, reason }) => `${change} ${actor} ${reason}`)).toEqual(
      Array.from({ length: 3 }, () => 'corrected tester import of test'),
    );
    expect(kept[2]?.former).toMatchObject({
      record_key: '3/0',
      ended_at_ms: Date.UTC(2026, 0, 1, 11),
      reported_ended_at_ms: Date.UTC(2026, 0, 1, 11),
    });
  });

  it('that was running ends; a record without an end never opens it again, unless --reopen', async () => {
    const open = rows(row('1', { end: '' }));
    await importText(test, csv(), open);
    const ended = await importText(test, csv(), rows(row('1')));
    expect(ended.summary).toMatchObject({ ended: 1, corrected: 0, unchanged: 0 });
    const late = await importText(test, csv(), open);
    expect(late.summary).toMatchObject({ kept: 1, unchanged: 0, corrected: 0 });
    expect((await runsOf(test))[0]).toMatchObject({
      ended_at_ms: String(Date.UTC(2026, 0, 1, 11)),
    });
    const reopened = await importText(test, csv(), open, { reopen: true });
    expect(reopened.summary).toMatchObject({ corrected: 1, kept: 0, correctedFields: { end: 1 } });
    expect((await runsOf(test))[0]).toMatchObject({ ended_at_ms: null });
    expect((await history()).map(({ change }) => change)).toEqual(['ended', 'corrected']);
  });

  it('with an assumed end takes the reported one, and not the other way round', async () => {
    const assumed = csv({ missingEnd: Date.UTC(2026, 0, 1, 12) });
    await importText(test, assumed, rows(row('1', { end: '' })));
    expect((await runsOf(test))[0]).toMatchObject({
      end_is_estimated: true,
      reported_ended_at_ms: null,
    });
    await importText(test, csv(), rows(row('1')));
    const again = await importText(test, assumed, rows(row('1', { end: '' })));
    expect(again.summary).toMatchObject({ kept: 1 });
    expect((await runsOf(test))[0]).toMatchObject({
      end_is_estimated: false,
      ended_at_ms: String(Date.UTC(2026, 0, 1, 11)),
    });
  });

  it('is not given to another user with another start: KEY_REUSED', async () => {
    await importText(test, csv(), rows(row('1'), row('2'), row('3')));
    const reused = rows(
      row('1', { user: 'bob', start: '10:30:00' }),
      row('2', { user: 'bob' }),
      row('3', { start: '10:30:00' }),
    );
    const refused = await importText(test, csv(), reused);
    expect(refused.summary).toMatchObject({ batch: null, rejected: { KEY_REUSED: 1 } });
    expect(refused.rejects[0]).toMatchObject({
      line: 2,
      detail:
        'key 1/0 of source csv is known for another user and another start than bob: another job? give --key',
    });
    const { summary } = await importText(test, csv(), reused, { partial: true });
    expect(summary).toMatchObject({ corrected: 2, rejected: { KEY_REUSED: 1 } });
  });

  it('has the newest facts of its source, without marks when only they changed', async () => {
    const running = { end: 'Unknown', state: 'RUNNING' };
    await importText(test, sacct, sacctLine({ ...running, elapsed: '01:00:00' }));
    await test.query('delete from usage_change');
    const { summary } = await importText(
      test,
      sacct,
      sacctLine({ ...running, elapsed: '02:00:00' }),
    );
    expect(summary).toMatchObject({ unchanged: 1 });
    expect((await runsOf(test))[0]).toMatchObject({ facts: { elapsed: '02:00:00' } });
    expect(await marks()).toBe(0);
    await importText(test, sacct, sacctLine({ elapsed: '00:59:59' }));
    await importText(test, sacct, sacctLine({ ...running, elapsed: '02:00:00' }));
    expect((await runsOf(test))[0]).toMatchObject({
      facts: { elapsed: '00:59:59', state: 'COMPLETED' },
    });
  });

  it('that was requeued by Slurm is another record, because it was submitted again', async () => {
    const first = sacctLine({ jobidraw: '9', state: 'NODE_FAIL' });
    const second = sacctLine({
      jobidraw: '9',
      submit: '2026-01-01T11:00:30',
      start: '2026-01-01T11:01:00',
      end: '2026-01-01T12:00:00',
    });
    const { summary } = await importText(test, sacct, `${first}\n${second}\n`);
    expect(summary).toMatchObject({ new: 2, rejected: {} });
  });
});
