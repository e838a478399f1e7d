import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import {
  buildActor,
  closeActors,
  orders,
  runOrder,
  sqlActor,
  type Actor,
} from '../support/interleaving.js';
import { setOrigin } from '../support/runs.js';
import { sample } from '../support/seeded-random.js';
import {
  at,
  day,
  dayParts,
  faults,
  hour,
  ORIGIN,
  resetRuns,
  settle,
} from '../support/three-hours.js';

const WHOLE = process.env['JOBHOURS_TORTURE'] === '1';
const SEED = 20_261_121;
const SAMPLED_ORDERS = 4;

const INSERT = `insert into run (source, record_key, job_id, usage_key, milli_gpus, started_at_ms, ended_at_ms, seen_at_ms)
  select source, $1, $1, usage_key, 3000, $2, $3, 0 from run where record_key = 'inside'`;

type Edit = readonly [string, unknown[]?];

/** What a writer does inside its transaction. */
const WRITERS: Readonly<Record<string, readonly Edit[]>> = {
  'inserts a closed run': [[INSERT, ['new', at(0, 40), at(1, 20)]]],
  'inserts an open run': [[INSERT, ['new', at(1, 5), null]]],
  'moves a run to the next hour': [
    [
      `update run set started_at_ms = $1, ended_at_ms = $2 where record_key = 'inside'`,
      [at(2, 1), at(2, 30)],
    ],
  ],
  'ends a run earlier': [
    [`update run set ended_at_ms = $1 where record_key = 'spans'`, [at(0, 50)]],
  ],
  'gives a run to another user': [
    [
      `update run set usage_key = (select usage_key from run where record_key = 'inside') where record_key = 'spans'`,
    ],
  ],
  'deletes a run': [[`delete from run where record_key = 'spans'`]],
  'ends an open run on the edge of an hour': [
    [`update run set ended_at_ms = $1 where record_key = 'open'`, [at(2)]],
  ],
  'inserts and moves in two statements': [
    [INSERT, ['new', at(0, 1), at(0, 59)]],
    [
      `update run set started_at_ms = started_at_ms + 1, ended_at_ms = ended_at_ms + 3600000 where record_key = 'new'`,
    ],
  ],
};

interface Scenario {
  readonly name: string;
  readonly arrange: (test: TestDatabase) => Promise<void>;
  readonly actors: (test: TestDatabase) => Promise<readonly [Actor, Actor]>;
}

function writer(test: TestDatabase, edits: readonly Edit[], isolation: string): Promise<Actor> {
  return sqlActor(test, 'writer', [[`begin isolation level ${isolation}`], ...edits, ['commit']]);
}

async function allGood(test: TestDatabase): Promise<void> {
  await resetRuns(test);
  await settle(test);
}

async function lateRun(test: TestDatabase): Promise<void> {
  await allGood(test);
  await test.query(INSERT, ['late', at(0, 20), at(1, 30)]);
}

const scenarios: Scenario[] = [];
for (const [name, edits] of Object.entries(WRITERS)) {
  for (const n of [0, 1, 2] as const) {
    scenarios.push({
      name: `a writer that ${name} x the redo of hour ${n}`,
      arrange: allGood,
      actors: async (test) => [
        await writer(test, edits, 'read committed'),
        buildActor(test, 'builder', hour(n)),
      ],
    });
  }
  scenarios.push({
    name: `a writer that ${name} x the first build of hour 1 (a seed)`,
    arrange: resetRuns,
    actors: async (test) => [
      await writer(test, edits, 'read committed'),
      buildActor(test, 'builder', hour(1)),
    ],
  });
  scenarios.push({
    name: `a REPEATABLE READ writer that ${name} x the redo of hour 1`,
    arrange: allGood,
    actors: async (test) => [
      await writer(test, edits, 'repeatable read'),
      buildActor(test, 'builder', hour(1)),
    ],
  });
}
const twoBuilders = (
  name: string,
  arrange: Scenario['arrange'],
  first: 0 | 1,
  second: 1 | 'day',
): void => {
  scenarios.push({
    name,
    arrange,
    actors: (test) =>
      Promise.resolve([
        buildActor(test, 'builder-a', hour(first)),
        second === 'day'
          ? buildActor(test, 'builder-b', day, { expectedPartStarts: dayParts })
          : buildActor(test, 'builder-b', hour(second)),
      ]),
  });
};
twoBuilders('two builders of one new hour', resetRuns, 1, 1);
twoBuilders('two builders of one stale hour', lateRun, 1, 1);
twoBuilders('the redo of an hour x the next hour', lateRun, 0, 1);
twoBuilders('the redo of an hour x its day', lateRun, 1, 'day');
scenarios.push({
  name: 'two builders of one day',
  arrange: lateRun,
  actors: (test) =>
    Promise.resolve([
      buildActor(test, 'builder-a', day, { expectedPartStarts: dayParts }),
      buildActor(test, 'builder-b', day, { expectedPartStarts: dayParts }),
    ]),
});

describe('two sessions, step by step (G5, G8, G9)', () => {
  let test: TestDatabase;
  let ran = 0;
  let known = 0;
  beforeAll(async () => {
    test = await createTestDatabase();
    await openTestBooks(test);
    await setOrigin(test, ORIGIN);
  });
  afterAll(async () => {
    process.stdout.write(
      `interleavings: ${ran} of ${known} orders ran (${WHOLE ? 'all' : `sample, seed ${SEED}`})\n`,
    );
    await closeActors();
    await test.close();
  });

  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
    '%s: every order ends in the same books',
    async (_name, scenario) => {
      const [first, second] = await scenario.actors(test);
      const all = [...orders(first.steps, second.steps)];
      const chosen = WHOLE ? all : sample(all, SAMPLED_ORDERS, SEED + scenario.name.length);
      known += all.length;
      const wrong: unknown[] = [];
      for (const order of chosen) {
        await scenario.arrange(test);
        const actors = await scenario.actors(test);
        await runOrder(test, actors, order);
        const found = await faults(test);
        if (found.length > 0) wrong.push({ order: order.join(''), found });
        ran += 1;
      }
      expect(wrong).toEqual([]);
    },
    600_000,
  );
});
