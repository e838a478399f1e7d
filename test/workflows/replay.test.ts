// Histories of every workflow and of every version, recorded on a real server, replay on the present code (G10, F25).
// After a wanted change of a workflow, before it is released: name a new folder and
// RECORD_HISTORIES=1 npm test -- test/workflows/replay.test.ts
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { pauseBackfill } from '../../client/backfill-control.js';
import { createBackfill, waitForBackfill } from '../../client/backfill.js';
import { SCHEDULED_SAMPLE } from '../../domain/audit.js';
import { installRuntime } from '../../workers/runtime.js';
import { changedWorkflows, type Change } from '../support/changed-workflows.js';
import { insertRuns, setOrigin } from '../support/runs.js';
import {
  LIMITS,
  openTemporalBooks,
  workflowBundle,
  type TemporalBooks,
  type WorkflowBundle,
} from '../support/temporal-books.js';

const NAMES = [
  'usage-tick',
  'usage-keeper',
  'aggregate-period',
  'backfill',
  'usage-audit',
] as const;
type Name = (typeof NAMES)[number];
/** Where this version's histories are recorded. The others stay as they are. */
const NEWEST = '2-mending';

const HOUR_MS = 3_600_000;
const histories = fileURLToPath(new URL('../histories', import.meta.url));
const fileOf = (name: Name): string => join(NEWEST, `${name}.json`);
/** `1-spine/backfill.json` and so on. */
const files = (): string[] =>
  readdirSync(histories).flatMap((folder) =>
    readdirSync(join(histories, folder)).map((file) => join(folder, file)),
  );

/** One history of each workflow: two months in two lanes, with a pause; a late record that a tick mends; an audit. */
async function record(books: TemporalBooks): Promise<void> {
  const { client } = books.temporal;
  await books.work();
  const start = books.calendar.startOf('month', Date.now() - 20 * 24 * HOUR_MS);
  await insertRuns(books.test, [
    { key: 'a', user: 'jay', milliGpus: 1_500, startedAtMs: start + 1, endedAtMs: null },
  ]);
  const { name } = await createBackfill(books.temporal, books, {
    ...{ start: start - 30 * HOUR_MS, end: start + 30 * HOUR_MS, lanes: 2 },
    ...{ reprocess: 'stale', name: 'recorded' },
  });
  for (const isPaused of [true, false]) await pauseBackfill(books.temporal, books, name, isPaused);
  await waitForBackfill(books.temporal, books, name, () => undefined);
  await client.workflow.getHandle(books.names.backfill(name)).result();
  await setOrigin(books.test, books.calendar.startOf('hour', Date.now()) - 2 * HOUR_MS);
  await insertRuns(books.test, [
    { key: 'b', user: 'kite', milliGpus: 250, startedAtMs: start + 1, endedAtMs: start + HOUR_MS },
  ]);
  const tick = `${books.names.schedule('day')}-recorded`;
  await client.workflow.execute('usageTick', {
    workflowId: tick,
    taskQueue: books.names.usageQueue,
    args: [{ booksName: books.books.name, coarsest: 'day', limits: LIMITS }],
  });
  await client.workflow.getHandle(books.names.keeper).result();
  const audit = `${books.names.schedule('audit')}-recorded`;
  await client.workflow.execute('usageAudit', {
    workflowId: audit,
    taskQueue: books.names.usageQueue,
    args: [{ booksName: books.books.name, limits: LIMITS, sample: SCHEDULED_SAMPLE }],
  });
  const ids: Record<Name, string> = {
    'usage-audit': audit,
    'usage-tick': tick,
    'usage-keeper': books.names.keeper,
    'aggregate-period': books.names.period('month', books.calendar.startOf('month', start)),
    backfill: books.names.backfill(name),
  };
  mkdirSync(join(histories, NEWEST), { recursive: true });
  for (const one of NAMES) {
    const history = await client.workflow.getHandle(ids[one]).fetchHistory();
    writeFileSync(join(histories, fileOf(one)), `${JSON.stringify(plain(history))}\n`);
  }
}

// The library's own conversion fails when npm installs its protobufjs twice, so the messages are written field by
// field: bytes as base64, 64-bit integers as their two halves, enums as numbers. Which
// machine it was is left out.
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') };
  if (typeof value === 'string') return value.replaceAll(`@${hostname()}`, '@host');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field]) => field !== 'identity')
      .map(([field, one]) => [field, plain(one)]),
  );
}

function revive(_field: string, value: unknown): unknown {
  const { base64 } = (value ?? {}) as { base64?: unknown };
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : value;
}

async function replay(bundle: WorkflowBundle, file: string): Promise<void> {
  const history: unknown = JSON.parse(readFileSync(join(histories, file), 'utf8'), revive);
  await Worker.runReplayHistory({ workflowBundle: bundle, replayName: file }, history);
}

beforeAll(async () => {
  // What a replay should find is asserted; the library would log it as well.
  await installRuntime({ level: 'error', format: 'lines', secrets: [], metricsAddress: null });
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const books = await openTemporalBooks('Asia/Shanghai');
  try {
    await record(books);
  } finally {
    await books.close();
  }
}, 120_000);

describe('the workflows of this version', () => {
  it('have a recorded history each', () => {
    expect(readdirSync(join(histories, NEWEST)).sort()).toEqual(
      NAMES.map((name) => `${name}.json`).sort(),
    );
  });

  it('replay the recorded histories of every version (G10, I36)', async () => {
    const bundle = await workflowBundle();
    expect(files().length).toBeGreaterThanOrEqual(9);
    for (const file of files()) await replay(bundle, file);
  });
});

/** A text of each workflow's source, and what an incompatible change would make of it. */
const CHANGES: Readonly<Record<Name, Change>> = {
  'usage-tick': ['.wakeKeeper(input)', '.planPass(input)'],
  'usage-keeper': ['this.activities.planPass(', 'this.activities.wakeKeeper('],
  'aggregate-period': ['.aggregate(input)', '.aggregateCoarse(input)'],
  backfill: ['ids(booksName).period(piece.granularity,', "ids(booksName).period('day',"],
  'usage-audit': ['.audit(input)', '.aggregate(input)'],
};

describe('a changed workflow', () => {
  let bundle: WorkflowBundle;
  beforeAll(async () => {
    bundle = await changedWorkflows(CHANGES);
  }, 60_000);

  it.each(files())('does not replay %s', async (file) => {
    await expect(replay(bundle, file)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
