import { describe, expect, it } from '@jest/globals';
import { keeperTasks } from '../../domain/keeper-task.js';
import { Calendar } from '../../domain/calendar.js';
import type { Granularity, Span } from '../../domain/period.js';
import type { PlannedPeriod } from '../../domain/plan.js';

const calendar = Calendar.of('UTC');
const at = (text: string): number => Date.parse(`2026-03-${text}Z`);
const span = (start: string, end: string): Span => ({ startAtMs: at(start), endAtMs: at(end) });

function planned(
  granularity: Granularity,
  when: string,
  reason: PlannedPeriod['reason'] = 'stale',
): PlannedPeriod {
  return { ...calendar.periodAt(granularity, at(when)), reason, because: '', fingerprint: reason };
}

const labels = (tasks: readonly { label: string }[]): string[] => tasks.map(({ label }) => label);

describe('the tasks of the keeper', () => {
  it('join the stale hours of an unbroken range of the ledger, up to its end', () => {
    const tasks = keeperTasks(
      [planned('hour', '10T05:00'), planned('hour', '12T07:00')],
      [span('01', '20')],
      [],
      50,
    );
    expect(tasks).toMatchObject([
      { label: '2026-03-10T05:00+00:00', parts: 1, only: span('10T05:00', '20') },
    ]);
  });

  it('begin a chain anew behind a hole and behind the range of a backfill', () => {
    const tasks = keeperTasks(
      [planned('hour', '02'), planned('hour', '05'), planned('hour', '12')],
      [span('01', '04'), span('04T01:00', '20')],
      [span('08', '10')],
      50,
    );
    expect(tasks.map(({ only }) => only)).toEqual([
      span('02', '04'),
      span('05', '08'),
      span('12', '20'),
    ]);
  });

  it('run a chain before the days after it, the newest due hour first', () => {
    const tasks = keeperTasks(
      [
        planned('hour', '20T03:00', 'missing'),
        planned('hour', '10T05:00'),
        planned('day', '10'),
        planned('day', '11'),
      ],
      [span('01', '20T03:00')],
      [],
      50,
    );
    expect(labels(tasks)).toEqual([
      '2026-03-20T03:00+00:00',
      '2026-03-10T05:00+00:00',
      '2026-03-10',
      '2026-03-11',
    ]);
  });

  it('change their fingerprint when a stale hour of the chain is done', () => {
    const both = [planned('hour', '10T05:00'), planned('hour', '12T07:00')];
    const fingerprint = (build: PlannedPeriod[]): string | undefined =>
      keeperTasks(build, [span('01', '20')], [], 50)[0]?.fingerprint;
    expect(fingerprint(both)).toBe(fingerprint([...both]));
    expect(fingerprint(both)).not.toBe(fingerprint(both.slice(0, 1)));
  });

  it('are at most as many as the limit', () => {
    const days = Array.from({ length: 20 }, (_, day) =>
      planned('day', String(day + 1).padStart(2, '0')),
    );
    expect(keeperTasks(days, [], [], 7)).toHaveLength(7);
  });

  it('keep the plan as it is when no hour is stale', () => {
    const build = [planned('hour', '10T05:00', 'missing'), planned('day', '09', 'missing')];
    expect(labels(keeperTasks(build, [], [], 50))).toEqual([
      '2026-03-10T05:00+00:00',
      '2026-03-09',
    ]);
  });
});
