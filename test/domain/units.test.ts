import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  decimalText,
  EARLIEST_AT_MS,
  gpuHoursText,
  gpuMsText,
  hoursText,
  instantText,
  LATEST_AT_MS,
} from '../../domain/units.js';

const amounts = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n });

describe('decimalText', () => {
  it.each([
    [0n, 1n, 0, '0'],
    [1n, 2n, 0, '0'],
    [3n, 2n, 0, '2'],
    [5n, 2n, 0, '2'],
    [-1n, 2n, 0, '0'],
    [-3n, 2n, 0, '-2'],
    [1n, 3n, 6, '0.333333'],
    [2n, 3n, 6, '0.666667'],
    [5n, 1_000n, 2, '0.00'],
    [15n, 1_000n, 2, '0.02'],
    [-5n, 1_000n, 2, '0.00'],
    [999_999n, 1_000_000n, 3, '1.000'],
  ])('%d / %d with %d digits is %s', (amount, unit, digits, expected) => {
    expect(decimalText(amount, unit, digits)).toBe(expected);
  });

  it('G1: is the nearest decimal, and at equal distance the even one', () => {
    const units = fc.bigInt({ min: 1n, max: 10n ** 12n });
    fc.assert(
      fc.property(amounts, units, fc.nat(9), (amount, unit, digits) => {
        const text = decimalText(amount, unit, digits);
        expect(text).toMatch(digits === 0 ? /^-?\d+$/ : new RegExp(`^-?\\d+\\.\\d{${digits}}$`));
        const units10 = BigInt(text.replace('.', ''));
        const error = 2n * (units10 * unit - amount * 10n ** BigInt(digits));
        const size = error < 0n ? -error : error;
        expect(size <= unit).toBe(true);
        if (size === unit) expect(units10 % 2n).toBe(0n);
      }),
      { numRuns: 1_000 },
    );
  });

  it('a tie, made on purpose, goes to the even digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), fc.nat(6), (whole, digits) => {
        const lower = BigInt(
          decimalText(2n * whole + 1n, 2n * 10n ** BigInt(digits), digits).replace('.', ''),
        );
        expect(lower).toBe(whole % 2n === 0n ? whole : whole + 1n);
      }),
    );
  });
});

describe('hours and GPU-ms', () => {
  it('hours have 6 digits, half to even', () => {
    expect(hoursText(3_600_000n)).toBe('1.000000');
    expect(hoursText(1n)).toBe('0.000000');
    expect(hoursText(5_400_000n, 4)).toBe('1.5000');
    expect(gpuHoursText(3_600_000_000n)).toBe('1.000000');
    expect(gpuHoursText(1_800n)).toBe('0.000000');
    expect(gpuHoursText(5_400n)).toBe('0.000002');
  });

  it.each([
    [0n, '0'],
    [1n, '0.001'],
    [10n, '0.01'],
    [100n, '0.1'],
    [1_000n, '1'],
    [10_500n, '10.5'],
    [100_000n, '100'],
    [100_100n, '100.1'],
    [-1_500n, '-1.5'],
  ])('gpuMsText of %d milli-GPU-ms is %s', (amount, expected) => {
    expect(gpuMsText(amount)).toBe(expected);
  });

  it('G1: gpuMsText loses nothing and has no trailing zeros', () => {
    fc.assert(
      fc.property(fc.oneof(amounts, fc.bigInt({ min: -5_000n, max: 5_000n })), (amount) => {
        const text = gpuMsText(amount);
        expect(text).toMatch(/^-?\d+(\.\d{0,2}[1-9])?$/);
        const [whole = '', fraction = ''] = text.split('.');
        expect(BigInt(whole + fraction.padEnd(3, '0'))).toBe(amount);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('instantText', () => {
  it('writes what Date writes, from 1970 to 9999', () => {
    const instants = fc.oneof(
      fc.integer({ min: 0, max: 253_402_300_799_999 }),
      fc.integer({ min: EARLIEST_AT_MS, max: LATEST_AT_MS }),
      fc.integer({ min: 0, max: 2_932_896 }).map((day) => day * 86_400_000),
    );
    fc.assert(
      fc.property(instants, (atMs) => {
        expect(instantText(atMs)).toBe(new Date(atMs).toISOString());
      }),
      { numRuns: 2_000 },
    );
  });

  it('the time line is 1990-01-01 inclusive to 2101-01-01 exclusive', () => {
    expect(instantText(EARLIEST_AT_MS)).toBe('1990-01-01T00:00:00.000Z');
    expect(instantText(LATEST_AT_MS)).toBe('2101-01-01T00:00:00.000Z');
  });
});
