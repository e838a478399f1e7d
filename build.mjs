// Builds dist/: TypeScript, the SQL files beside it, and the workflow bundle that workers load.
// `node build.mjs --if-changed` does nothing when no source is newer than the last build.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, '.built');
const sourceFolders = [
  'domain',
  'workflows',
  'activities',
  'workers',
  'client',
  'db',
  'local',
  'bench',
];

/** Newest modification time of the files below a folder, in ms; 0 for an absent one. */
function newestMs(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

/** True when dist/ was built from the sources as they are now. */
export function isBuilt() {
  if (!existsSync(stamp)) return false;
  const inputs = [...sourceFolders, 'tsconfig.json', 'package-lock.json', 'build.mjs'];
  const builtFromMs = Number(readFileSync(stamp, 'utf8'));
  return inputs.every((name) => newestMs(join(root, name)) < builtFromMs);
}

/**
 * Builds everything; throws when TypeScript finds an error. dist/ changes when all is done, so that a build beside a
 * running command, or beside another build, breaks neither.
 */
export async function build() {
  const startedAtMs = Date.now();
  const made = join(root, 'dist-building', String(process.pid));
  try {
    await buildInto(made);
    writeFileSync(join(made, basename(stamp)), `${startedAtMs}\n`);
    rmSync(dist, { recursive: true, force: true });
    renameSync(made, dist);
  } finally {
    rmSync(dirname(made), { recursive: true, force: true });
  }
}

async function buildInto(made) {
  const require = createRequire(import.meta.url);
  const compile = [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.json', '--outDir', made];
  execFileSync(process.execPath, compile, { cwd: root, stdio: ['ignore', 2, 2] });
  for (const folder of ['db/migrations', 'db/queries']) {
    cpSync(join(root, folder), join(made, folder), { recursive: true });
  }
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(made, 'workflows/index.js'),
    logger: {
      trace() {},
      debug() {},
      info() {},
      warn: console.error,
      error: console.error,
      log() {},
    },
  });
  writeFileSync(join(made, 'workflows/bundle.js'), code);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!(process.argv.includes('--if-changed') && isBuilt())) await build();
}
