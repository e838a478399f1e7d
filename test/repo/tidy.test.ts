// Rules of the repository that a machine can check. Looks at every file that git would keep.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

interface SourceFile {
  /** Relative to the root of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

interface Rule {
  /** Ends the sentence `The tree has ...`. */
  readonly title: string;
  /** One line for each break: the file and what to do. */
  readonly findings: (files: readonly SourceFile[]) => string[];
  /** Files that break the rule, each in another way. */
  readonly breaks: readonly SourceFile[];
  /** Files that look like breaks and are none. */
  readonly sound: readonly SourceFile[];
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const ignored = new Set(['.git', ...read('.gitignore').split('\n').map(plainName)]);

/** A line of .gitignore as a file name. Only plain names are allowed there, so that git is not needed. */
function plainName(line: string): string {
  if (/[*?![\]#]|\/./.test(line)) throw new Error(`.gitignore: '${line}' is not a plain name`);
  return line.replace(/\/$/, '');
}

/** Every file below a folder that .gitignore does not name; binary ones have no text to check. */
function filesBelow(folder: string): SourceFile[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (ignored.has(entry.name)) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [{ path, text: read(path) }] : [];
  });
}

const isSource = (path: string): boolean =>
  /^(domain|workflows|activities|workers|client|db|local)\/.*\.ts$/.test(path);
const isTest = (path: string): boolean => path.startsWith('test/');
const isCountedLong = (path: string): boolean =>
  (path.endsWith('.ts') && !isTest(path)) ||
  (path.endsWith('.sql') && !path.startsWith('db/migrations/'));
const lineCount = (text: string): number => text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

/** A rule that says which text a line must not have. */
function forbiddenText(pattern: RegExp, advice: string, of: (path: string) => boolean = Boolean) {
  return (files: readonly SourceFile[]): string[] =>
    files
      .filter(({ path }) => of(path))
      .flatMap(({ path, text }) =>
        text
          .split('\n')
          .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1} ${advice}`] : [])),
      );
}

/** The chain of names that a call is made on: `it.each(rows)(...)` gives `it`. */
function calledName(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  if (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) {
    return calledName(node.expression);
  }
  return ts.isTaggedTemplateExpression(node) ? calledName(node.tag) : '';
}

/** Full titles of the tests of one file: those of the groups around it, then its own. */
function testTitles({ path, text }: SourceFile): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const titles: string[] = [];
  const visit = (node: ts.Node, groups: readonly string[]): void => {
    const title = ts.isCallExpression(node) ? node.arguments[0] : undefined;
    const isTitled = ts.isCallExpression(node) && node.arguments.length > 1 && title !== undefined;
    const name = isTitled ? calledName(node.expression) : '';
    const own = title && ts.isStringLiteralLike(title) ? title.text : title?.getText();
    if (name === 'it' || name === 'test') titles.push([...groups, own].join(' > '));
    const inner = name === 'describe' && own !== undefined ? [...groups, own] : groups;
    ts.forEachChild(node, (child) => visit(child, inner));
  };
  visit(source, []);
  return titles;
}

function doubledTitles(files: readonly SourceFile[]): string[] {
  const places = new Map<string, string[]>();
  for (const file of files.filter(({ path }) => path.endsWith('.test.ts'))) {
    for (const title of testTitles(file)) {
      places.set(title, [...(places.get(title) ?? []), file.path]);
    }
  }
  return [...places]
    .filter(([, paths]) => paths.length > 1)
    .map(([title, paths]) => `${paths.join(', ')} share the title '${title}'`);
}

const hashList = 'test/repo/migrations.sha256';

/** The list has the format of sha256sum: hash, two spaces, path. */
function migrationFindings(files: readonly SourceFile[]): string[] {
  const list = files.find(({ path }) => path === hashList)?.text ?? '';
  const listed = new Map(
    list
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => [line.slice(66), line.slice(0, 64)]),
  );
  const migrations = files.filter(({ path }) => path.startsWith('db/migrations/'));
  const present = new Set(migrations.map(({ path }) => path));
  const gone = [...listed.keys()]
    .filter((path) => !present.has(path))
    .map((path) => `${path} is listed and absent: databases have applied it, bring it back`);
  const wrong = migrations.flatMap(({ path, text }) => {
    const hash = createHash('sha256').update(text).digest('hex');
    if (!listed.has(path)) return [`add to ${hashList}: ${hash}  ${path}`];
    if (listed.get(path) === hash) return [];
    return [`${path} is not what databases have applied: undo the change, write a new migration`];
  });
  return [...gone, ...wrong];
}

function unknownScripts(files: readonly SourceFile[]): string[] {
  const manifest = files.find(({ path }) => path === 'package.json')?.text ?? '{}';
  const { scripts = {} } = JSON.parse(manifest) as { scripts?: Record<string, string> };
  return files
    .filter(({ path }) => path.endsWith('.md') || path === '.ci/run')
    .flatMap(({ path, text }) =>
      [...text.matchAll(/npm run ([a-z][a-z:-]*)/g)]
        .map(([, name]) => name ?? '')
        .filter((name) => !(name in scripts))
        .map((name) => `${path}: package.json has no script '${name}'`),
    );
}

const file = (path: string, text: string): SourceFile => ({ path, text });
const lines = (count: number): string => '-- line\n'.repeat(count);
// Written in two halves, or this file would break the rules that it checks.
const marker = 'TO' + 'DO';
const only = 'it.on' + 'ly(';
const home = '/ho' + 'me/somebody';
const registry = 'npm' + 'js.org';

const rules: readonly Rule[] = [
  {
    title: 'no source file above 300 lines',
    findings: (files) =>
      files
        .filter(({ path, text }) => isCountedLong(path) && lineCount(text) > 300)
        .map(({ path, text }) => `${path} has ${lineCount(text)} lines: split it by its nouns`),
    breaks: [file('db/a.ts', lines(301)), file('db/queries/a.sql', lines(301))],
    sound: [
      file('db/a.ts', lines(300)),
      file('test/a.ts', lines(301)),
      file('db/migrations/1.sql', lines(301)),
    ],
  },
  {
    title: 'no file that is named after nothing',
    findings: (files) =>
      files
        .filter(({ path }) => /(^|\/)(utils?|helpers?|common|types)(\.|\/)/.test(path))
        .map(({ path }) => `${path}: name it after what it owns`),
    breaks: ['db/utils.ts', 'test/helpers.test.ts', 'common/a.ts', 'domain/types.ts'].map((path) =>
      file(path, ''),
    ),
    sound: [file('db/common-table.ts', '')],
  },
  {
    title: 'no path of one machine',
    findings: forbiddenText(/(?<![\w.}-])\/(work|home|root)\//, 'names a path of one machine'),
    breaks: [file('a.md', `see ${home}/a`), file('.ci/run', `cd '${home}/a'`)],
    sound: [
      file('a.ts', '`${folder}' + home + '/a`; "./wo' + 'rk/a"; "https://a.org' + home + '"'),
    ],
  },
  {
    title: 'nothing left to do later in comments',
    findings: forbiddenText(/\b(TO[D]O|FIX[M]E|XX[X])\b/, 'do it or open an issue'),
    breaks: [file('a.ts', `// ${marker}: more`), file('a.sql', `-- ${'FIX' + 'ME'}`)],
    sound: [file('.ci/run', `mktemp ${'X'.repeat(6)}`)],
  },
  {
    title: 'no test that switches the others off',
    findings: forbiddenText(
      /\b(it|test|describe)\.only\b|\b(fit|fdescribe)\(/,
      'remove it',
      isTest,
    ),
    breaks: [file('test/a.test.ts', `${only}'x', () => {})`), file('test/b.ts', 'fi' + "t('x')")],
    sound: [file('db/a.ts', 'benefit(1); outfit.only(2);'), file('test/a.ts', 'benefit(1)')],
  },
  {
    title: 'a header in every source file that says what it owns',
    findings: (files) =>
      files
        .filter(({ path, text }) => isSource(path) && !/^\/(\*\*|\/) ?\S?/.test(text))
        .map(({ path }) => `${path} must begin with a comment: what it owns and what it does not`),
    breaks: [file('domain/a.ts', "import 'a';\n/** Late. */"), file('db/b.ts', '')],
    sound: [file('domain/a.ts', '/** Owns a. */\n'), file('db/b.ts', '// Owns b.\n')],
  },
  {
    title: 'no host of a package registry',
    findings: forbiddenText(
      /npm[j]s\.(org|com)|yarn[p]kg\.com|npm[m]irror\.com|py[p]i\.org|python[h]osted\.org/,
      'names the host of a registry: the client knows it',
    ),
    breaks: [
      file('.npmrc', `registry=https://registry.${registry}/`),
      file('a.md', 'py' + 'pi.org'),
    ],
    sound: [file('README.md', 'the package on PyPI, npm and npmrc')],
  },
  {
    title: 'no two tests of one title',
    findings: doubledTitles,
    breaks: [
      file('test/a.test.ts', `describe('a', () => { it('x', f); it('y', f); it('x', f); });`),
      file('test/b.test.ts', 'it.each([1])("n %s", f); it(`n %s`, f);'),
    ],
    sound: [
      file(
        'test/a.test.ts',
        `describe('a', () => { it('x', f); }); describe('b', () => { it('x', f); });`,
      ),
      file('test/b.test.ts', `it('x', f); expect(it('x'));`),
    ],
  },
  {
    title: 'every applied migration as it was',
    findings: migrationFindings,
    breaks: [
      file('db/migrations/0001_new.sql', 'SELECT 1;'),
      file(hashList, `${'0'.repeat(64)}  db/migrations/0002_absent.sql\n`),
    ],
    sound: [
      file('db/migrations/0001_kept.sql', 'SELECT 1;\n'),
      file(
        hashList,
        'b4e0497804e46e0a0b0b8c31975b062152d551bac49c3c2e80932567b4085dcd  db/migrations/0001_kept.sql\n',
      ),
    ],
  },
  {
    title: 'no script named in a page that package.json lacks',
    findings: unknownScripts,
    breaks: [file('CONTRIBUTING.md', 'Use `npm run absent`.')],
    sound: [
      file('package.json', '{ "scripts": { "lint:types": "tsc" } }'),
      file('CONTRIBUTING.md', 'Use `npm run lint:types`.'),
    ],
  },
];

describe('the tree has', () => {
  const tree = filesBelow('');

  it.each(rules)('$title', ({ findings }) => {
    expect(findings(tree)).toEqual([]);
  });

  it('the files that these rules are about', () => {
    const paths = tree.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining(['package.json', 'domain/errors.ts', '.ci/run', hashList]),
    );
    expect(paths.filter((path) => /node_modules|^dist|^\.git\//.test(path))).toEqual([]);
  });
});

describe('a planted break is found by the rule:', () => {
  it.each(rules)('$title', ({ findings, breaks, sound }) => {
    const found = breaks.filter((broken) => findings([broken]).length === 1);
    expect(found).toEqual(breaks);
    expect(findings(sound)).toEqual([]);
  });

  it('a changed migration', () => {
    const changed = [
      file('db/migrations/0001_a.sql', 'SELECT 2;'),
      file(hashList, `${'0'.repeat(64)}  db/migrations/0001_a.sql\n`),
    ];
    expect(migrationFindings(changed)).toEqual([expect.stringContaining('not what databases')]);
  });
});
