/** Flags whose values are words of a list, or integers. */
import { JobhoursError } from '../../domain/errors.js';
import { nearestWord } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';

/** A parser for commander: the word when it is one of `words`, else FIELD_UNKNOWN with the nearest one (B40, B41). */
export function oneOf<W extends string>(flag: string, words: readonly W[]): (text: string) => W {
  return (text) => {
    const found = words.find((word) => word === text);
    if (found !== undefined) return found;
    const nearest = nearestWord(text, words);
    const hint = nearest === null ? '' : `; did you mean ${nearest}?`;
    throw new JobhoursError(
      'FIELD_UNKNOWN',
      `${flag} ${quotedValue(text)} is unknown: use ${words.join(', ')}${hint}`,
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

/** A parser for integers of at most 15 digits, else LIMIT_INVALID. */
export function integerOf(flag: string): (text: string) => number {
  return (text) => {
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new JobhoursError('LIMIT_INVALID', `${flag} ${quotedValue(text)}: expected an integer`);
  };
}
