// Two versions of the workflows at work at once (F26), and years of hours in one backfill whose history stays
// short (F28): five under torture, all of whose hours are built; else two, whose hours and days are there already.
import { afterEach, describe, expect, it } from '@jest/globals';
import { createBackfill, waitForBackfill, type BackfillRequest } from '../../client/backfill.js';
import { wakeKeeper } from '../../client/keeper.js';
import type { usageKeeper } from '../../workflows/index.js';
import { changedWorkflows } from '../support/changed-workflows.js';
import { ledgerFaults } from '../support/ledger-proof.js';
import { randomRuns } from '../support/random-runs.js';
import { aggregateNow, insertRuns, setOrigin } from '../support/runs.js';
import { seededRandom } from '../support/seeded-random.js';
import {
  LIMITS,
  openTemporalBooks,
  until,
  workflowBundle,
  type TemporalBooks,
} from '../support/temporal-books.js';

const IS_TORTURE = process.env['JOBHOURS_TORTURE'] === '1';
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const opened: TemporalBooks[] = [];
async function open(): Promise<TemporalBooks> {
  const books = await openTemporalBooks();
  opened.push(books);
  return books;
}
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())));

describe('an old and a new worker on one queue', () => {
  /** Which versions of the code completed the tasks of a workflow. */
  async function versionsOf({ temporal, names }: TemporalBooks): Promise<Set<string>> {
    const { events } = await temporal.client.workflow.getHandle(names.keeper).fetchHistory();
    return new Set(
      (events ?? []).flatMap(
        ({ workflowTaskCompletedEventAttributes: completed }) =>
          completed?.workerVersion?.buildId ?? [],
      ),
    );
  }

  async function waitingBuilds({ test }: TemporalBooks): Promise<number> {
    const waiting = await test.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return waiting.length;
  }

  it(
    'F26: finish the same keeper, begun on the old one and ended on the new one',
    async () => {
      const older = await changedWorkflows({
        'aggregate-period': ['is being built', 'is in the making'],
      });
      const newer = await workflowBundle();
      const one = await open();
      const nowMs = Date.now();
      const originAtMs = one.calendar.startOf('hour', nowMs - 3 * DAY_MS);
      const span = { startAtMs: originAtMs, endAtMs: nowMs };
      await insertRuns(one.test, randomRuns(seededRandom(6), span, 200));
      await setOrigin(one.test, originAtMs);
      // Holds up the first build, so that the keeper is in the middle of its work when the workers change.
      const session = await one.test.connect();
      await session.query('begin');
      await session.query('lock table usage_hour in exclusive mode');
      const before = await one.work({ workflowBundle: older });
      await wakeKeeper(one.temporal, one.books.name, 'month', LIMITS);
      await until('a build waits', async () => (await waitingBuilds(one)) > 0);
      const first = await versionsOf(one);
      await one.work({ workflowBundle: newer });
      const stopping = before.shutdown();
      await session.query('commit');
      await stopping;
      const keeper = one.temporal.client.workflow.getHandle<typeof usageKeeper>(one.names.keeper);
      expect(await keeper.result()).toMatchObject({ failed: 0 });
      expect(first.size).toBe(1);
      expect((await versionsOf(one)).size).toBe(2);
      expect(await one.test.query('select * from period_failure')).toEqual([]);
      expect(await ledgerFaults(one.test, one.calendar.startOf('hour', nowMs))).toEqual([]);
    },
    MINUTE_MS,
  );
});

const YEARS = IS_TORTURE ? 5 : 2;
const START = Date.UTC(2026 - YEARS, 0, 1);
const END = Date.UTC(2026, 0, 1);
const HOURS = (END - START) / HOUR_MS;
const ALL = {
  ...{ start: START, end: END, lanes: 2, reprocess: 'stale', name: 'years' },
} satisfies BackfillRequest;

describe('a backfill of years of hours', () => {
  /** Hours and days without usage, as the builder leaves them: all like one that it built. */
  async function fillLedger({ test, calendar }: TemporalBooks): Promise<void> {
    await setOrigin(test, START);
    const first = calendar.periodAt('hour', START + HOUR_MS);
    await aggregateNow(test, calendar, { ...first, reprocess: 'stale' });
    await test.query(
      `insert into period
       select 'hour', at_ms, at_ms + ${HOUR_MS},
         to_char(to_timestamp(at_ms / 1000) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI"+00:00"'),
         at_ms, carry_in_digest, carry_out_digest, null, digest, 0, aggregated_at_ms
       from period cross join generate_series(${START}, ${END - 1}, ${HOUR_MS}) at_ms
       where at_ms <> start_at_ms`,
    );
    await test.query(
      `insert into period
       select 'day', min(start_at_ms), max(end_at_ms), left(min(label), 10), null, null, null,
         sha256(string_agg(int8send(start_at_ms) || int8send(end_at_ms) || digest, '' order by start_at_ms)),
         (array_agg(digest))[1], 0, min(aggregated_at_ms)
       from period group by start_at_ms / ${DAY_MS}`,
    );
  }

  async function eventsOfRuns({ temporal, names }: TemporalBooks): Promise<number[]> {
    const workflowId = names.backfill(ALL.name);
    const events: number[] = [];
    await until('every run is listed with its end', async () => {
      events.length = 0;
      const query = `WorkflowId = '${workflowId}'`;
      for await (const { historyLength, closeTime } of temporal.client.workflow.list({ query })) {
        if (closeTime === undefined) return false;
        events.push(historyLength);
      }
      return events.length > 0;
    });
    return events;
  }

  it(
    'F28: hands over before its history is long, as often as it must, with the right result',
    async () => {
      const one = await open();
      if (IS_TORTURE) {
        const span = { startAtMs: START, endAtMs: END };
        await insertRuns(one.test, randomRuns(seededRandom(7), span, 20_000));
      } else {
        await fillLedger(one);
        const startedAtMs = START + 500 * DAY_MS + 5;
        await insertRuns(one.test, [
          {
            ...{ key: 'late', user: 'jay', milliGpus: 1_500, startedAtMs },
            endedAtMs: startedAtMs + 30 * HOUR_MS,
          },
        ]);
      }
      await one.work();
      const longestHistory = 30;
      const startedMs = performance.now();
      await createBackfill(
        one.temporal,
        { ...one, limits: { ...LIMITS, longestHistory, buildMs: 5 * MINUTE_MS } },
        ALL,
      );
      const ended = await waitForBackfill(one.temporal, one, ALL.name, () => undefined);
      const seconds = (performance.now() - startedMs) / 1_000;
      expect(ended).toMatchObject({ outcome: 'completed', periodsFailed: 0 });
      const events = await eventsOfRuns(one);
      // A piece of each lane may begin just below the limit.
      expect(Math.max(...events)).toBeLessThan(longestHistory + 2 * 20);
      expect(events.length).toBeGreaterThan(4);
      const [counts] = await one.test.query(
        `select count(*) filter (where granularity = 'hour')::int as hours,
           count(*) filter (where granularity = 'day')::int as days,
           count(*) filter (where granularity = 'month')::int as months
         from period where end_at_ms <= $1`,
        [END],
      );
      expect(counts).toEqual({ hours: HOURS, days: HOURS / 24, months: 12 * YEARS });
      if (!IS_TORTURE) expect(await ledgerFaults(one.test, END)).toEqual([]);
      process.stderr.write(
        `${YEARS} years: ${ended.hoursBuilt} hours, ${ended.periodsBuilt} periods in ${seconds.toFixed(1)} s ` +
          `(${(ended.hoursBuilt / seconds).toFixed(0)} hours a second), ${events.length} runs of at most ${Math.max(...events)} events\n`,
      );
    },
    (IS_TORTURE ? 20 : 3) * MINUTE_MS,
  );
});
