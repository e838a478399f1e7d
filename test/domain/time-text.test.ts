import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { Calendar } from '../../domain/calendar.js';
import type { JobhoursError } from '../../domain/errors.js';
import type { Granularity } from '../../domain/period.js';
import { parsePeriodLabel, parseRange, parseWindow } from '../../domain/time-text.js';
import { EARLIEST_AT_MS, instantText, LATEST_AT_MS, MS_PER_DAY } from '../../domain/units.js';

const at = (text: string) => Date.parse(text);

/** The JobhoursError that `act` throws, as `CODE message`; anything else as what it is. */
function refusal(act: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(act())}`;
  } catch (error) {
    const { name, code, message } = error as JobhoursError;
    return name === 'JobhoursError' ? `${code} ${message}` : String(error);
  }
}

describe('parseWindow', () => {
  const calendar = Calendar.of('Asia/Shanghai');
  const nowMs = at('2026-03-04T05:06:07.089Z');
  const window = (text: string) => {
    const { startAtMs, endAtMs } = parseWindow(text, calendar, nowMs);
    return [instantText(startAtMs), instantText(endAtMs)];
  };

  it.each([
    ['today', '2026-03-03T16:00:00.000Z', '2026-03-04T05:06:07.089Z'],
    ['yesterday', '2026-03-02T16:00:00.000Z', '2026-03-03T16:00:00.000Z'],
    ['week', '2026-03-01T16:00:00.000Z', '2026-03-04T05:06:07.089Z'],
    ['lastweek', '2026-02-22T16:00:00.000Z', '2026-03-01T16:00:00.000Z'],
    ['month', '2026-02-28T16:00:00.000Z', '2026-03-04T05:06:07.089Z'],
    ['lastmonth', '2026-01-31T16:00:00.000Z', '2026-02-28T16:00:00.000Z'],
    ['30m', '2026-03-04T04:36:07.089Z', '2026-03-04T05:06:07.089Z'],
    ['12h', '2026-03-03T17:06:07.089Z', '2026-03-04T05:06:07.089Z'],
    ['7d', '2026-02-25T05:06:07.089Z', '2026-03-04T05:06:07.089Z'],
    ['2026-01-01,2026-02-01', '2025-12-31T16:00:00.000Z', '2026-01-31T16:00:00.000Z'],
    ['2026-03-01T12:00,now', '2026-03-01T04:00:00.000Z', '2026-03-04T05:06:07.089Z'],
    ['2026-03-01T12:00Z, 2027-01-01', '2026-03-01T12:00:00.000Z', '2026-12-31T16:00:00.000Z'],
  ])('%s is [%s, %s)', (text, start, end) => {
    expect(window(text)).toEqual([start, end]);
  });

  it('today in Havana on the day with two midnights begins at the first of them', () => {
    const havana = Calendar.of('America/Havana');
    const { startAtMs } = parseWindow('today', havana, at('2026-11-01T05:30:00Z'));
    expect(instantText(startAtMs)).toBe('2026-11-01T04:00:00.000Z');
  });

  it.each([
    ['tomorrow', 'FIELD_UNKNOWN', 'today, yesterday, week, lastweek, month, lastmonth'],
    ['7w', 'FIELD_UNKNOWN', 'today'],
    ['', 'FIELD_UNKNOWN', 'today'],
    ['constructor', 'FIELD_UNKNOWN', 'today'],
    ['2026-01-01,2026-02-01,2026-03-01', 'FIELD_UNKNOWN', 'A,B'],
    ['0h', 'RANGE_INVALID', 'does not end after it starts'],
    ['2026-02-01,2026-01-01', 'RANGE_INVALID', 'does not end after it starts'],
    ['2026-02-01,2026-02-01', 'RANGE_INVALID', 'does not end after it starts'],
    ['now,now', 'RANGE_INVALID', 'does not end after it starts'],
    ['99999d', 'TIME_RANGE', '1990 to 2100'],
    ['2026-02-30,now', 'TIME_INVALID', '--window'],
    [',now', 'TIME_INVALID', '--window'],
  ])('B39: %j is %s', (text, code, rule) => {
    const message = refusal(() => window(text));
    expect(message).toContain(code);
    expect(message).toContain(rule);
  });
});

describe('parseRange', () => {
  const calendar = Calendar.of('America/New_York');
  const nowMs = at('2026-03-04T05:06:07.089Z');

  it('holds exactly the edges that were given', () => {
    const start = at('2026-03-08T05:00Z');
    const end = at('2026-03-09T04:00Z');
    expect(parseRange(undefined, undefined, calendar, nowMs)).toEqual({});
    expect(parseRange('2026-03-08', undefined, calendar, nowMs)).toEqual({ startAtMs: start });
    expect(parseRange(undefined, '2026-03-09', calendar, nowMs)).toEqual({ endAtMs: end });
    expect(parseRange('2026-03-08', '2026-03-09', calendar, nowMs)).toEqual({
      startAtMs: start,
      endAtMs: end,
    });
    expect(parseRange('2026-01-01', 'now', calendar, nowMs).endAtMs).toBe(nowMs);
  });

  it.each([
    ['2026-03-09', '2026-03-08', 'RANGE_INVALID'],
    ['2026-03-08', '2026-03-08', 'RANGE_INVALID'],
    ['2026-03-08T02:30', undefined, 'TIME_NONEXISTENT --start'],
    [undefined, '2026-11-01T01:30', 'TIME_AMBIGUOUS --end'],
    ['soon', undefined, 'TIME_INVALID --start'],
  ])('B39: from %j to %j is %s', (start, end, code) => {
    const message = refusal(() => parseRange(start, end, calendar, nowMs));
    expect(message).toContain(code);
    // The flags and what they were given.
    if (start !== undefined) expect(message).toContain(`--start ${JSON.stringify(start)}`);
    if (end !== undefined) expect(message).toContain(`--end ${JSON.stringify(end)}`);
  });
});

describe('parsePeriodLabel', () => {
  it.each([
    ['hour', '2026-11-01T01:00-05:00', 'America/New_York', '2026-11-01T06:00:00.000Z'],
    ['hour', '2026-04-05T01:30+10:30', 'Australia/Lord_Howe', '2026-04-04T15:00:00.000Z'],
    ['day', '2026-01-31', 'Asia/Shanghai', '2026-01-30T16:00:00.000Z'],
    ['week', '2026-W05', 'Asia/Shanghai', '2026-01-25T16:00:00.000Z'],
    ['week', '2026-W53', 'UTC', '2026-12-28T00:00:00.000Z'],
    ['week', '2025-W01', 'UTC', '2024-12-30T00:00:00.000Z'],
    ['month', '2026-01', 'Asia/Shanghai', '2025-12-31T16:00:00.000Z'],
    ['day', '1990-01-01', 'Asia/Shanghai', '1989-12-31T16:00:00.000Z'],
    ['month', '2100-12', 'America/New_York', '2100-12-01T05:00:00.000Z'],
  ] as const)('%s %s in %s begins at %s', (granularity, label, zone, start) => {
    const calendar = Calendar.of(zone);
    const period = parsePeriodLabel(granularity, label, calendar);
    expect(instantText(period.startAtMs)).toBe(start);
    expect(period).toEqual(calendar.periodAt(granularity, period.startAtMs));
  });

  it.each([
    ['week', '2026-W54', 'UTC', 'PERIOD_INVALID'],
    ['week', '2025-W53', 'UTC', 'PERIOD_INVALID'],
    ['week', '2026-W00', 'UTC', 'PERIOD_INVALID'],
    ['week', '2026-05', 'UTC', 'PERIOD_INVALID'],
    ['month', '2026-13', 'UTC', 'PERIOD_INVALID'],
    ['month', '2026-01-31', 'UTC', 'PERIOD_INVALID'],
    ['day', '2026-02-30', 'UTC', 'PERIOD_INVALID'],
    ['day', '', 'UTC', 'PERIOD_INVALID'],
    ['hour', '2026-01-31T15:00', 'UTC', 'PERIOD_INVALID'],
    ['hour', '2026-02-30T15:00+00:00', 'UTC', 'PERIOD_INVALID'],
    ['hour', '2026-01-31T15:30+08:00', 'Asia/Shanghai', 'PERIOD_INVALID'],
    ['hour', '2026-01-31T15:00+00:00', 'Asia/Shanghai', 'PERIOD_INVALID'],
    ['day', '2011-12-30', 'Pacific/Apia', 'PERIOD_DOES_NOT_EXIST'],
    ['day', '1989-12-31', 'UTC', 'TIME_RANGE'],
    ['day', '2101-01-01', 'UTC', 'TIME_RANGE'],
    ['month', '9999-01', 'UTC', 'TIME_RANGE'],
    ['month', '0000-01', 'UTC', 'TIME_RANGE'],
  ] as const)('B67: %s %j in %s is %s', (granularity, label, zone, code) => {
    const message = refusal(() => parsePeriodLabel(granularity, label, Calendar.of(zone)));
    expect(message).toContain(`${code} ${granularity} ${JSON.stringify(label)}`);
  });

  it.each(['America/Havana', 'Australia/Lord_Howe', 'America/St_Johns', 'Pacific/Apia'])(
    'G4: every label of %s leads back to its period',
    (zone) => {
      const calendar = Calendar.of(zone);
      const instants = fc.integer({
        min: EARLIEST_AT_MS + MS_PER_DAY,
        max: LATEST_AT_MS - MS_PER_DAY,
      });
      const granularities = fc.constantFrom<Granularity>('hour', 'day', 'week', 'month');
      fc.assert(
        fc.property(granularities, instants, (granularity, atMs) => {
          const period = calendar.periodAt(granularity, atMs);
          expect(parsePeriodLabel(granularity, period.label, calendar)).toEqual(period);
        }),
      );
    },
  );
});
