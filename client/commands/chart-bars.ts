/**
 * Bars for a terminal, one per line. Owns their lengths: each is proportional to its amount, from 0, to an eighth of a
 * character (a whole one in ASCII), rounded half up. What the bars stand for is the caller's.
 */

export interface ChartBar {
  readonly label: string;
  /** Not negative. */
  readonly amount: bigint;
  /** The amount as it is shown beside the bar. */
  readonly text: string;
}

export interface ChartStyle {
  /** Columns of the terminal. */
  readonly width: number;
  readonly isAscii: boolean;
}

/** Where less is left for the bars than this, labels stand above them. */
const SHORTEST_BAR = 8;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/**
 * The lines, in the order of the bars. The longest bar ends where its value still fits into the width; a line is
 * longer only when a label or a value alone is.
 */
export function chartLines(bars: readonly ChartBar[], { width, isAscii }: ChartStyle): string[] {
  const labelWidth = Math.max(0, ...bars.map(({ label }) => columnsOf(label)));
  const valueWidth = Math.max(0, ...bars.map(({ text }) => text.length));
  const most = bars.reduce((longest, { amount }) => (amount > longest ? amount : longest), 0n);
  const beside = width - labelWidth - valueWidth - 3;
  const isStacked = beside < SHORTEST_BAR;
  const barWidth = isStacked ? Math.max(1, width - valueWidth - 3) : beside;
  return bars.flatMap(({ label, amount, text }) => {
    const bar = barOf(amount, most, barWidth, isAscii);
    const shown = bar === '' ? text : `${bar} ${text}`;
    if (isStacked) return [label, `  ${shown}`];
    return [`${label}${' '.repeat(labelWidth - columnsOf(label))}  ${shown}`];
  });
}

function barOf(amount: bigint, most: bigint, width: number, isAscii: boolean): string {
  if (most === 0n) return '';
  const steps = BigInt(isAscii ? 1 : EIGHTHS.length);
  const filled = Number((2n * amount * BigInt(width) * steps + most) / (2n * most));
  if (isAscii) return '#'.repeat(filled);
  const whole = Math.floor(filled / EIGHTHS.length);
  return '█'.repeat(whole) + (EIGHTHS[filled % EIGHTHS.length] ?? '');
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]/u;
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns that a text takes in a terminal: two for East Asian wide characters and emoji (Unicode TR 11). */
function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) {
    if (WITHOUT_WIDTH.test(character)) continue;
    columns += WIDE.test(character) ? 2 : 1;
  }
  return columns;
}
