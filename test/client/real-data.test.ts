/** Real records against published figures and against an independent oracle. Skipped by name where they are absent. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { openImportInput } from '../../client/import-input.js';
import type { ImportSummary } from '../../client/import-summary.js';
import { importRuns, type ImportFormat } from '../../client/import-runs.js';
import { withUsageReport, type UsageRow } from '../../client/usage-report.js';
import { firstRunAtMs, type Books } from '../../db/books-store.js';
import { Calendar } from '../../domain/calendar.js';
import type { Granularity, Span } from '../../domain/period.js';
import { gpuHoursText, hoursText, MS_PER_DAY } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { sacct } from '../support/imports.js';
import { aggregateAll, aggregateNow, differences, setOrigin } from '../support/runs.js';
import { lineOf, NO_FILTER, oracleLines } from '../support/usage-oracle.js';

const dataFolder = fileURLToPath(new URL('../../../shared/data/', import.meta.url));
const data = (name: string): string => `${dataFolder}${name}`;
/** Shanghai has no odd hour: in torture only. */
const ZONES = [
  'Australia/Lord_Howe',
  ...(process.env['JOBHOURS_TORTURE'] === '1' ? ['Asia/Shanghai'] : []),
];
const ifPresent = existsSync(data('slurm-sacct-phillips.log')) ? it : it.skip;

async function load(
  test: TestDatabase,
  books: Books,
  file: string,
  format: ImportFormat,
): Promise<ImportSummary> {
  const input = await openImportInput(data(file), process.stdin);
  const { summary } = await importRuns(test.database, books, input, {
    format,
    partial: false,
    reopen: false,
    batchSize: 10_000,
    actor: 'test',
  });
  return summary;
}

async function rowsOf(
  test: TestDatabase,
  calendar: Calendar,
  window: Span,
  request: { step: 'none' | Granularity; by?: ('user' | 'space' | 'pool')[] },
): Promise<{ rows: UsageRow[]; asOfMs: number }> {
  return withUsageReport(
    test.database,
    calendar,
    { windowAt: () => window, step: request.step, by: request.by ?? [], filter: NO_FILTER },
    async (report) => {
      const rows: UsageRow[] = [];
      for await (const row of report.rows) rows.push(row);
      return { rows, asOfMs: report.asOfMs };
    },
  );
}

let test: TestDatabase;
afterEach(() => test.close());

interface PublishedDay {
  readonly startAtMs: number;
  readonly text: string;
}

function published(): PublishedDay[] {
  const [, ...lines] = readFileSync(data('slurm-sacct-phillips.expected-by-day.csv'), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const [day, wall, gpu, , started, running] = line.split(',');
    return {
      startAtMs: Date.parse(`${day}T00:00:00Z`),
      text: `${day} ${wall} wall ${gpu} GPU ${started} started ${running} running`,
    };
  });
}

const dayText = (row: UsageRow, startAtMs: number): string =>
  `${new Date(startAtMs).toISOString().slice(0, 10)} ${hoursText(row.runMs, 4)} wall ${gpuHoursText(row.milliGpuMs, 4)} GPU ` +
  `${row.runsStarted} started ${row.runsCarriedIn + row.runsStarted} running`;

describe('the log of a Slurm cluster, against the figures that Open XDMoD publishes for it', () => {
  ifPresent.each(['UTC', 'Asia/Shanghai'])(
    'books in %s: all 11 UTC days to the last digit (G1, G7)',
    async (zone) => {
      test = await createTestDatabase();
      const books = await openTestBooks(test, { zone, minimumRunMs: 0 });
      const calendar = Calendar.of(zone);
      const summary = await load(test, books, 'slurm-sacct-phillips.log', sacct);
      expect({
        read: summary.records,
        setAside: summary.setAside,
        rejected: summary.rejected,
      }).toEqual({
        read: 4285,
        setAside: { NEVER_STARTED: 239 },
        rejected: {},
      });
      expect(await test.query('select count(*)::int as runs from run')).toEqual([{ runs: 4046 }]);
      const firstAtMs = (await firstRunAtMs(test.database)) ?? 0;
      await setOrigin(test, calendar.startOf('hour', firstAtMs));
      const days = published();
      const whole = {
        startAtMs: days[0]?.startAtMs ?? 0,
        endAtMs: (days.at(-1)?.startAtMs ?? 0) + MS_PER_DAY,
      };
      // The week that ends on the last day brings that day along.
      await aggregateAll(test, calendar, { ...whole, endAtMs: whole.endAtMs - MS_PER_DAY });
      expect(await differences(test)).toEqual([]);
      const found: string[] = [];
      for (const { startAtMs } of days) {
        const { rows } = await rowsOf(
          test,
          calendar,
          { startAtMs, endAtMs: startAtMs + MS_PER_DAY },
          { step: 'none' },
        );
        const [row] = rows;
        if (row !== undefined) found.push(dayText(row, startAtMs));
      }
      expect(found).toEqual(days.map((day) => day.text));
      expect(days).toHaveLength(11);
      if (zone !== 'UTC') return;
      const { rows } = await rowsOf(test, calendar, whole, { step: 'day' });
      expect(rows.map((row) => dayText(row, row.startAtMs))).toEqual(days.map((day) => day.text));
    },
  );
});

const TRACE: ImportFormat = {
  format: 'csv',
  columns: {
    map: new Map([
      ['job_id', 'instance_sn'],
      ['user', 'app_name'],
      ['pool', 'role'],
      ['gpus', 'gpu_request'],
      ['submit', 'creation_time'],
      ['start', 'scheduled_time'],
      ['end', 'deletion_time'],
    ]),
    set: new Map(),
    key: null,
  },
  source: 'csv',
  zone: null,
  timeUnit: 's',
  timeOriginAtMs: Date.UTC(2025, 0, 1),
  missingStart: Date.UTC(2025, 0, 1),
  missingEnd: Date.UTC(2025, 1, 1),
};

describe('the trace of a production GPU cluster, against the overlap formula in plain SQL', () => {
  ifPresent.each(ZONES)(
    'books in %s: every hour, day, week and month per user and pool to the ms (G1, G2, G3)',
    async (zone) => {
      test = await createTestDatabase();
      const books = await openTestBooks(test, { zone });
      const calendar = Calendar.of(zone);
      const summary = await load(test, books, 'gpu-trace-dlrm-2025.csv', TRACE);
      expect(summary.records).toBe(23_871);
      expect(await test.query('select count(*)::int as runs from run')).toEqual([{ runs: 23_871 }]);
      await setOrigin(test, calendar.startOf('hour', Date.UTC(2025, 0, 1)));
      const window = { startAtMs: Date.UTC(2025, 0, 1), endAtMs: Date.UTC(2025, 1, 1) };
      for (const granularity of ['month', 'week'] as const) {
        for (const period of calendar.periodsTouching(granularity, window)) {
          if (period.startAtMs <= Date.UTC(2025, 1, 1) && period.endAtMs <= Date.UTC(2025, 1, 4)) {
            await aggregateNow(test, calendar, { ...period, reprocess: 'stale' });
          }
        }
      }
      expect(await differences(test)).toEqual([]);
      for (const granularity of ['day', 'week', 'month'] as const) {
        await expectSameReport(calendar, window, granularity);
      }
      const lastDay = { startAtMs: window.endAtMs - MS_PER_DAY, endAtMs: window.endAtMs };
      await expectSameReport(calendar, lastDay, 'hour');
    },
    300_000,
  );
});

async function expectSameReport(
  calendar: Calendar,
  window: Span,
  step: Granularity,
): Promise<void> {
  const { rows, asOfMs } = await rowsOf(test, calendar, window, { step, by: ['user', 'pool'] });
  const spans = [...calendar.periodsTouching(step, window)].map((period) => ({
    startAtMs: Math.max(period.startAtMs, window.startAtMs),
    endAtMs: Math.min(period.endAtMs, window.endAtMs),
  }));
  const expected = await oracleLines(test, { spans, by: ['user', 'pool'], nowMs: asOfMs });
  expect(expected.length).toBeGreaterThan(100);
  expect(rows.map(lineOf)).toEqual(expected);
}
