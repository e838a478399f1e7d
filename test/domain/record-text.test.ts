import { describe, expect, it } from '@jest/globals';
import { isJobhoursError } from '../../domain/errors.js';
import { milliGpusOf } from '../../domain/gpus.js';
import { nearestWord } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { joinedKey, nameOf, optionalNameOf } from '../../domain/record-text.js';

const rule = { field: 'user', code: 'USER_INVALID' } as const;

function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isJobhoursError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a name in a record', () => {
  it.each([
    ['B19: empty', '', 'empty'],
    ['B19: blank', '   ', 'empty'],
    ['B19: 1,001 characters', 'a'.repeat(1001), 'longer than 1000 characters or 2600 bytes'],
    ['B19: 1,000 characters of 4 bytes', '\u{1F600}'.repeat(1000), 'longer than 1000'],
    ['B20: NUL', 'a\0b', 'control character U+0000 is not allowed'],
    ['B21: a lone surrogate', 'a\ud800', 'not well-formed Unicode: U+D800'],
    ['B23: right-to-left override', 'a\u202eb', 'invisible character U+202E'],
    ['B23: a filler', 'anna\u3164', 'invisible character U+3164'],
    ['B23: a variation selector', 'anna\ufe0f', 'invisible character U+FE0F'],
    ['B23: a blank of Braille', 'anna\u2800', 'invisible character U+2800'],
    ['B23: zero width space', 'a\u200bb', 'invisible character U+200B'],
    ['B23: a character of the tag block', 'a\u{E0041}', 'invisible character U+E0041'],
    ['B28: CR LF and a forged log line', 'a\r\nINFO paid', 'control character U+000D'],
  ])('is refused by field, value and rule. %s', (_, text, reason) => {
    const message = refusal(() => nameOf(text, rule));
    expect(message).toMatch(/^USER_INVALID: user "/);
    expect(message).toContain(reason);
    // The message itself shows no character of the kind that it refuses.
    expect(message).not.toMatch(/[\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]/u);
  });

  it.each([
    ['B24: text of SQL', "'; drop table jobs;--"],
    ['B24: wildcards', '%_\\'],
    ['B25: a formula', "=cmd|'/c calc'!A1"],
    ['B26: markup', '<img src=x onerror=alert(1)>'],
    ['B27: a property of objects', '__proto__'],
    ['B19: 1,000 characters', 'a'.repeat(1000)],
    ['B19: 800 Chinese characters', '\u4e2d'.repeat(800)],
  ])('is taken as plain text. %s', (_, text) => {
    expect(nameOf(text, rule)).toBe(text);
  });

  it('is normalised to NFC and freed of blanks at its ends (B22)', () => {
    expect(nameOf(' cafe\u0301 ', rule)).toBe('caf\u00e9');
  });

  it('is - for an absent space or pool', () => {
    expect(optionalNameOf('', { field: 'space', code: 'SPACE_INVALID' })).toBe('-');
    expect(
      refusal(() => optionalNameOf('\u200f', { field: 'pool', code: 'POOL_INVALID' })),
    ).toMatch(/^POOL_INVALID: pool/);
  });
});

describe('a refused value in a message', () => {
  it.each([
    ['a\u0000\n"\\', String.raw`"a\u0000\n\"\\"`],
    ['\u009b\u007f\u202e\ufeff\u3164', String.raw`"\u009b\u007f\u202e\ufeff\u3164"`],
    ['\u{E0041}', String.raw`"\udb40\udc41"`],
    ['\ud800', String.raw`"\ud800"`],
    ['caf\u00e9 \u4e2d\u6587 \u{1F600}', '"caf\u00e9 \u4e2d\u6587 \u{1F600}"'],
    ['x'.repeat(61), `"${'x'.repeat(60)}"... (61 characters)`],
  ])(
    'is shown with every character that a screen would hide or obey escaped: %j (B28)',
    (value, shown) => {
      expect(quotedValue(value)).toBe(shown);
    },
  );
});

describe('a key of several parts', () => {
  it('differs when the parts differ, wherever a separator stands', () => {
    const keys = [
      ['a/b', 'c'],
      ['a', 'b/c'],
      ['a%2Fb', 'c'],
      ['a', 'b', 'c'],
    ].map(joinedKey);
    expect(new Set(keys).size).toBe(4);
    expect(joinedKey(['job-7', '0'])).toBe('job-7/0');
  });

  it('is refused when no index entry can hold it', () => {
    expect(
      refusal(() => joinedKey(['a'.repeat(1000), 'b'.repeat(1000), 'c'.repeat(1000)])),
    ).toMatch(/^JOB_ID_INVALID: record key/);
  });
});

describe('GPUs of a record', () => {
  it.each([
    ['0', 0],
    ['1', 1000],
    ['0.5', 500],
    ['0.125', 125],
    ['1.000', 1000],
    ['100000', 100_000_000],
  ])('are exact thousandths: %s', (text, milliGpus) => {
    expect(milliGpusOf(text, 'gpus')).toBe(milliGpus);
  });

  it.each([
    '-1',
    '1.2345',
    'NaN',
    'Infinity',
    '0x8',
    '2147483648',
    '100000.001',
    '1e3',
    '',
    ' 1',
    '.5',
  ])('are refused when they are %j (B16)', (text) => {
    expect(refusal(() => milliGpusOf(text, 'gpus'))).toBe(
      `GPUS_INVALID: gpus ${JSON.stringify(text)}: expected a decimal from 0 to 100000 with at most 3 digits after the point`,
    );
  });
});

describe('a mistyped word', () => {
  it.each([
    ['gpsu', 'gpus'],
    ['usr', 'user'],
    ['Spaces', 'space'],
    ['xyzzy', null],
    ['u', null],
  ])('%s probably means %s (B41)', (word, meant) => {
    expect(nearestWord(word, ['user', 'space', 'pool', 'gpus'])).toBe(meant);
  });
});
