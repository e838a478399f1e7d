/**
 * Writers and keepers at full speed for a while, then quiet (I16): 3 s, JOBHOURS_TORTURE=1 a minute. Here nearly every
 * hour is stale all the time, so that losses may be repaired by accident; what it shows is that keepers get done after
 * any churn. Losses are found by the sparse model.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import {
  noWriterCounts,
  writeOnce,
  writerClient,
  type WriterScope,
} from '../support/random-writer.js';
import { insertRuns, setOrigin } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import { addKept, keep, keepOnce, type Kept, type Tick } from '../support/simulated-schedule.js';

const LENGTH_MS = process.env['JOBHOURS_TORTURE'] === '1' ? 60_000 : 3_000;
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);
const WRITERS = 4;
const KEEPERS = 2;

const calendar = Calendar.of('Asia/Shanghai');
/** The last day of a month, a Saturday, and the Sunday after it. */
const FROM = calendar.startOf('day', Date.UTC(2026, 0, 31));
const HOURS = 36;
const NOW: Tick = { atMs: FROM + 3 * MS_PER_DAY, coarsest: 'month' };

describe('4 writers and 2 keepers at once', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: calendar.zone });
    await setOrigin(test, FROM - MS_PER_DAY);
    await insertRuns(
      test,
      ['u1', 'u2', 'u3', 'u4'].map((user, n) => ({
        ...{ key: user, user, milliGpus: 1_000 },
        ...{ startedAtMs: FROM + n * MS_PER_HOUR, endedAtMs: null },
      })),
    );
  });
  afterAll(() => test.close());

  it('after quiet no mark is left and every period is equal to the overlap formula (I16, I2)', async () => {
    const keys = await test.query<{ id: number }>('select id from usage_key order by id');
    const scope: WriterScope = {
      boundariesMs: Array.from({ length: HOURS + 1 }, (_, n) => FROM + n * MS_PER_HOUR),
      longAgoMs: FROM - 3 * MS_PER_DAY,
      usageKeys: keys.map(({ id }) => id),
      isLocal: false,
      longestSleepMs: 4,
    };
    const counts = noWriterCounts();
    const endAtMs = performance.now() + LENGTH_MS;
    const isBusy = (): boolean => performance.now() < endAtMs;
    const writing = Array.from({ length: WRITERS }, async (_, n) => {
      const client = await writerClient(test);
      const random = seededRandom(SEED + n);
      while (isBusy()) await writeOnce(client, random, scope, counts);
    });
    let kept: Kept = { plans: 0, built: 0, failed: 0 };
    const keeping = Array.from({ length: KEEPERS }, async () => {
      while (isBusy()) {
        const did = await keepOnce(test, calendar, NOW, new Set());
        if (did !== null) kept = addKept(kept, did);
      }
    });
    await Promise.all([...writing, ...keeping]);
    const drained = await keep(test, calendar, NOW);
    process.stdout.write(
      `stress of ${LENGTH_MS} ms, seed ${SEED}: ${JSON.stringify({ ...counts, kept, drained })}\n`,
    );
    expect(counts.transactions).toBeGreaterThan(LENGTH_MS / 100);
    expect(kept.built).toBeGreaterThan(LENGTH_MS / 100);
    expect(drained.failed).toBe(0);
    expect(await ledgerFaults(test, NOW.atMs - MS_PER_HOUR)).toEqual([]);
  }, 300_000);
});
