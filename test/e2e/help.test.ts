import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CommandLine } from '../support/command-line.js';

const MINUTES = 60_000;
let shell: CommandLine;
/** Words of a command -> its help text. */
const helps = new Map<string, string>();

/** The commands that a help text lists. */
function listed(help: string): string[] {
  const section = /^Commands:\n((?: .*\n)*)/m.exec(help)?.[1] ?? '';
  return [...section.matchAll(/^ {2}([a-z]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help');
}

async function collectHelp(words: readonly string[]): Promise<void> {
  const { stdout, stderr, exitCode } = await shell.run([...words, '--help']);
  if (exitCode !== 0) throw new Error(`jobhours ${words.join(' ')} --help: ${stderr}`);
  helps.set(words.join(' '), stdout);
  await Promise.all(listed(stdout).map((name) => collectHelp([...words, name])));
}

beforeAll(async () => {
  shell = await CommandLine.create();
  await collectHelp([]);
}, 2 * MINUTES);
afterAll(() => shell.remove(), MINUTES);

/** `jobhours ...` in the code blocks of README and in the examples of the help texts. */
function examples(): string[] {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const blocks = [...readme.matchAll(/^```\w*\n(.*?)^```/gms)].map(([, block = '']) => block);
  const exampleParts = [...helps.values()].map((help) => help.split(/^Examples?:$/m)[1] ?? '');
  return [...blocks, ...exampleParts]
    .join('\n')
    .split('\n')
    .flatMap((line) => {
      const match = /^\s*(?:[A-Z_]+=\S+ )*(?:npx )?jobhours ((?:\S+ )*?\S+)(?: {2,}.*)?$/.exec(
        line,
      );
      return match?.[1] === undefined || /^\d/.test(match[1]) ? [] : [match[1]];
    });
}

describe('the help texts', () => {
  it('name the commands of DESIGN section 11', () => {
    expect(listed(helps.get('') ?? '')).toEqual([
      ...['demo', 'dev', 'import', 'run', 'user', 'usage'],
      ...['space', 'source', 'periods', 'backfill', 'schedule', 'doctor', 'worker', 'db'],
    ]);
    expect(listed(helps.get('import') ?? '')).toEqual(expect.arrayContaining(['sacct', 'csv']));
    expect(listed(helps.get('space') ?? '')).toEqual([
      ...['add', 'remove', 'import', 'list', 'report', 'rename'],
    ]);
    expect(listed(helps.get('periods') ?? '')).toEqual(['list', 'check', 'clean', 'plan']);
    expect(listed(helps.get('backfill') ?? '')).toEqual([
      ...['create', 'list', 'show', 'pause', 'unpause', 'cancel'],
    ]);
    expect(listed(helps.get('db') ?? '')).toEqual(['migrate', 'status']);
  });

  it('show an example for every noun or its verbs', () => {
    const nouns = listed(helps.get('') ?? '');
    const without = nouns.filter((noun) => {
      const own = [...helps].filter(([words]) => words.split(' ')[0] === noun);
      return !own.some(([, help]) => /^Examples?:$/m.test(help));
    });
    expect(without).toEqual([]);
  });

  it("know every command and flag of the examples, theirs and README's", () => {
    const lines = examples();
    expect(lines.length).toBeGreaterThan(20);
    const unknown = lines.flatMap((line) => {
      const words = line.split(/\s+/);
      const depth = [3, 2].find((count) => helps.has(words.slice(0, count).join(' '))) ?? 1;
      const help = helps.get(words.slice(0, depth).join(' '));
      if (help === undefined) return [`jobhours ${line}: no such command`];
      const flags = words.filter((word) => /^--?[a-z]/.test(word));
      return flags
        .filter(
          (flag) => !new RegExp(`(^|[ ,])${flag.replace(/=.*/, '')}([ ,=]|$)`, 'm').test(help),
        )
        .map((flag) => `jobhours ${line}: no flag ${flag}`);
    });
    expect(unknown).toEqual([]);
  });

  it('come without starting or writing anything', async () => {
    await shell.untilNothingRuns();
    expect(await shell.run(['--version'])).toEqual({
      exitCode: 0,
      stdout: '0.1.0\n',
      stderr: '',
    });
    for (const noun of ['usage', 'run']) {
      expect((await shell.run([noun, '--version'])).stdout).toBe('0.1.0\n');
    }
  });

  it("are those of 'help' too, at every depth", async () => {
    for (const words of [['import'], ['import', 'csv'], ['usage', 'verify']]) {
      expect((await shell.run(['help', ...words])).stdout).toBe(helps.get(words.join(' ')));
    }
  });

  it('have lines of at most 100 columns', () => {
    const long = [...helps].flatMap(([words, help]) =>
      help
        .split('\n')
        .filter(
          (line) => line.length > 100 && !/^ {2}(\w+=\S+ )?(sacct|jobhours) (?!.* {2})/.test(line),
        )
        .map((line) => `${words}: ${line}`),
    );
    expect(long).toEqual([]);
  });
});

describe('a wrong command line', () => {
  it.each([
    [['usgae'], 'did you mean usage?'],
    [['usage', '--sart', '2026-01-01'], 'did you mean --start?'],
    [['db', 'status', '--force'], "unknown option '--force'"],
    [['db', 'stats'], 'did you mean status?'],
    [['demo', 'now'], 'too many arguments'],
  ])('%j is refused with status 2: %s', async (words, text) => {
    const { exitCode, stdout, stderr } = await shell.run(words);
    expect(stderr).toMatch(/^error USAGE: [^\n]*\n$/);
    expect(stderr).toContain(text);
    expect(stdout).toBe('');
    expect(exitCode).toBe(2);
  });

  it('is reported as JSON when the output is JSON', async () => {
    const { exitCode, stderr } = await shell.run(['usage', '--sart', 'x', '-o', 'json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'USAGE' } });
    expect(exitCode).toBe(2);
  });

  it('B71: a wrong setting is refused before anything is started', async () => {
    const environment = { JOBHOURS_IMPORT_BATCH: 'abc' };
    const { exitCode, stderr } = await shell.run(['db', 'status'], { environment });
    expect(stderr).toBe(
      'error CONFIG: JOBHOURS_IMPORT_BATCH is "abc": expected an integer from 1 to 1000000\n',
    );
    expect(exitCode).toBe(2);
  });

  it('B72: a given database of an older schema is refused with the command that mends it', async () => {
    const url = process.env['JOBHOURS_TEST_DATABASE_URL'] ?? '';
    const environment = { DATABASE_URL: url, JOBHOURS_ZONE: 'UTC' };
    const { exitCode, stderr } = await shell.run(['usage'], { environment });
    expect(stderr).toMatch(/^error SCHEMA_VERSION: .*jobhours db migrate/);
    expect(exitCode).toBe(1);
  });
});
