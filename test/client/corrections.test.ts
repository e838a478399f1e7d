/**
 * Imports, undos, voids and corrections in any order: the books are what the acts that stand would have made of them
 * from nothing (G8), and a refused undo changes nothing (G5).
 */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { undoBatch } from '../../client/import-undo.js';
import { correctOneRun, runIdOf, voidOneRun } from '../../client/run-change.js';
import { Calendar } from '../../domain/calendar.js';
import { isJobhoursError } from '../../domain/errors.js';
import {
  isChangedLater,
  MODEL_START_MS,
  modelBooks,
  modelFile,
  randomCorrection,
  randomImport,
  type DoneAct,
  type ModelAct,
  type ModelRun,
} from '../support/correction-model.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { csv, importText } from '../support/imports.js';
import { aggregateNow, differences, setOrigin } from '../support/runs.js';
import { seededRandom, type SeededRandom } from '../support/seeded-random.js';

const SEEDS = process.env['JOBHOURS_TORTURE'] === '1' ? 200 : 4;
const ACTS = 40;
const FIRST_SEED = 20_261_121;
const DAY_MS = 86_400_000;
const DOER = { actor: 'tester', reason: 'model' };

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  await setOrigin(test, MODEL_START_MS);
});
afterAll(() => test.close());
beforeEach(() => emptyBooks());

async function emptyBooks(): Promise<void> {
  // Planted triggers would be in the way.
  await test.query(`
    set session_replication_role = replica;
    delete from voided_record; delete from withheld_record; delete from run_confirmation;
    delete from run_history; delete from import_source; delete from run_detail; delete from run;
    delete from rejected_record; delete from import_batch;
    set session_replication_role = default`);
}

const counts = { acts: 0, undone: 0, kept: 0, applied: 0, refused: 0, freed: 0 };

async function doAct(act: ModelAct): Promise<bigint> {
  if (act.kind === 'import') {
    const { summary } = await importText(
      test,
      csv({ missingEnd: act.missingEndMs ?? 'open' }),
      modelFile(act),
      { reopen: act.reopen, partial: act.partial, batchSize: 3 },
    );
    return BigInt(summary.batch ?? -1);
  }
  const id = await runIdOf(test.database, `${act.job}/0`);
  if (act.kind === 'void') return (await voidOneRun(test.database, id, DOER)).batch;
  const { user, gpus, startedAtMs, endedAtMs } = act;
  const correction = {
    ...(user === undefined ? {} : { user }),
    ...(gpus === undefined ? {} : { milliGpus: gpus * 1_000 }),
    ...(startedAtMs === undefined ? {} : { startedAtMs }),
    ...(endedAtMs === undefined ? {} : { endAtMs: endedAtMs }),
  };
  return (await correctOneRun(test.database, id, correction, 1, DOER)).batch;
}

function chosenAct(random: SeededRandom, runs: ReadonlyMap<number, ModelRun>): ModelAct {
  const jobs = [...runs.keys()];
  if (jobs.length === 0 || random.chance(0.6)) return randomImport(random);
  const job = random.pick(jobs);
  return random.chance(0.3) ? { kind: 'void', job } : randomCorrection(random, job);
}

async function storedRuns(): Promise<ModelRun[]> {
  const rows = await test.query<Record<string, string | boolean | null>>(`
    select r.job_id, u.name as user_name, r.milli_gpus, r.started_at_ms, r.ended_at_ms, r.end_is_estimated
    from run r join usage_key k on k.id = r.usage_key join dim_user u on u.id = k.user_id
    order by r.job_id::int`);
  return rows.map((row) => ({
    job: Number(row['job_id']),
    user: String(row['user_name']),
    gpus: Number(row['milli_gpus']) / 1_000,
    startedAtMs: Number(row['started_at_ms']),
    endedAtMs: row['ended_at_ms'] === null ? null : Number(row['ended_at_ms']),
    isEstimated: row['end_is_estimated'] === true,
  }));
}

const sorted = (runs: Iterable<ModelRun>): ModelRun[] => [...runs].sort((a, b) => a.job - b.job);

/** Everything that an undo writes. */
async function digestOfBooks(): Promise<string> {
  const hash = createHash('sha256');
  for (const table of [
    ...['run', 'run_detail', 'run_history', 'run_confirmation', 'withheld_record', 'voided_record'],
    ...['import_batch', 'import_source', 'rejected_record', 'usage_change', 'dim_user'],
  ]) {
    const rows = await test.query(`select t::text as line from ${table} t order by 1`);
    hash.update(JSON.stringify([table, rows]));
  }
  return hash.digest('hex');
}

/** Undoes one of the acts; returns the acts that stand. */
async function undoOne(random: SeededRandom, done: readonly DoneAct[]): Promise<DoneAct[]> {
  const books = modelBooks(done);
  const confirmed = done.filter(
    (one) => books.confirmed.has(one.batch) && !isChangedLater(books, one.batch),
  );
  // What later imports confirmed is rare, and the newest acts have nothing in their way.
  const { batch } = random.pick(
    confirmed.length > 0 && random.chance(0.5)
      ? confirmed
      : random.chance(0.6)
        ? done.slice(-2)
        : done,
  );
  const isPredicted = isChangedLater(books, batch);
  const before = await digestOfBooks();
  try {
    const { kept, applied } = await undoBatch(test.database, batch, DOER);
    counts.undone += 1;
    if (kept > 0) counts.kept += 1;
    if (applied > 0) counts.applied += 1;
    if (isPredicted) counts.freed += 1;
    return done.filter((one) => one.batch !== batch);
  } catch (error) {
    if (!isJobhoursError(error, 'UNDO_CONFLICT')) throw error;
    counts.refused += 1;
    expect(isPredicted).toBe(true);
    expect(await digestOfBooks()).toBe(before);
    return [...done];
  }
}

const calendar = Calendar.of('UTC');

async function expectExactBooks(): Promise<void> {
  const span = { startAtMs: MODEL_START_MS, endAtMs: MODEL_START_MS + 2 * DAY_MS };
  for (const period of calendar.periodsTouching('day', span)) {
    await aggregateNow(test, calendar, { ...period, reprocess: 'stale' });
  }
  expect(await differences(test)).toEqual([]);
}

async function liveThrough(seed: number): Promise<void> {
  const random = seededRandom(seed);
  let done: DoneAct[] = [];
  for (let step = 0; step < ACTS; step += 1) {
    if (done.length > 0 && random.chance(0.35)) done = await undoOne(random, done);
    else {
      const act = chosenAct(random, modelBooks(done).runs);
      done = [...done, { act, batch: await doAct(act) }];
      counts.acts += 1;
    }
    const expected = sorted(modelBooks(done).runs.values());
    expect({ seed, step, runs: await storedRuns() }).toEqual({ seed, step, runs: expected });
    if (step % 10 === 9) await expectExactBooks();
  }
}

describe('any order of imports, undos, voids and corrections', () => {
  it.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
    'leaves what the acts that stand make of the books, seed %i (G5, G8)',
    (seed) => liveThrough(seed),
    120_000,
  );

  it('was undone, refused and applied often enough to tell', () => {
    process.stdout.write(
      `corrections: seeds ${SEEDS} from ${FIRST_SEED}, ${JSON.stringify(counts)}\n`,
    );
    expect(counts.undone).toBeGreaterThan(SEEDS * 5);
    expect(counts.refused).toBeGreaterThan(SEEDS);
    expect(counts.applied).toBeGreaterThan(SEEDS / 2);
    expect(counts.kept).toBeGreaterThan(SEEDS / 2);
  });
});

describe('the model of corrections notices that', () => {
  const LOST = `returns trigger language plpgsql as $$ begin return null; end $$`;
  it.each([
    ['confirmations are lost', 'before insert on run_confirmation', LOST],
    ['records that were left aside are lost', 'before insert on withheld_record', LOST],
    ['a lifted void stays', 'before delete on voided_record', LOST],
    [
      'a restored run keeps its GPUs',
      'before update on run',
      `returns trigger language plpgsql as $$ begin
        if new.batch < old.batch then new.milli_gpus := old.milli_gpus; end if;
        return new;
      end $$`,
    ],
  ])(
    '%s',
    async (_what, when, body) => {
      await test.query(`create function planted() ${body}`);
      await test.query(`create trigger planted ${when} for each row execute function planted()`);
      try {
        const seeds = Array.from({ length: 30 }, (_, index) => FIRST_SEED + 1_000 + index);
        let noticed: string | null = null;
        for (const seed of seeds) {
          await emptyBooks();
          noticed = await liveThrough(seed).then(() => null, String);
          if (noticed !== null) break;
        }
        expect(noticed).toMatch(/deep equality|JobhoursError/);
      } finally {
        await test.query('drop function planted() cascade');
        await emptyBooks();
      }
    },
    180_000,
  );
});
