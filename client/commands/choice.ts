/** Flags whose values are words of a list, or integers. */
import { JobhoursError } from '../../domain/errors.js';
import { didYouMean } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';

/** A parser for commander: the word when it is one of `words`, else FIELD_UNKNOWN with the nearest one (B40, B41). */
export function oneOf<W extends string>(flag: string, words: readonly W[]): (text: string) => W {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    throw new JobhoursError(
      'FIELD_UNKNOWN',
      `${flag} ${quotedValue(text)} is unknown: use ${words.join(', ')}${didYouMean(text, words)}`,
      { field: flag, value: text.slice(0, 100), words },
    );
  };
}

/** A parser for lists such as `user,pool`: each word once, in the order of `words`. Errors of `oneOf`. */
export function someOf<W extends string>(
  flag: string,
  words: readonly W[],
): (text: string) => readonly W[] {
  const one = oneOf(flag, words);
  return (text) => {
    const asked = new Set(text.split(',').map((word) => one(word.trim())));
    return words.filter((word) => asked.has(word));
  };
}

/** A parser for integers from `from` to `to` (inclusive), else LIMIT_INVALID (B37). */
export function integerOf(flag: string, from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= from && value <= to) return value;
    throw new JobhoursError(
      'LIMIT_INVALID',
      `${flag} ${quotedValue(text)}: expected an integer from ${from} to ${to}`,
      { field: flag, value: text.slice(0, 100), from, to },
    );
  };
}

/** A parser for `--limit` of lists that are held in memory. LIMIT_INVALID. */
export const limitOf = integerOf('--limit', 1, 1_000);
