// Histories of every workflow, recorded on a real server, replay on the present code (G10). After a wanted change of a
// workflow: RECORD_HISTORIES=1 npm test -- test/workflows/replay.test.ts
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { createBackfill, waitForBackfill } from '../../client/backfill.js';
import { insertRuns, setOrigin } from '../support/runs.js';
import {
  LIMITS,
  openTemporalBooks,
  workflowBundle,
  type TemporalBooks,
} from '../support/temporal-books.js';

const NAMES = ['usage-tick', 'usage-keeper', 'aggregate-period', 'backfill'] as const;
type Name = (typeof NAMES)[number];

const HOUR_MS = 3_600_000;
const root = fileURLToPath(new URL('../..', import.meta.url));
const fileOf = (name: Name): string => join(root, 'test/histories', `${name}.json`);

/** One history of each workflow: two months in two lanes, then a late record that a tick mends. */
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
  const ids: Record<Name, string> = {
    'usage-tick': tick,
    'usage-keeper': books.names.keeper,
    'aggregate-period': books.names.period('month', books.calendar.startOf('month', start)),
    backfill: books.names.backfill(name),
  };
  for (const one of NAMES) {
    const history = await client.workflow.getHandle(ids[one]).fetchHistory();
    writeFileSync(fileOf(one), `${JSON.stringify(plain(history))}\n`);
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

async function replay(bundle: { code: string }, name: Name): Promise<void> {
  const history: unknown = JSON.parse(readFileSync(fileOf(name), 'utf8'), revive);
  await Worker.runReplayHistory({ workflowBundle: bundle, replayName: name }, history);
}

beforeAll(async () => {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const books = await openTemporalBooks('Asia/Shanghai');
  try {
    await record(books);
  } finally {
    await books.close();
  }
}, 120_000);

describe('the workflows of this version', () => {
  it.each(NAMES)('replay the recorded history of %s (G10)', async (name) => {
    await replay(await workflowBundle(), name);
  });
});

/** A text of each workflow's source, and what an incompatible change would make of it. */
const CHANGES: Readonly<Record<Name, readonly [from: string, to: string]>> = {
  'usage-tick': ['.wakeKeeper(input)', '.planPass(input)'],
  'usage-keeper': ['this.activities.planPass(', 'this.activities.wakeKeeper('],
  'aggregate-period': ['.aggregate(input)', '.aggregateCoarse(input)'],
  backfill: ['ids(booksName).period(piece.granularity,', "ids(booksName).period('day',"],
};

describe('a changed workflow', () => {
  let folder: string;
  let bundle: { code: string };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'jobhours-changed-'));
    for (const part of [
      'workflows',
      'domain',
      'activities',
      'db',
      'package.json',
      'tsconfig.json',
    ]) {
      cpSync(join(root, part), join(folder, part), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    for (const name of NAMES) {
      const path = join(folder, 'workflows', `${name}.ts`);
      const [from, to] = CHANGES[name];
      const text = readFileSync(path, 'utf8');
      if (!text.includes(from)) throw new Error(`${name}.ts has no ${from}`);
      writeFileSync(path, text.replace(from, to));
    }
    bundle = await workflowBundle(join(folder, 'workflows/index.ts'));
  }, 60_000);
  afterAll(() => {
    // The link itself goes, not what it points to.
    unlinkSync(join(folder, 'node_modules'));
    rmSync(folder, { recursive: true });
  });

  it.each(NAMES)('does not replay the recorded history of %s', async (name) => {
    await expect(replay(bundle, name)).rejects.toBeInstanceOf(DeterminismViolationError);
  });
});
