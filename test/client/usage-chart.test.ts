import { describe, expect, it } from '@jest/globals';
import { chartStyle } from '../../client/commands/usage-chart.js';
import { chartLines, type ChartBar } from '../../client/commands/chart-bars.js';
import { seededRandom } from '../support/seeded-random.js';

const bar = (label: string, amount: bigint): ChartBar => ({
  label,
  amount,
  text: `${amount}.00`,
});
const BARS = [bar('anna', 8n), bar('ben', 4n), bar('cleo', 1n), bar('zoe', 0n)];
const full = (count: number): string => '█'.repeat(count);

describe('bars of --chart', () => {
  it.each([
    [20, [`anna  ${full(9)} 8.00`, `ben   ${full(4)}▌ 4.00`, 'cleo  █▏ 1.00', 'zoe   0.00']],
    [
      80,
      [`anna  ${full(69)} 8.00`, `ben   ${full(34)}▌ 4.00`, `cleo  ${full(8)}▋ 1.00`, 'zoe   0.00'],
    ],
    [
      200,
      [
        `anna  ${full(189)} 8.00`,
        `ben   ${full(94)}▌ 4.00`,
        `cleo  ${full(23)}▋ 1.00`,
        'zoe   0.00',
      ],
    ],
  ])('B84: are proportional from 0 to an eighth of a character at %i columns', (width, lines) => {
    expect(chartLines(BARS, { width, isAscii: false })).toEqual(lines);
    expect(lines[0]).toHaveLength(width);
  });

  it('are whole characters in ASCII, rounded half up', () => {
    expect(chartLines(BARS, { width: 80, isAscii: true })).toEqual([
      `anna  ${'#'.repeat(69)} 8.00`,
      `ben   ${'#'.repeat(35)} 4.00`,
      `cleo  ${'#'.repeat(9)} 1.00`,
      'zoe   0.00',
    ]);
  });

  it('B84: stand below their labels where these leave no room, and never cut a value', () => {
    const bars = [bar('somebody-at-vision', 8n), bar('李', 4n)];
    expect(chartLines(bars, { width: 20, isAscii: false })).toEqual([
      'somebody-at-vision',
      `  ${full(13)} 8.00`,
      '李',
      `  ${full(6)}▌ 4.00`,
    ]);
    expect(chartLines([bar('x', 123_456_789n)], { width: 5, isAscii: false })).toEqual([
      'x',
      '  █ 123456789.00',
    ]);
  });

  it('begin in one column, also behind wide and combining letters', () => {
    const bars = [bar('李明', 2n), bar('é\u0301e', 2n), bar('anna', 2n)];
    expect(chartLines(bars, { width: 40, isAscii: true })).toEqual([
      `李明  ${'#'.repeat(29)} 2.00`,
      `é\u0301e    ${'#'.repeat(29)} 2.00`,
      `anna  ${'#'.repeat(29)} 2.00`,
    ]);
  });

  it('are empty when there is nothing to show', () => {
    expect(chartLines([], { width: 80, isAscii: false })).toEqual([]);
    expect(chartLines([bar('anna', 0n)], { width: 80, isAscii: false })).toEqual(['anna  0.00']);
  });

  it('B84: fit into the width and are longer for more, at every width', () => {
    const random = seededRandom(6);
    for (let width = 20; width <= 200; width += 1) {
      const bars = Array.from({ length: 6 }, (_, n) =>
        bar(`u${'x'.repeat(random.integer(0, 9))}${n}`, BigInt(random.integer(0, 9_999_999))),
      );
      const lines = chartLines(bars, { width, isAscii: true });
      expect(lines.filter((line) => line.length > width)).toEqual([]);
      const lengths = lines.map((line) => line.split('#').length - 1);
      const drawn = lengths.filter((_, n) => lines.length === bars.length || n % 2 === 1);
      const byAmount = bars
        .map(({ amount }, n) => ({ amount, length: drawn[n] ?? 0 }))
        .sort((a, b) => Number(a.amount - b.amount));
      const sorted = byAmount.map(({ length }) => length);
      expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
      expect(Math.max(...sorted)).toBeGreaterThan(0);
    }
  });

  it('are plain without a terminal, with NO_COLOR, --no-color or TERM=dumb', () => {
    const terminal = { isTTY: true, columns: 132 };
    expect(chartStyle(terminal, {}, true)).toEqual({ width: 132, isAscii: false });
    expect(chartStyle(terminal, {}, false)).toEqual({ width: 132, isAscii: true });
    expect(chartStyle(terminal, { NO_COLOR: '1' }, true).isAscii).toBe(true);
    expect(chartStyle(terminal, { TERM: 'dumb' }, true).isAscii).toBe(true);
    expect(chartStyle({}, {}, true)).toEqual({ width: 80, isAscii: true });
  });
});
