import { describe, expect, it } from '@jest/globals';
import type { Period } from '../../domain/period.js';
import { plan } from '../../domain/plan.js';
import { tasksOf } from '../../domain/task.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { at, PlannerLedger } from '../support/planner-ledger.js';

const NOW = at('2026-03-04T10:30:00Z');
const setting = { originAtMs: at('2026-01-01T00:00:00Z'), nowMs: NOW };
const names = (tasks: readonly (Period & { parts: number })[]): string[] =>
  tasks.map(({ granularity, label, parts }) => `${granularity} ${label} +${parts}`);

describe('tasks of a plan', () => {
  it('one day stands for its missing hours, the newest due hour stays first', () => {
    const ledger = PlannerLedger.complete(setting, at('2026-03-02T22:00:00Z'));
    const { build } = plan(ledger.input());
    expect(names(tasksOf(build, 30))).toEqual([
      'hour 2026-03-04T09:00+00:00 +0',
      'day 2026-03-02 +2',
      'day 2026-03-03 +24',
      'hour 2026-03-04T00:00+00:00 +0',
    ]);
  });

  it('the newest due hour stays first and its own although its day and month are in the slice', () => {
    const nowMs = at('2026-03-01T00:30:00Z');
    const ledger = PlannerLedger.complete({ ...setting, nowMs }, at('2026-02-28T22:00:00Z'));
    expect(names(tasksOf(plan(ledger.input()).build, 50))).toEqual([
      'hour 2026-02-28T23:00+00:00 +0',
      'month 2026-02 +3',
    ]);
  });

  it('a month does not stand for a week inside it, and a day in both has no task of its own', () => {
    const nowMs = at('2026-03-01T00:30:00Z');
    const ledger = PlannerLedger.complete({ ...setting, nowMs });
    for (const granularity of ['day', 'week', 'month'] as const) {
      ledger.spoil(granularity, at('2026-02-11T00:00:00Z'), 'parts');
    }
    expect(names(tasksOf(plan(ledger.input()).build, 50))).toEqual([
      'week 2026-W07 +1',
      'month 2026-02 +1',
    ]);
  });

  it('takes the first entries up to the limit', () => {
    const ledger = PlannerLedger.complete(setting, NOW - 10 * MS_PER_DAY);
    const { build } = plan(ledger.input({ coarsest: 'hour' }));
    const tasks = tasksOf(build, 50);
    expect(tasks.map(({ startAtMs }) => startAtMs)).toEqual(
      build.slice(0, 50).map(({ startAtMs }) => startAtMs),
    );
    expect(tasksOf(build, 0)).toEqual([]);
    expect(tasksOf([], 50)).toEqual([]);
  });

  it('a task has the fingerprint of its period, and another when its parts have others', () => {
    const atMs = at('2026-03-02T07:00:00Z');
    const fingerprint = (...staleHoursAtMs: number[]) => {
      const ledger = PlannerLedger.complete(setting);
      ledger.spoil('day', atMs, 'parts');
      for (const hourAtMs of staleHoursAtMs) ledger.spoil('hour', hourAtMs);
      return tasksOf(plan(ledger.input()).build, 50).map((task) => task.fingerprint);
    };
    const two = [atMs, atMs + MS_PER_HOUR];
    const of = [[], two, [...two, atMs + 2 * MS_PER_HOUR]].map((hours) => fingerprint(...hours));
    expect(of.map((tasks) => tasks.length)).toEqual([1, 1, 1]);
    expect(of[0]).toEqual([`parts ${at('2026-03-02T00:00:00Z')}`]);
    expect(new Set(of.flat()).size).toBe(3);
    expect(fingerprint(...two)).toEqual(of[1]);
  });
});
