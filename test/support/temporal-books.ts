/** Books of a test file with a name of their own in Temporal, and workers for them. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { BackfillContext } from '../../client/backfill.js';
import { connectTemporal, type TemporalClient } from '../../client/temporal.js';
import type { Books } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import { ids, type Ids } from '../../domain/ids.js';
import type { WorkflowLimits } from '../../domain/workflow-input.js';
import { startWorker, type RunningWorker, type UsageWorkerOptions } from '../../workers/worker.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from './database.js';

export const SETTINGS = {
  graceMs: 0,
  catchUpMs: 45 * 86_400_000,
  planTimeoutMs: 10_000,
  heartbeatTimeoutMs: 5_000,
  buildTimeoutMs: 60_000,
};

/** Short, so that a test sees what happens after them. */
export const LIMITS: WorkflowLimits = {
  planMs: 10_000,
  heartbeatMs: 5_000,
  buildMs: 60_000,
  firstWaitMs: 200,
  longestWaitMs: 1_000,
  longestHistory: 2_000,
};

export interface TemporalBooks extends BackfillContext {
  readonly test: TestDatabase;
  readonly books: Books;
  readonly calendar: Calendar;
  readonly temporal: TemporalClient;
  readonly names: Ids;
  readonly settings: typeof SETTINGS;
  /** Starts a worker of these books, with other options if given; stopped with them. */
  work(more?: Partial<UsageWorkerOptions>): Promise<RunningWorker>;
  close(): Promise<void>;
}

/** Where the code of the workflows lies. */
export interface WorkflowBundle {
  readonly codePath: string;
}

const bundles = new Map<string, Promise<WorkflowBundle>>();

/** The code of the workflows below a folder, bundled once for each test run. The folder's files do not change in it. */
export function workflowBundle(
  workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url)),
): Promise<WorkflowBundle> {
  let bundle = bundles.get(workflowsPath);
  if (bundle === undefined) {
    bundle = bundled(workflowsPath);
    bundles.set(workflowsPath, bundle);
  }
  return bundle;
}

/** Whoever needs it first makes it; two at once make the same. */
async function bundled(workflowsPath: string): Promise<WorkflowBundle> {
  const folder = process.env['JOBHOURS_TEST_FOLDER'];
  if (folder === undefined) throw new Error('no folder of the test run: run npm test');
  const name = createHash('sha256').update(workflowsPath).digest('hex').slice(0, 16);
  const codePath = join(folder, `workflows-${name}.js`);
  if (existsSync(codePath)) return { codePath };
  const quiet = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, log() {} };
  const { code } = await bundleWorkflowCode({ workflowsPath, logger: quiet });
  const made = `${codePath}.${process.pid}`;
  writeFileSync(made, code);
  renameSync(made, codePath);
  return { codePath };
}

/** Where the test run's Temporal answers. */
export function testTemporal(): { address: string; namespace: string } {
  const address = process.env['JOBHOURS_TEST_TEMPORAL_ADDRESS'];
  if (address === undefined) throw new Error('no test server: run npm test');
  return { address, namespace: process.env['JOBHOURS_TEST_TEMPORAL_NAMESPACE'] ?? 'default' };
}

/** Servers of a test's own; absent: those of the test run. */
export interface OwnServers {
  readonly test?: TestDatabase;
  readonly temporal?: { readonly address: string; readonly namespace: string };
}

/** New, empty books without origin and without a worker. */
export async function openTemporalBooks(
  zone = 'UTC',
  own: OwnServers = {},
): Promise<TemporalBooks> {
  const test = own.test ?? (await createTestDatabase());
  const target = own.temporal ?? testTemporal();
  const books = await openTestBooks(test, { zone, name: `t${randomBytes(5).toString('hex')}` });
  const temporal = await connectTemporal(target);
  const workers: RunningWorker[] = [];
  return {
    ...{ test, books, temporal },
    database: test.database,
    calendar: Calendar.of(zone),
    settings: SETTINGS,
    limits: LIMITS,
    names: ids(books.name),
    work: async (more = {}) => {
      const worker = await startWorker({
        databaseUrl: test.url,
        temporal: target,
        graceMs: SETTINGS.graceMs,
        catchUpMs: SETTINGS.catchUpMs,
        logLevel: 'error',
        workflowBundle: await workflowBundle(),
        ...more,
      });
      workers.push(worker);
      return worker;
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.shutdown().catch(() => undefined)));
      await temporal.close();
      await test.close();
    },
  };
}

/** Waits until `isTrue`; fails with `what` after `deadlineMs`. Looking takes a third of the time at most. */
export async function until(
  what: string,
  isTrue: () => Promise<boolean>,
  deadlineMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  for (;;) {
    const lookedMs = performance.now();
    if (await isTrue()) return;
    const nowMs = performance.now();
    if (nowMs > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    const restMs = Math.max(50, 2 * (nowMs - lookedMs));
    await new Promise((resolve) => setTimeout(resolve, restMs));
  }
}
