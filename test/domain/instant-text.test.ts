import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { Calendar } from '../../domain/calendar.js';
import type { JobhoursError } from '../../domain/errors.js';
import { parseInstant, parseNumericInstant } from '../../domain/time-text.js';
import { EARLIEST_AT_MS, instantText, LATEST_AT_MS } from '../../domain/units.js';

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

describe('parseInstant', () => {
  it.each([
    ['2026-01-31T15:00:00+08:00', null, '2026-01-31T07:00:00.000Z'],
    ['2026-01-31T15:00:00Z', null, '2026-01-31T15:00:00.000Z'],
    ['2026-01-31t15:00:00z', null, '2026-01-31T15:00:00.000Z'],
    ['2026-01-31 15:00:00.5 +0545', null, '2026-01-31T09:15:00.500Z'],
    ['2026-01-31T15:00-03', null, '2026-01-31T18:00:00.000Z'],
    [' 2026-01-31T15:00Z ', null, '2026-01-31T15:00:00.000Z'],
    ['2026-01-31T15:00', 'Asia/Shanghai', '2026-01-31T07:00:00.000Z'],
    ['2026-01-31T15:00:00.250', 'UTC', '2026-01-31T15:00:00.250Z'],
    ['2026-01-31T15:00Z', 'Asia/Shanghai', '2026-01-31T15:00:00.000Z'],
    ['2024-02-29', 'Asia/Kathmandu', '2024-02-28T18:15:00.000Z'],
    ['2018-11-04', 'America/Sao_Paulo', '2018-11-04T03:00:00.000Z'],
    ['2026-11-01', 'America/Havana', '2026-11-01T04:00:00.000Z'],
    ['1990-01-01T00:00:00Z', null, '1990-01-01T00:00:00.000Z'],
    ['2100-12-31T23:59:59.999Z', null, '2100-12-31T23:59:59.999Z'],
    ['2026-10-25T01:59:59.999', 'Europe/Berlin', '2026-10-24T23:59:59.999Z'],
    ['2026-10-25T03:00', 'Europe/Berlin', '2026-10-25T02:00:00.000Z'],
    ['2026-03-29T03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['2026-10-25T02:30+02:00', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
    ['2026-10-25T02:30+01:00', 'Europe/Berlin', '2026-10-25T01:30:00.000Z'],
  ])('%j read in %s is %s', (text, zone, expected) => {
    expect(instantText(parseInstant(text, { zone, field: 'start' }))).toBe(expected);
  });

  it.each([
    ['2026-01-31T15:59:59.9996Z', '2026-01-31T15:59:59.999Z'],
    ['2026-01-31T15:59:59.999999999999999999Z', '2026-01-31T15:59:59.999Z'],
    ['2026-01-31T15:00:00.0009Z', '2026-01-31T15:00:00.000Z'],
    ['2026-01-31T15:00:00.1Z', '2026-01-31T15:00:00.100Z'],
  ])('B12: finer than ms is cut off, never rounded up: %s', (text, expected) => {
    expect(instantText(parseInstant(text, { field: 'start' }))).toBe(expected);
  });

  it.each([
    ['B4', '1969-12-31T23:59:59Z', 'TIME_RANGE', '1990 to 2100'],
    ['B4', '1989-12-31T23:59:59.999Z', 'TIME_RANGE', '1990 to 2100'],
    ['B4', '2101-01-01T00:00:00Z', 'TIME_RANGE', '1990 to 2100'],
    ['B4', '2100-12-31T23:59:59-00:01', 'TIME_RANGE', '1990 to 2100'],
    ['B5', '0001-01-01T00:00:00Z', 'TIME_RANGE', '1990 to 2100'],
    ['B5', '10000-01-01T00:00:00Z', 'TIME_RANGE', '1990 to 2100'],
    ['B5', '+275760-09-13T00:00:00Z', 'TIME_RANGE', '1990 to 2100'],
    ['B5', 'infinity', 'TIME_RANGE', '1990 to 2100'],
    ['B5', '-infinity', 'TIME_RANGE', '1990 to 2100'],
    ['B6', '2026-02-30', 'TIME_INVALID', 'a date that does not exist'],
    ['B6', '2025-02-29', 'TIME_INVALID', 'a date that does not exist'],
    ['B6', '2100-02-29T00:00:00Z', 'TIME_INVALID', 'a date that does not exist'],
    ['B6', '2026-13-01', 'TIME_INVALID', 'a date that does not exist'],
    ['B6', '2026-00-10', 'TIME_INVALID', 'a date that does not exist'],
    ['B7', '2026-01-01T10:00', 'TIME_ZONE_MISSING', '--zone'],
    ['B7', '2026-01-01', 'TIME_ZONE_MISSING', '--zone'],
    ['B10', '2016-12-31T23:59:60Z', 'TIME_LEAP_SECOND', 'no instant'],
    ['B10', '2017-01-01T07:59:60+08:00', 'TIME_LEAP_SECOND', 'no instant'],
    ['B11', '2026-01-31T24:00:00Z', 'TIME_INVALID', '00:00:00 to 23:59:59'],
    ['B11', '2026-01-31T12:60Z', 'TIME_INVALID', '00:00:00 to 23:59:59'],
    ['B11', '2026-01-31T12:00:61Z', 'TIME_INVALID', '00:00:00 to 23:59:59'],
    ['B11', '12:60', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '24:00:00', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '1e12', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '1767225600', 'TIME_UNIT', 'looks like seconds'],
    ['B11', '1767225600000', 'TIME_UNIT', 'looks like milliseconds'],
    ['B11', '', 'TIME_INVALID', 'ISO 8601'],
    ['B11', 'Unknown', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '2026-1-31', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '20260131T150000Z', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '2026-01-31T15Z', 'TIME_INVALID', 'ISO 8601'],
    ['B11', '2026-01-31T15:00+25:00', 'TIME_INVALID', 'offset'],
    ['B11', '2026-01-31T15:00+08:60', 'TIME_INVALID', 'offset'],
    ['B11', '2026-01-31T15:00Asia/Shanghai', 'TIME_INVALID', 'ISO 8601'],
  ])('%s: %j is %s', (_number, text, code, rule) => {
    const message = refusal(() => parseInstant(text, { field: 'start' }));
    expect(message).toContain(`${code} start ${JSON.stringify(text)}`);
    expect(message).toContain(rule);
  });

  it('B8: a local time that happens twice names both offsets', () => {
    const parse = () => parseInstant('2026-10-25T02:30', { zone: 'Europe/Berlin', field: 'start' });
    expect(refusal(parse)).toMatch(/^TIME_AMBIGUOUS .*give \+02:00 or \+01:00/);
  });

  it.each([
    ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29 02:00 to 2026-03-29 03:00'],
    ['2026-03-29T02:00', 'Europe/Berlin', '2026-03-29 02:00 to 2026-03-29 03:00'],
    ['2026-10-04T02:29', 'Australia/Lord_Howe', '2026-10-04 02:00 to 2026-10-04 02:30'],
    ['2011-12-30T12:00', 'Pacific/Apia', '2011-12-30 00:00 to 2011-12-31 00:00'],
  ])('B9: %s in %s was skipped: %s', (text, zone, skipped) => {
    const message = refusal(() => parseInstant(text, { zone, field: 'start' }));
    expect(message).toContain('TIME_NONEXISTENT');
    expect(message).toContain(skipped);
  });

  it('B67: a date that the zone skipped is PERIOD_DOES_NOT_EXIST', () => {
    const parse = () => parseInstant('2011-12-30', { zone: 'Pacific/Apia', field: '--start' });
    expect(refusal(parse)).toMatch(/^PERIOD_DOES_NOT_EXIST --start "2011-12-30" .*Pacific\/Apia/);
  });

  it('B13: an unknown zone is refused even when the field is right', () => {
    expect(refusal(() => parseInstant('2026-01-31', { zone: 'foo8', field: 'start' }))).toContain(
      'ZONE_UNKNOWN',
    );
  });

  it('a text of 10 kB is refused with a short message', () => {
    const message = refusal(() => parseInstant('1'.repeat(10_000), { field: 'start' }));
    expect(message).toContain('TIME_INVALID');
    expect(message.length).toBeLessThan(250);
  });

  it.each(['Asia/Shanghai', 'America/New_York', 'Australia/Lord_Howe', 'America/St_Johns'])(
    'B8, B9: reads back what localText writes, with offset always, without it unless it is ambiguous: %s',
    (zone) => {
      const calendar = Calendar.of(zone);
      const arbitraryMs = fc.integer({ min: EARLIEST_AT_MS, max: LATEST_AT_MS - 1 });
      fc.assert(
        fc.property(arbitraryMs, (atMs) => {
          const text = calendar.localText(atMs);
          expect(parseInstant(text, { field: 'start' })).toBe(atMs);
          const local = text.slice(0, -6);
          const isAmbiguous = calendar.segments.instantsShowing(at(`${local}Z`)).length > 1;
          const answer = refusal(() => parseInstant(local, { zone, field: 'start' }));
          const isEarlyOrLate = !/^(199|20)/.test(local) && !/^2100/.test(local);
          if (!isEarlyOrLate && !isAmbiguous) expect(answer).toBe(`accepted: ${atMs}`);
          if (isAmbiguous) expect(answer).toContain('TIME_AMBIGUOUS');
        }),
      );
    },
  );
});

describe('parseNumericInstant', () => {
  const origin = at('2025-01-01T00:00:00Z');

  it.each([
    ['1767225600', 's', 0, '2026-01-01T00:00:00.000Z'],
    ['1767225600000', 'ms', 0, '2026-01-01T00:00:00.000Z'],
    ['1767225600.5', 's', 0, '2026-01-01T00:00:00.500Z'],
    ['1767225600.9999', 's', 0, '2026-01-01T00:00:00.999Z'],
    ['475.00000000000006', 's', origin, '2025-01-01T00:07:55.000Z'],
    ['4031.0000000000005', 's', origin, '2025-01-01T01:07:11.000Z'],
    ['0', 's', origin, '2025-01-01T00:00:00.000Z'],
    ['-1', 's', origin, '2024-12-31T23:59:59.000Z'],
    ['-0.0001', 's', origin, '2024-12-31T23:59:59.999Z'],
    ['-0.0000', 's', origin, '2025-01-01T00:00:00.000Z'],
    ['1.9', 'ms', origin, '2025-01-01T00:00:00.001Z'],
    ['-1.5', 'ms', origin, '2024-12-31T23:59:59.998Z'],
    ['+7.', 's', origin, '2025-01-01T00:00:07.000Z'],
    [' 7 ', 's', origin, '2025-01-01T00:00:07.000Z'],
  ] as const)('%j %s from %d is %s', (text, unit, originAtMs, expected) => {
    expect(instantText(parseNumericInstant(text, unit, originAtMs, 'start'))).toBe(expected);
  });

  it.each([
    ['B11', '1767225600', 'ms', 0, 'TIME_UNIT', 'looks like seconds'],
    ['B11', '1767225600000', 's', 0, 'TIME_UNIT', 'looks like milliseconds'],
    ['B11', '1767225600000000', 'ms', 0, 'TIME_UNIT', 'looks like microseconds'],
    ['B11', '1e12', 'ms', 0, 'TIME_INVALID', 'plain decimal number of milliseconds'],
    ['B11', 'NaN', 's', 0, 'TIME_INVALID', 'plain decimal number of seconds'],
    ['B11', '', 's', origin, 'TIME_INVALID', 'plain decimal'],
    ['B11', '0x10', 's', origin, 'TIME_INVALID', 'plain decimal'],
    ['B11', '2026-01-31', 's', 0, 'TIME_INVALID', 'plain decimal'],
    ['B5', 'Infinity', 's', 0, 'TIME_INVALID', 'plain decimal'],
    ['B5', '0', 's', 0, 'TIME_RANGE', '1990 to 2100'],
    ['B5', '99999999999999999999', 's', origin, 'TIME_RANGE', '1990 to 2100'],
    ['B5', '1767225600000', 's', origin, 'TIME_RANGE', '1990 to 2100'],
  ] as const)('%s: %j in %s from %d is %s', (_number, text, unit, originAtMs, code, rule) => {
    const message = refusal(() => parseNumericInstant(text, unit, originAtMs, 'start'));
    expect(message).toContain(`${code} start ${JSON.stringify(text)}`);
    expect(message).toContain(rule);
  });

  it('B12: any number of seconds is cut down to the ms that contains it', () => {
    const seconds = fc.bigInt({ min: 0n, max: 10n ** 9n });
    const nanoseconds = fc.bigInt({ min: 0n, max: 999_999_999n });
    fc.assert(
      fc.property(seconds, nanoseconds, (whole, nanos) => {
        const text = `${whole}.${String(nanos).padStart(9, '0')}`;
        const expected = BigInt(origin) + whole * 1_000n + nanos / 1_000_000n;
        expect(BigInt(parseNumericInstant(text, 's', origin, 'start'))).toBe(expected);
      }),
    );
  });
});
