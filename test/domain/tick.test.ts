import { describe, expect, it } from '@jest/globals';
import { Calendar } from '../../domain/calendar.js';
import { GRANULARITIES } from '../../domain/period.js';
import { AUDIT_TICK, nextTickAtMs, tickOf } from '../../domain/tick.js';
import { MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';

const NOW = Date.UTC(2026, 0, 31, 15, 20);

describe('the ticks of the schedules', () => {
  it('come every hour, after the grace and a margin, staggered by granularity', () => {
    const shanghai = Calendar.of('Asia/Shanghai');
    const ticks = GRANULARITIES.map((one) => tickOf(shanghai, one, 2 * MS_PER_MINUTE, NOW));
    expect(ticks).toEqual(
      [2, 7, 12, 17].map((minutes) => ({
        everyMs: MS_PER_HOUR,
        offsetMs: minutes * MS_PER_MINUTE + 5_000,
      })),
    );
  });

  it.each([
    ['Asia/Kathmandu', 15],
    ['Asia/Kolkata', 30],
    ['Australia/Lord_Howe', 30],
    ['America/New_York', 60],
  ])('fall on every hour boundary of %s: every %d minutes', (zone, minutes) => {
    const tick = tickOf(Calendar.of(zone), 'hour', 0, NOW);
    expect(tick).toEqual({ everyMs: minutes * MS_PER_MINUTE, offsetMs: 5_000 });
  });

  it('have an offset below their interval, however long the grace is', () => {
    const tick = tickOf(Calendar.of('Asia/Kathmandu'), 'hour', 125 * MS_PER_MINUTE, NOW);
    expect(tick).toEqual({ everyMs: 15 * MS_PER_MINUTE, offsetMs: 5 * MS_PER_MINUTE + 5_000 });
  });

  it('the next one lies after now, by at most one interval', () => {
    const tick = { everyMs: MS_PER_HOUR, offsetMs: 5_000 };
    const at = Date.UTC(2026, 0, 31, 15, 0, 5);
    expect(nextTickAtMs(tick, at - 1)).toBe(at);
    expect(nextTickAtMs(tick, at)).toBe(at + MS_PER_HOUR);
    expect(nextTickAtMs(tick, at + 1)).toBe(at + MS_PER_HOUR);
    expect(nextTickAtMs(AUDIT_TICK, Date.UTC(2026, 0, 31, 18, 40))).toBe(
      Date.UTC(2026, 1, 1, 18, 40),
    );
  });
});
