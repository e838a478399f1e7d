// Workers killed with SIGKILL at statements all over a backfill: another worker goes on, and the books are those of a
// run that nobody killed (F1, F2, F33). Owns the points; how a worker kills itself is test/support/worker-child.mjs.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { GRANULARITIES } from '../../domain/period.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { randomRuns } from '../support/random-runs.js';
import { insertRuns, ledgerDigests, USAGE_TABLES } from '../support/runs.js';
import { seededRandom, type SeededRandom } from '../support/seeded-random.js';
import {
  LIMITS,
  openTemporalBooks,
  testTemporal,
  workflowBundle,
  type TemporalBooks,
} from '../support/temporal-books.js';
import {
  endWorkerProcesses,
  startWorkerProcess,
  type SelfSignal,
  type WorkerProcess,
} from '../support/worker-process.js';

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const POINTS = IS_TORTURE ? 50 : 8;
const SIDE_BY_SIDE = 4;
const SEED = Number(process.env['JOBHOURS_SEED'] ?? Date.now() % 1_000_000);
const MINUTE_MS = 60_000;

/** Five days with the end of a month in them, so that there are two pieces in two lanes. */
const REQUEST = {
  start: Date.UTC(2026, 0, 29, 5),
  end: Date.UTC(2026, 1, 3, 11),
  lanes: 2,
  reprocess: 'stale',
  name: 'killed',
} satisfies BackfillRequest;
const SPAN = { startAtMs: REQUEST.start, endAtMs: REQUEST.end };
/** Short: a kill costs a heartbeat time-out and a second. */
const SHORT = { ...LIMITS, planMs: 3_000, heartbeatMs: 2_000 };

interface Books {
  readonly digests: readonly string[];
  readonly rows: readonly unknown[];
}

let clean: Books & { readonly statements: number };
const lines: string[] = [];

async function withRuns<T>(work: (books: TemporalBooks) => Promise<T>): Promise<T> {
  const books = await openTemporalBooks();
  try {
    await insertRuns(books.test, randomRuns(seededRandom(1), SPAN, 300));
    return await work(books);
  } finally {
    await books.close();
  }
}

const childOf = ({ test }: TemporalBooks, selfSignal?: SelfSignal): WorkerProcess =>
  startWorkerProcess({
    url: test.url,
    temporal: testTemporal(),
    ...(selfSignal === undefined ? {} : { selfSignal }),
  });

/** Of periods that end in the range: at its end the backfill wakes the keeper, which builds what is younger. */
async function rowsOf({ test }: TemporalBooks): Promise<unknown[]> {
  const rows = GRANULARITIES.map((granularity) =>
    test.query(
      `select p.granularity, u.* from ${USAGE_TABLES[granularity]} u
         join period p on p.start_at_ms = u.period_start_at_ms and p.granularity = $1
       where p.end_at_ms <= $2 order by 2, 3`,
      [granularity, SPAN.endAtMs],
    ),
  );
  return (await Promise.all(rows)).flat();
}

async function booksOf(one: TemporalBooks): Promise<Books> {
  expect(await ledgerFaults(one.test, SPAN.endAtMs)).toEqual([]);
  return { digests: await ledgerDigests(one.test, SPAN.endAtMs), rows: await rowsOf(one) };
}

/** Kills one worker after the other at the points, lets a last one finish, and returns the books. */
function booksAfterKills(kills: readonly SelfSignal[]): Promise<Books> {
  return withRuns(async (one) => {
    const children: WorkerProcess[] = [];
    for (const kill of kills) {
      const child = childOf(one, kill);
      children.push(child);
      await child.polling;
      await createBackfill(one.temporal, { ...one, limits: SHORT }, REQUEST);
      expect(await child.exited).toBe('SIGKILL');
    }
    await one.work();
    const ended = await waitForBackfill(one.temporal, one, REQUEST.name, () => undefined);
    expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
    expect(await one.test.query('select * from period_failure')).toEqual([]);
    const said = children.map((child, at) => `${kills[at]?.statement} ${child.said()}`);
    lines.push(said.join(', then '));
    return booksOf(one);
  });
}

/**
 * Points spread over the statements of the clean run; a quarter of them strike the worker that goes on after another
 * one, soon after it began.
 */
function pointsOf(random: SeededRandom, statements: number): SelfSignal[][] {
  const kill = (statement: number): SelfSignal => ({
    name: 'SIGKILL',
    statement,
    when: random.pick(['before', 'sent', 'answered']),
  });
  const seconds = Math.floor(POINTS / 4);
  const firsts = POINTS - seconds;
  // Lanes run side by side and now and then look at the ledger once less: the last part ends a little earlier.
  const part = (statements - 4) / firsts;
  return Array.from({ length: firsts }, (_, at) => {
    const first = kill(1 + Math.floor((at + random.next()) * part));
    return at < seconds ? [first, kill(random.integer(1, 20))] : [first];
  });
}

beforeAll(async () => {
  await workflowBundle();
  clean = await withRuns(async (one) => {
    const child = childOf(one);
    await child.polling;
    await createBackfill(one.temporal, { ...one, limits: SHORT }, REQUEST);
    await waitForBackfill(one.temporal, one, REQUEST.name, () => undefined);
    child.signal('SIGTERM');
    expect(await child.exited).toBe(0);
    const statements = Number(child.said().replace('statements ', ''));
    return { ...(await booksOf(one)), statements };
  });
}, MINUTE_MS);

afterAll(async () => {
  await endWorkerProcesses();
  process.stderr.write(
    `kills: seed ${SEED}, ${POINTS} points of ${clean.statements} statements, ${clean.digests.length} periods\n` +
      lines.map((line) => `  ${line}\n`).join(''),
  );
});

/** A build that was committed without anybody being told. */
const afterCommit = (random: SeededRandom): SelfSignal => ({
  ...{ name: 'SIGKILL', of: 'commit', when: 'answered' },
  statement: random.integer(10, 120),
});

describe('a backfill whose workers are killed', () => {
  it(
    'F1, F2, F33: has the books of the clean run, wherever and however often they are killed',
    async () => {
      const random = seededRandom(SEED);
      const points = [...pointsOf(random, clean.statements), [afterCommit(random)]];
      for (let at = 0; at < points.length; at += SIDE_BY_SIDE) {
        const batch = points.slice(at, at + SIDE_BY_SIDE);
        const results = await Promise.all(batch.map((kills) => booksAfterKills(kills)));
        for (const { digests, rows } of results) {
          expect(digests).toEqual(clean.digests);
          expect(rows).toEqual(clean.rows);
        }
      }
    },
    POINTS * 15_000,
  );
});
