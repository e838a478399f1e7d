// What a real worker writes to its log while the keeper plans and builds.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { wakeKeeper } from '../../client/keeper.js';
import { MS_PER_HOUR } from '../../domain/units.js';
import type { usageKeeper } from '../../workflows/index.js';
import { logWriter, passwordsOf, type LogOptions } from '../../workers/log.js';
import { installRuntime } from '../../workers/runtime.js';
import { insertRuns, setOrigin } from '../support/runs.js';
import { LIMITS, openTemporalBooks, until, type TemporalBooks } from '../support/temporal-books.js';

const DEBUG = 20;
const INFO = 30;

interface Line {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

let books: TemporalBooks;
let lines: string[] = [];

/** The lines of ours while `work` went on: those of plans and builds. */
async function during(work: () => Promise<unknown>): Promise<Line[]> {
  lines = [];
  await work();
  // The library hands lines over some time later, in their order; this one is the keeper's last.
  await until('the last plan', () =>
    Promise.resolve(lines.some((line) => line.includes('plan: nothing is to be built'))),
  );
  return lines
    .map((line) => JSON.parse(line) as Line)
    .filter(({ msg }) => /^(plan|aggregate): | built$/.test(msg));
}

async function mend(coarsest: 'hour' | 'month'): Promise<void> {
  await wakeKeeper(books.temporal, books.books.name, coarsest, LIMITS);
  const { workflow } = books.temporal.client;
  await workflow.getHandle<typeof usageKeeper>(books.names.keeper).result();
}

const present = (): number => books.calendar.startOf('hour', Date.now());

beforeAll(async () => {
  books = await openTemporalBooks('UTC');
  const secrets = passwordsOf(books.test.url);
  const options: LogOptions = { level: 'debug', format: 'lines', secrets };
  const stream = { write: (line: string): void => void lines.push(line) };
  // The worker takes the runtime that is there.
  await installRuntime({ ...options, metricsAddress: null }, logWriter(options, stream));
  await setOrigin(books.test, present() - 2 * MS_PER_HOUR);
  await books.work();
}, 60_000);
afterAll(() => books.close(), 60_000);

describe('the log of a worker', () => {
  it('has a line for each plan and each build, with period, rows, duration and workflow', async () => {
    const startedAtMs = present() - MS_PER_HOUR;
    const run = { key: 'a', user: 'wren', milliGpus: 1_000, startedAtMs, endedAtMs: null };
    await insertRuns(books.test, [run]);
    const found = await during(() => mend('hour'));
    const newest = books.calendar.periodAt('hour', startedAtMs);
    const planned = found.find(({ msg }) => msg.startsWith('plan: 2 periods'));
    expect(planned).toMatchObject({ level: INFO, tasks: 2, periods: 2, blocked: 0 });
    expect(planned?.msg).toContain(`hour ${newest.label}`);
    expect(planned?.['durationMs']).toEqual(expect.any(Number));
    expect(found.find(({ msg }) => msg === `hour ${newest.label} built`)).toMatchObject({
      ...{ level: INFO, granularity: 'hour', label: newest.label },
      ...{ rowsWritten: 1, rowsRemoved: 0, dirtyRowsRemoved: 0 },
      durationMs: expect.any(Number) as unknown,
      ...{ workflowId: books.names.period('hour', startedAtMs), attempt: 1 },
      workflowRunId: expect.any(String) as unknown,
    });
    const summary = found.find(({ msg }) => msg === 'aggregate: built 1 hour');
    expect(summary).toMatchObject({
      level: INFO,
      hoursBuilt: 1,
      rowsWritten: expect.any(Number) as unknown,
    });
    expect(found.find(({ msg }) => msg === 'plan: nothing is to be built')?.level).toBe(DEBUG);
  });

  it('has the single periods of a large request at DEBUG, and its summary at INFO', async () => {
    await setOrigin(books.test, present() - 42 * MS_PER_HOUR);
    const found = await during(() => mend('month'));
    const hours = found.filter(({ granularity }) => granularity === 'hour');
    expect(hours).toHaveLength(40);
    const whole = found
      .filter(({ msg }) => msg.startsWith('aggregate: '))
      .filter((one) => Number(one['hoursBuilt']) > 5);
    expect(whole.length).toBeGreaterThan(0);
    for (const { level, workflowId } of whole) {
      expect(level).toBe(INFO);
      const own = hours.filter((one) => one.workflowId === workflowId);
      expect(own.length).toBeGreaterThan(5);
      expect(own.filter((one) => one.level !== DEBUG)).toEqual([]);
    }
  });

  it('has no password of the database and no token of an activity in any line', () => {
    expect(lines.join('')).not.toContain('taskToken');
    expect(lines.length).toBeGreaterThan(40);
    const secrets = passwordsOf(books.test.url);
    expect(secrets.length).toBeGreaterThan(0);
    for (const secret of secrets) expect(lines.join('')).not.toContain(secret);
  });
});
