// What a worker's log looks like, and what never stands in it.
import { describe, expect, it } from '@jest/globals';
import { Database } from '../../db/database.js';
import { readBooks } from '../../db/books-store.js';
import { logWriter, passwordsOf, type LogFormat } from '../../workers/log.js';

type Entry = Parameters<ReturnType<typeof logWriter>>[0];

const entry = (level: Entry['level'], message: string, meta?: Entry['meta']): Entry => ({
  ...{ level, message, timestampNanos: 0n },
  ...(meta === undefined ? {} : { meta }),
});

/** The lines that entries become. */
function written(
  format: LogFormat,
  entries: readonly Entry[],
  secrets: readonly string[] = [],
): string[] {
  const lines: string[] = [];
  const stream = { write: (line: string): void => void lines.push(line) };
  const write = logWriter({ level: 'info', format, secrets }, stream);
  for (const one of entries) write(one);
  return lines;
}

describe('the log of a worker as JSON lines', () => {
  it('has level, time, message and the fields, one object a line', () => {
    const meta = { workflowId: 'usage/keeper', label: '2026-01', rowsWritten: 3 };
    const [line, ...more] = written('lines', [entry('INFO', 'month 2026-01 built', meta)]);
    expect(more).toEqual([]);
    expect(line?.endsWith('}\n')).toBe(true);
    const { time, ...fields } = JSON.parse(line ?? '') as Record<string, unknown>;
    expect(fields).toEqual({ level: 30, msg: 'month 2026-01 built', ...meta });
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('repeats a warning: machines count them', () => {
    expect(written('lines', [entry('WARN', 'a'), entry('WARN', 'a')])).toHaveLength(2);
  });

  it('has an error with its type, message and stack', () => {
    const [line = ''] = written('lines', [
      entry('ERROR', 'it broke', { error: new RangeError('x') }),
    ]);
    const { err } = JSON.parse(line) as { err: Record<string, unknown> };
    expect(err).toMatchObject({ type: 'RangeError', message: 'x' });
    expect(err['stack']).toContain('log.test');
  });
});

describe('the log of a worker as sentences', () => {
  it('is one plain line for each entry, without fields', () => {
    expect(
      written('sentences', [
        entry('WARN', '48 hours are missing; jobhours backfill create', { code: 'BEYOND_REACH' }),
        entry('ERROR', 'it broke', { error: new Error('the cable\nis cut') }),
        entry('ERROR', 'not built: the disk is full', { error: new Error('the disk is full') }),
        entry('INFO', 'hour 2026-01-31T15:00Z built', { rowsWritten: 1 }),
      ]),
    ).toEqual([
      'warning: 48 hours are missing; jobhours backfill create\n',
      'error: it broke: the cable is cut\n',
      'error: not built: the disk is full\n',
      'info: hour 2026-01-31T15:00Z built\n',
    ]);
  });

  it('tells the same warning once, and again when it changed; other lines as often as they come', () => {
    const texts = ['48 hours', '48 hours', '47 hours', '48 hours'];
    const lines = written('sentences', [
      ...texts.map((text) => entry('WARN', text)),
      entry('INFO', 'built'),
      entry('INFO', 'built'),
    ]);
    const warnings = ['warning: 48 hours\n', 'warning: 47 hours\n'];
    expect(lines).toEqual([...warnings, 'info: built\n', 'info: built\n']);
  });

  it('forgets what it told before it remembers without end', () => {
    const many = Array.from({ length: 1_001 }, (_, n) => entry('WARN', `warning ${n}`));
    const lines = written('sentences', [...many, entry('WARN', 'warning 0')]);
    expect(lines).toHaveLength(1_002);
  });
});

describe('a secret in the log', () => {
  const canary = 'c4nary"%/in a\\mine';
  const url = `postgres://keeper:${encodeURIComponent(canary)}@127.0.0.1:1/books`;
  const secrets = passwordsOf(url);
  /** The canary as it is, as it stands in a URL, and as JSON writes it. */
  const forms = [canary, encodeURIComponent(canary), JSON.stringify(canary).slice(1, -1)];

  it('is taken from a database URL as it is written and as it is meant', () => {
    expect(secrets).toEqual([encodeURIComponent(canary), canary]);
    expect(passwordsOf('postgres://keeper@127.0.0.1/books')).toEqual([]);
    expect(passwordsOf('postgres://127.0.0.1/a:b@c')).toEqual([]);
    expect(passwordsOf('postgres://keeper:50%@127.0.0.1/books')).toEqual(['50%']);
  });

  it.each(['lines', 'sentences'] as const)('is masked wherever it could stand, in %s', (format) => {
    const broken = new TypeError('Invalid URL');
    Object.assign(broken, { input: url, deep: { password: canary } });
    const entries = [
      entry('WARN', `cannot connect to ${url}`),
      entry('ERROR', `the password was ${canary}`, { error: broken }),
      entry('ERROR', 'it broke', { error: new Error(`at ${url}`, { cause: broken }) }),
      entry('INFO', 'fields', { databaseUrl: url, list: [canary], [canary]: 1 }),
    ];
    const bare = written(format, entries).join('');
    expect(forms.some((form) => bare.includes(form))).toBe(true);
    const text = written(format, entries, secrets).join('');
    for (const form of forms) expect(text).not.toContain(form);
    expect(text).toContain('***');
    if (format === 'lines') for (const line of text.trimEnd().split('\n')) JSON.parse(line);
  });

  it('is masked in any URL, however short it is, and nothing else is', () => {
    const short = 'postgres://keeper:pw@db:5432/books and http://u:1@h, but at 10:30 a@b';
    expect(written('sentences', [entry('INFO', short)], ['pw'])).toEqual([
      'info: postgres://keeper:***@db:5432/books and http://u:***@h, but at 10:30 a@b\n',
    ]);
    expect(written('sentences', [entry('INFO', 'pwd of the powder')], ['pw'])).toEqual([
      'info: pwd of the powder\n',
    ]);
  });

  it('does not come from an error of a real connection', async () => {
    const database = Database.open({ url });
    const error: unknown = await readBooks(database).catch((caught: unknown) => caught);
    await database.close();
    expect(error).toMatchObject({ code: 'DATABASE_MISSING' });
    const text = written('lines', [entry('ERROR', String(error), { error })], secrets).join('');
    for (const form of forms) expect(text).not.toContain(form);
  });
});
