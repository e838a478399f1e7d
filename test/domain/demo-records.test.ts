import { describe, expect, it } from '@jest/globals';
import { Calendar } from '../../domain/calendar.js';
import { demoCsv, demoRecords, demoStartAtMs, type DemoRecord } from '../../domain/demo-records.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';

const calendar = Calendar.of('Asia/Shanghai');
const openedAtMs = Date.parse('2026-11-21T10:30:00Z');
const log = (nowMs: number, opened = openedAtMs): DemoRecord[] => [
  ...demoRecords({ calendar, openedAtMs: opened, nowMs }),
];
const key = ({ jobId, attempt }: DemoRecord): string => `${jobId}/${attempt}`;
const records = log(openedAtMs);

describe('the records of the demo', () => {
  it.each(['2026-11-01T00:00:00Z', '2026-11-21T10:30:00Z', '2026-12-31T15:59:59Z'])(
    'are about 2,000 runs of 40 users, 6 spaces and 3 pools when the books are opened at %s',
    (text) => {
      const opened = Date.parse(text);
      const runs = log(opened, opened).filter(({ startAtMs }) => startAtMs !== null);
      expect(runs.length).toBeGreaterThan(1_800);
      expect(runs.length).toBeLessThan(2_200);
      expect(new Set(runs.map(({ user }) => user)).size).toBe(40);
      expect(new Set(runs.map(({ space }) => space)).size).toBe(6);
      expect(new Set(runs.map(({ pool }) => pool)).size).toBe(3);
    },
  );

  it('begin with the previous calendar month of the books zone and end before now', () => {
    const startAtMs = demoStartAtMs(calendar, openedAtMs);
    expect(calendar.periodAt('month', startAtMs)).toMatchObject({ label: '2026-10', startAtMs });
    for (const record of records) {
      expect(record.submitAtMs).toBeGreaterThanOrEqual(startAtMs);
      expect(record.startAtMs ?? record.submitAtMs).toBeGreaterThanOrEqual(record.submitAtMs);
      expect(record.endAtMs ?? openedAtMs).toBeGreaterThanOrEqual(
        record.startAtMs ?? record.submitAtMs,
      );
      const last = record.endAtMs ?? record.startAtMs ?? record.submitAtMs;
      expect(last).toBeLessThan(openedAtMs);
    }
    expect(records[0]?.submitAtMs).toBeLessThan(startAtMs + 2 * MS_PER_DAY);
    expect(Math.max(...records.map(({ submitAtMs }) => submitAtMs))).toBeGreaterThan(
      openedAtMs - 6 * MS_PER_HOUR,
    );
  });

  it('have retries, fractional GPUs, running, never-started and early zero-length ones among them', () => {
    const count = (test: (record: DemoRecord) => boolean): number => records.filter(test).length;
    expect(count(({ attempt }) => attempt === 1)).toBeGreaterThan(50);
    expect(count(({ attempt }) => attempt === 2)).toBeGreaterThan(5);
    expect(count(({ milliGpus }) => milliGpus % 1_000 !== 0)).toBeGreaterThan(100);
    expect(count(({ milliGpus }) => milliGpus === 0)).toBeGreaterThan(10);
    expect(
      count(({ startAtMs, endAtMs }) => startAtMs !== null && endAtMs === null),
    ).toBeGreaterThan(0);
    expect(
      count(({ startAtMs, endAtMs }) => startAtMs === null && endAtMs === null),
    ).toBeGreaterThan(10);
    const zeroLength = records.filter(
      ({ startAtMs, endAtMs }) => startAtMs !== null && startAtMs === endAtMs,
    );
    expect(zeroLength.length).toBeGreaterThan(1);
    for (const { startAtMs } of zeroLength) {
      expect(calendar.localText(startAtMs ?? 0).slice(11, 13)).toBe('03');
    }
  });

  it('have one key each, and the same day of opening gives the same records', () => {
    expect(new Set(records.map(key)).size).toBe(records.length);
    expect(log(openedAtMs, openedAtMs - 3 * MS_PER_HOUR)).toEqual(records);
  });

  it('are only continued by a later call: what had ended stays as it was', () => {
    const later = new Map(log(openedAtMs + 40 * MS_PER_DAY).map((record) => [key(record), record]));
    expect(later.size).toBeGreaterThan(records.length + 500);
    for (const record of records) {
      const again = later.get(key(record));
      expect(again).toMatchObject({ user: record.user, submitAtMs: record.submitAtMs });
      if (record.endAtMs !== null) expect(again).toEqual(record);
    }
  });

  it('are written as CSV with the canonical columns, an empty cell for what has not happened', () => {
    const record: DemoRecord = {
      user: 'heron',
      space: 'vision',
      pool: 'shared',
      jobId: '2026-11-01-001',
      attempt: 1,
      milliGpus: 125,
      submitAtMs: 0,
      startAtMs: 1,
      endAtMs: null,
    };
    expect([...demoCsv([record])]).toEqual([
      'user,space,pool,job_id,attempt,gpus,submit,start,end\n',
      'heron,vision,shared,2026-11-01-001,1,0.125,1970-01-01T00:00:00.000Z,1970-01-01T00:00:00.001Z,\n',
    ]);
  });
});
