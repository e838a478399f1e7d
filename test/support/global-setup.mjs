// Starts one PostgreSQL and one Temporal dev server for a whole test run and tells their addresses, and a folder that
// goes with them, by environment variables. Uses the built local/, because jest loads this file without transform.
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FOLDER_PREFIX = 'jobhours-test-';
const NAMESPACE = 'jobhours-test';

const say = (text) => process.stderr.write(`tests: ${text}\n`);

async function loadServers() {
  try {
    return {
      ...(await import('../../dist/local/leftovers.js')),
      ...(await import('../../dist/local/postgres.js')),
      ...(await import('../../dist/local/temporal.js')),
    };
  } catch (error) {
    throw new Error('dist/ is missing or incomplete: npm run build (npm test builds first)', {
      cause: error,
    });
  }
}

async function startTestTemporal({ findTemporal, startTemporal }) {
  const explicit = process.env.JOBHOURS_TEMPORAL_CLI;
  const program = await findTemporal({ explicit, onProgress: say });
  return startTemporal({ program, databaseFile: null, namespace: NAMESPACE, ui: false });
}

export default async function globalSetup() {
  const local = await loadServers();
  await local.removeLeftovers(tmpdir(), FOLDER_PREFIX);
  const folder = await local.makeOwnFolder(tmpdir(), FOLDER_PREFIX);
  const started = await Promise.allSettled([
    local.startPostgres({ dataFolder: join(folder, 'postgres'), durable: false, onProgress: say }),
    startTestTemporal(local),
  ]);
  globalThis.jobhoursTestServers = {
    folder,
    servers: started.filter(({ status }) => status === 'fulfilled').map(({ value }) => value),
  };
  const failure = started.find(({ status }) => status === 'rejected');
  if (failure) {
    await stopTestServers();
    throw failure.reason;
  }
  const [postgres, temporal] = started.map(({ value }) => value);
  process.env.JOBHOURS_TEST_FOLDER = folder;
  process.env.JOBHOURS_TEST_DATABASE_URL = postgres.url;
  process.env.JOBHOURS_TEST_TEMPORAL_ADDRESS = temporal.address;
  process.env.JOBHOURS_TEST_TEMPORAL_NAMESPACE = temporal.namespace;
}

/** Stops both servers at once and removes their data. */
export async function stopTestServers() {
  const { folder, servers } = globalThis.jobhoursTestServers;
  await Promise.all(servers.map((server) => server.stop('immediate')));
  await rm(folder, { recursive: true, force: true });
}
