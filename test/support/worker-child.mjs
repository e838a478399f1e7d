// A worker in a process of its own, from the built sources, for tests that kill it.
import { startWorker } from '../../dist/workers/worker.js';

const { url, temporal } = JSON.parse(process.env.CHILD_WORKER);
const worker = await startWorker({
  databaseUrl: url,
  temporal,
  graceMs: 0,
  catchUpMs: 45 * 86_400_000,
  logLevel: 'error',
});
await worker.run;
