import { describe, expect, it } from '@jest/globals';
import { DateTime } from 'luxon';

import { Calendar } from '../../domain/calendar.js';
import type { Granularity, Period } from '../../domain/period.js';
import { EARLIEST_AT_MS, instantText, LATEST_AT_MS, MS_PER_HOUR } from '../../domain/units.js';

const at = (text: string) => Date.parse(text);
const minuteText = (atMs: number) => instantText(atMs).replace(':00.000Z', 'Z');
const span = (start: string, end: string) => ({ startAtMs: at(start), endAtMs: at(end) });

/** `label startZ endZ`, one a line: what the tables below hold. */
const line = ({ label, startAtMs, endAtMs }: Period) =>
  `${label} ${minuteText(startAtMs)} ${minuteText(endAtMs)}`;

describe('G4: days of special zones', () => {
  it.each([
    ['America/New_York', '2026-03-08', '2026-03-08T05:00Z', '2026-03-09T04:00Z', 23],
    ['America/New_York', '2026-11-01', '2026-11-01T04:00Z', '2026-11-02T05:00Z', 25],
    ['Australia/Lord_Howe', '2026-04-05', '2026-04-04T13:00Z', '2026-04-05T13:30Z', 24.5],
    ['Australia/Lord_Howe', '2026-10-04', '2026-10-03T13:30Z', '2026-10-04T13:00Z', 23.5],
    ['America/Havana', '2026-11-01', '2026-11-01T04:00Z', '2026-11-02T05:00Z', 25],
    ['America/Havana', '2026-03-08', '2026-03-08T05:00Z', '2026-03-09T04:00Z', 23],
    ['Atlantic/Azores', '2026-10-25', '2026-10-25T00:00Z', '2026-10-26T01:00Z', 25],
    ['Atlantic/Azores', '2026-03-29', '2026-03-29T01:00Z', '2026-03-30T00:00Z', 23],
    ['America/St_Johns', '2010-11-07', '2010-11-07T02:30Z', '2010-11-08T03:30Z', 25],
    ['America/St_Johns', '2010-03-14', '2010-03-14T03:30Z', '2010-03-15T02:30Z', 23],
    ['America/Sao_Paulo', '2018-11-04', '2018-11-04T03:00Z', '2018-11-05T02:00Z', 23],
    ['Asia/Kathmandu', '2026-01-31', '2026-01-30T18:15Z', '2026-01-31T18:15Z', 24],
    ['Asia/Shanghai', '1991-04-14', '1991-04-13T16:00Z', '1991-04-14T15:00Z', 23],
    ['Asia/Shanghai', '1991-09-15', '1991-09-14T15:00Z', '1991-09-15T16:00Z', 25],
    ['Asia/Shanghai', '2026-01-31', '2026-01-30T16:00Z', '2026-01-31T16:00Z', 24],
    ['Pacific/Apia', '2011-12-29', '2011-12-29T10:00Z', '2011-12-30T10:00Z', 24],
    ['Pacific/Apia', '2011-12-31', '2011-12-30T10:00Z', '2011-12-31T10:00Z', 24],
    ['Pacific/Kwajalein', '1993-08-22', '1993-08-21T12:00Z', '1993-08-22T12:00Z', 24],
    ['UTC', '2026-01-31', '2026-01-31T00:00Z', '2026-02-01T00:00Z', 24],
  ])('%s %s is [%s, %s), %d hours', (zone, label, start, end, hours) => {
    const calendar = Calendar.of(zone);
    const expected = { granularity: 'day', label, startAtMs: at(start), endAtMs: at(end) };
    expect(calendar.periodAt('day', at(start))).toEqual(expected);
    expect(calendar.periodAt('day', at(end) - 1)).toEqual(expected);
    expect((at(end) - at(start)) / MS_PER_HOUR).toBe(hours);
  });

  it('a date that the zone skipped has no period: Apia goes from 2011-12-29 to 2011-12-31', () => {
    const calendar = Calendar.of('Pacific/Apia');
    const days = [
      ...calendar.periodsTouching('day', span('2011-12-29T10:00Z', '2012-01-01T10:00Z')),
    ];
    expect(days.map((day) => day.label)).toEqual(['2011-12-29', '2011-12-31', '2012-01-01']);
    const week = calendar.periodAt('week', at('2011-12-31T00:00Z'));
    expect(line(week)).toBe('2011-W52 2011-12-26T10:00Z 2012-01-01T10:00Z');
    expect(calendar.periodOfDate('day', at('2011-12-30T00:00Z') / 86_400_000)).toBeNull();
  });

  it('St_Johns 2010-11-07 goes on while the clock, put back at 00:01, shows the evening before again', () => {
    const calendar = Calendar.of('America/St_Johns');
    const repeated = at('2010-11-07T02:45Z');
    expect(calendar.localText(repeated)).toBe('2010-11-06T23:15-03:30');
    expect(calendar.periodAt('day', repeated).label).toBe('2010-11-07');
    expect(calendar.startOf('day', repeated)).toBe(at('2010-11-07T02:30Z'));
  });

  it('both midnights of Havana 2026-11-01 lie in one day, which is the only one with that label', () => {
    const calendar = Calendar.of('America/Havana');
    const keys = [
      '2026-11-01T04:30Z',
      '2026-11-01T05:00Z',
      '2026-11-01T05:30Z',
      '2026-11-02T04:59Z',
    ];
    expect(new Set(keys.map((text) => calendar.startOf('day', at(text))))).toEqual(
      new Set([at('2026-11-01T04:00Z')]),
    );
  });
});

describe('G4: hours around changes of the clocks', () => {
  it.each([
    [
      'America/New_York',
      span('2026-11-01T04:00Z', '2026-11-01T08:00Z'),
      [
        '2026-11-01T00:00-04:00 2026-11-01T04:00Z 2026-11-01T05:00Z',
        '2026-11-01T01:00-04:00 2026-11-01T05:00Z 2026-11-01T06:00Z',
        '2026-11-01T01:00-05:00 2026-11-01T06:00Z 2026-11-01T07:00Z',
        '2026-11-01T02:00-05:00 2026-11-01T07:00Z 2026-11-01T08:00Z',
      ],
    ],
    [
      'America/New_York',
      span('2026-03-08T06:00Z', '2026-03-08T08:00Z'),
      [
        '2026-03-08T01:00-05:00 2026-03-08T06:00Z 2026-03-08T07:00Z',
        '2026-03-08T03:00-04:00 2026-03-08T07:00Z 2026-03-08T08:00Z',
      ],
    ],
    [
      'Australia/Lord_Howe',
      span('2026-04-04T14:00Z', '2026-04-04T16:30Z'),
      [
        '2026-04-05T01:00+11:00 2026-04-04T14:00Z 2026-04-04T15:00Z',
        '2026-04-05T01:30+10:30 2026-04-04T15:00Z 2026-04-04T15:30Z',
        '2026-04-05T02:00+10:30 2026-04-04T15:30Z 2026-04-04T16:30Z',
      ],
    ],
    [
      'Australia/Lord_Howe',
      span('2026-10-03T14:30Z', '2026-10-03T17:00Z'),
      [
        '2026-10-04T01:00+10:30 2026-10-03T14:30Z 2026-10-03T15:30Z',
        '2026-10-04T02:30+11:00 2026-10-03T15:30Z 2026-10-03T16:00Z',
        '2026-10-04T03:00+11:00 2026-10-03T16:00Z 2026-10-03T17:00Z',
      ],
    ],
    [
      'America/St_Johns',
      span('2010-11-07T01:30Z', '2010-11-07T04:30Z'),
      [
        '2010-11-06T23:00-02:30 2010-11-07T01:30Z 2010-11-07T02:30Z',
        '2010-11-07T00:00-02:30 2010-11-07T02:30Z 2010-11-07T02:31Z',
        '2010-11-06T23:01-03:30 2010-11-07T02:31Z 2010-11-07T03:30Z',
        '2010-11-07T00:00-03:30 2010-11-07T03:30Z 2010-11-07T04:30Z',
      ],
    ],
    [
      'America/Havana',
      span('2026-11-01T04:00Z', '2026-11-01T07:00Z'),
      [
        '2026-11-01T00:00-04:00 2026-11-01T04:00Z 2026-11-01T05:00Z',
        '2026-11-01T00:00-05:00 2026-11-01T05:00Z 2026-11-01T06:00Z',
        '2026-11-01T01:00-05:00 2026-11-01T06:00Z 2026-11-01T07:00Z',
      ],
    ],
    [
      'Asia/Kathmandu',
      span('2026-01-31T09:15Z', '2026-01-31T10:15Z'),
      ['2026-01-31T15:00+05:45 2026-01-31T09:15Z 2026-01-31T10:15Z'],
    ],
    [
      'Pacific/Apia',
      span('2011-12-30T09:00Z', '2011-12-30T11:00Z'),
      [
        '2011-12-29T23:00-10:00 2011-12-30T09:00Z 2011-12-30T10:00Z',
        '2011-12-31T00:00+14:00 2011-12-30T10:00Z 2011-12-30T11:00Z',
      ],
    ],
  ])('%s', (zone, range, expected) => {
    const hours = [...Calendar.of(zone).periodsTouching('hour', range)];
    expect(hours.map(line)).toEqual(expected);
  });
});

describe('weeks and months', () => {
  it.each([
    ['week', 'Asia/Shanghai', '2026-01-31T12:00Z', '2026-W05 2026-01-25T16:00Z 2026-02-01T16:00Z'],
    ['week', 'UTC', '2027-01-03T00:00Z', '2026-W53 2026-12-28T00:00Z 2027-01-04T00:00Z'],
    ['week', 'UTC', '2024-12-30T00:00Z', '2025-W01 2024-12-30T00:00Z 2025-01-06T00:00Z'],
    ['month', 'Asia/Shanghai', '2026-01-31T16:00Z', '2026-02 2026-01-31T16:00Z 2026-02-28T16:00Z'],
    ['month', 'UTC', '2024-02-29T23:59Z', '2024-02 2024-02-01T00:00Z 2024-03-01T00:00Z'],
    ['month', 'America/Havana', '2026-11-01T05:30Z', '2026-11 2026-11-01T04:00Z 2026-12-01T05:00Z'],
  ] as const)('%s in %s at %s', (granularity, zone, instant, expected) => {
    expect(line(Calendar.of(zone).periodAt(granularity, at(instant)))).toBe(expected);
  });
});

describe('periodsTouching and periodsWithin', () => {
  const calendar = Calendar.of('Asia/Shanghai');
  const labels = (periods: Iterable<Period>) => [...periods].map(({ label }) => label);

  it('touching takes every period that shares an instant with the span, within only whole ones', () => {
    const range = span('2026-01-30T16:00:00.001Z', '2026-02-02T16:00:00.000Z');
    expect(labels(calendar.periodsTouching('day', range))).toEqual([
      '2026-01-31',
      '2026-02-01',
      '2026-02-02',
    ]);
    expect(labels(calendar.periodsWithin('day', range))).toEqual(['2026-02-01', '2026-02-02']);
    const longer = { ...range, endAtMs: range.endAtMs + 1 };
    expect(labels(calendar.periodsTouching('day', longer))).toHaveLength(4);
    expect(labels(calendar.periodsWithin('day', longer))).toEqual(['2026-02-01', '2026-02-02']);
  });

  it('an empty span touches nothing', () => {
    const nowMs = at('2026-01-31T00:00Z');
    expect(labels(calendar.periodsTouching('hour', { startAtMs: nowMs, endAtMs: nowMs }))).toEqual(
      [],
    );
    expect(labels(calendar.periodsWithin('hour', { startAtMs: nowMs, endAtMs: nowMs }))).toEqual(
      [],
    );
  });

  it('next and previous undo each other', () => {
    for (const granularity of ['hour', 'day', 'week', 'month'] as const) {
      const period = calendar.periodAt(granularity, at('1991-09-15T00:30Z'));
      expect(calendar.previous(calendar.next(period))).toEqual(period);
      expect(calendar.next(calendar.previous(period))).toEqual(period);
    }
  });

  it('a period of another zone is refused instead of being walked from', () => {
    const foreign = Calendar.of('UTC').periodAt('day', at('2026-01-31T00:00Z'));
    expect(() => calendar.next(foreign)).toThrow(expect.objectContaining({ code: 'UNEXPECTED' }));
    expect(() => calendar.previous(foreign)).toThrow(
      expect.objectContaining({ code: 'UNEXPECTED' }),
    );
  });

  it('the periods at both ends of the time line exist, and far outside it TIME_RANGE answers', () => {
    for (const granularity of ['hour', 'day', 'week', 'month'] as Granularity[]) {
      expect(calendar.periodAt(granularity, EARLIEST_AT_MS).endAtMs).toBeGreaterThan(
        EARLIEST_AT_MS,
      );
      expect(calendar.periodAt(granularity, LATEST_AT_MS).endAtMs).toBeGreaterThan(LATEST_AT_MS);
      for (const outside of [0, Number.NaN, 1_767_225_600, LATEST_AT_MS * 1_000, -Infinity]) {
        expect(() => calendar.periodAt(granularity, outside)).toThrow(
          expect.objectContaining({ code: 'TIME_RANGE' }),
        );
      }
    }
  });
});

describe('texts of instants', () => {
  it.each([
    ['Asia/Shanghai', '2026-01-31T07:00:00.000Z', '2026-01-31T15:00+08:00'],
    ['America/St_Johns', '2026-01-31T07:00:00.123Z', '2026-01-31T03:30:00.123-03:30'],
    ['America/New_York', '2026-11-01T06:30:00.000Z', '2026-11-01T01:30-05:00'],
    ['UTC', '2026-01-31T07:00:00.000Z', '2026-01-31T07:00+00:00'],
    ['Asia/Kathmandu', '1999-12-31T23:59:59.999Z', '2000-01-01T05:44:59.999+05:45'],
  ])('%s %s is %s', (zone, instant, expected) => {
    const calendar = Calendar.of(zone);
    expect(calendar.localText(at(instant))).toBe(expected);
    expect(calendar.offsetText(at(instant))).toBe(expected.slice(-6));
  });
});

describe('hourBoundaryMinutes', () => {
  it.each([
    ['Asia/Shanghai', '1990-01-01T00:00Z', '2100-01-01T00:00Z', 60],
    ['UTC', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 60],
    ['Asia/Kolkata', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 30],
    ['Australia/Lord_Howe', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 30],
    ['Australia/Lord_Howe', '2026-01-01T00:00Z', '2026-02-01T00:00Z', 60],
    ['Australia/Lord_Howe', '2026-05-01T00:00Z', '2026-06-01T00:00Z', 30],
    ['Asia/Kathmandu', '2026-01-01T00:00Z', '2026-01-02T00:00Z', 15],
    ['Asia/Kathmandu', '2026-01-01T00:01Z', '2026-01-01T00:15Z', 60],
    ['Pacific/Chatham', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 15],
    ['America/St_Johns', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 30],
    ['America/St_Johns', '2010-01-01T00:00Z', '2011-01-01T00:00Z', 15],
    ['America/New_York', '2026-01-01T00:00Z', '2027-01-01T00:00Z', 60],
  ])('%s from %s to %s: every %d minutes', (zone, from, to, expected) => {
    expect(Calendar.of(zone).hourBoundaryMinutes(at(from), at(to))).toBe(expected);
  });
});

describe('luxon agrees where it is right: away from changes of the clocks', () => {
  const zones = [
    'Asia/Shanghai',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
    'Atlantic/Azores',
  ];
  it.each(zones)('%s, every 37th day of 1990 to 2100', (zone) => {
    const calendar = Calendar.of(zone);
    const differing: string[] = [];
    for (
      let noon = DateTime.fromISO('1990-01-05T12:00', { zone });
      noon.year < 2101;
      noon = noon.plus({ days: 37 })
    ) {
      const offsets = [-40, -27, 0, 27, 40].map((hours) => noon.plus({ hours }).offset);
      if (new Set(offsets).size > 1) continue;
      const day = calendar.periodAt('day', noon.toMillis());
      const { startAtMs, label } = calendar.periodAt('hour', noon.toMillis() + 123_456);
      const agree =
        day.startAtMs === noon.startOf('day').toMillis() &&
        day.label === noon.toFormat('yyyy-MM-dd') &&
        startAtMs === noon.startOf('hour').toMillis() &&
        label === noon.toFormat("yyyy-MM-dd'T'HH:mmZZ") &&
        calendar.periodAt('week', noon.toMillis()).label === noon.toFormat("kkkk-'W'WW") &&
        calendar.periodAt('month', noon.toMillis()).label === noon.toFormat('yyyy-MM') &&
        calendar.localText(noon.toMillis()) ===
          noon.toISO({ suppressSeconds: true, suppressMilliseconds: true });
      if (!agree) differing.push(`${noon.toISO()} ${day.label} ${label}`);
    }
    expect(differing).toEqual([]);
  });
});
