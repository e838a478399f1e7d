import { describe, expect, it } from '@jest/globals';

import { Calendar } from '../../domain/calendar.js';
import { isJobhoursError } from '../../domain/errors.js';

describe('zone names', () => {
  const refusal = (zone: string) => {
    try {
      return `accepted as ${Calendar.of(zone).zone}`;
    } catch (error) {
      return isJobhoursError(error, 'ZONE_UNKNOWN') ? error.message : error;
    }
  };

  it.each([
    ['Asia/Kolkata', 'Asia/Kolkata'],
    ['Asia/Calcutta', 'Asia/Kolkata'],
    ['Asia/Katmandu', 'Asia/Kathmandu'],
    ['Europe/Kyiv', 'Europe/Kyiv'],
    ['Europe/Kiev', 'Europe/Kyiv'],
    ['UTC', 'UTC'],
    ['Etc/UTC', 'UTC'],
    ['asia/shanghai', 'Asia/Shanghai'],
    ['Asia/Chongqing', 'Asia/Shanghai'],
    ['America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
    ['Etc/GMT-8', 'Etc/GMT-8'],
    ['US/Pacific', 'America/Los_Angeles'],
  ])('B14: %s is accepted as %s, and names that zone again', (zone, canonical) => {
    expect(Calendar.of(zone).zone).toBe(canonical);
    expect(Calendar.of(canonical)).toBe(Calendar.of(zone));
  });

  it.each([
    ['Asia/Beijing', 'did you mean Asia/Shanghai?'],
    ['GMT+8', 'did you mean Asia/Shanghai?'],
    ['UTC+8', 'did you mean Asia/Shanghai?'],
    ['+08:00', 'did you mean Asia/Shanghai?'],
    ['UTC-5', 'did you mean Etc/GMT+5?'],
    ['EST', 'did you mean America/New_York?'],
    ['CST', 'did you mean America/Chicago or Asia/Shanghai?'],
    ['PRC', 'did you mean Asia/Shanghai?'],
    ['Asia/Shangai', 'did you mean Asia/Shanghai?'],
    ['Shanghai', 'did you mean Asia/Shanghai?'],
    ['America/New York', 'did you mean America/New_York?'],
    ['Europe/Kyev', 'did you mean Europe/Kyiv?'],
    ['foo8', 'such as Asia/Shanghai or UTC'],
    ['local', 'such as Asia/Shanghai or UTC'],
    ['system', 'such as Asia/Shanghai or UTC'],
    ['', 'such as Asia/Shanghai or UTC'],
    [' ', 'such as Asia/Shanghai or UTC'],
    ['../../etc/passwd', 'such as Asia/Shanghai or UTC'],
    ['Asia/../Asia/Shanghai', 'Area/Place'],
    ['/usr/share/zoneinfo/Asia/Tokyo', 'did you mean Asia/Tokyo?'],
    ['__proto__', 'such as Asia/Shanghai or UTC'],
    ['constructor', 'such as Asia/Shanghai or UTC'],
    ['Asia/Shanghai\u0000', 'Area/Place'],
    ['EST5EDT', 'did you mean America/New_York?'],
    ['SystemV/EST5', 'Area/Place'],
  ])('B13, B15: %j is ZONE_UNKNOWN: %s', (zone, hint) => {
    expect(refusal(zone)).toContain(hint);
    expect(refusal(zone)).toContain(`zone ${JSON.stringify(zone)} is not an IANA time zone`);
  });

  it('B15: a name of 10 kB is refused with a short message', () => {
    const message = refusal('Asia/'.repeat(2_000));
    expect(message).toContain('(10000 characters)');
    expect(String(message).length).toBeLessThan(300);
  });
});
