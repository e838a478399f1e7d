/**
 * Text of a record that becomes a name in the books: user, space, pool, job id, source.
 * Owns which characters a name may have; what a name means is the record's (domain/run-record.ts).
 */
import { JobhoursError, type ErrorCode } from './errors.js';
import { quotedValue } from './quoted-value.js';

/** Longest name, in Unicode code points. */
const MAX_NAME_LENGTH = 1_000;
/** Longest name in bytes of UTF-8: an entry of a btree index in PostgreSQL holds at most 2,704 bytes. */
const MAX_NAME_BYTES = 2_600;

const PLAIN = /^[!-~]{1,255}$/;
const CONTROL = /\p{Cc}/u;
const LONE_SURROGATE = /\p{Cs}/u;
/** Characters that nobody sees, fillers and variants too: two names that look equal would be two users (Unicode TR 36). */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\uFFF9-\uFFFB\u2800]/u;

interface NameRule {
  /** How the message calls it: `user`. */
  readonly field: string;
  readonly code: ErrorCode;
}

function refuse(rule: NameRule, text: string, reason: string): never {
  throw new JobhoursError(rule.code, `${rule.field} ${quotedValue(text)}: ${reason}`);
}

function codePoint(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** Bytes that a text takes in UTF-8. */
function utf8Length(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/**
 * The name in normal form C, without spaces at its ends. Throws the rule's code for an empty name, for one of
 * more than 1,000 characters or 2,600 bytes, and for control, invisible, direction-changing or malformed
 * characters, named by code point.
 */
export function nameOf(text: string, rule: NameRule): string {
  if (PLAIN.test(text)) return text;
  for (const [pattern, kind] of [
    [CONTROL, 'control character'],
    [LONE_SURROGATE, 'not well-formed Unicode:'],
    [INVISIBLE, 'invisible character'],
  ] as const) {
    const found = pattern.exec(text);
    if (found !== null) refuse(rule, text, `${kind} ${codePoint(found[0])} is not allowed`);
  }
  const name = text.normalize('NFC').trim();
  if (name === '') refuse(rule, text, 'empty');
  if ([...name].length > MAX_NAME_LENGTH || utf8Length(name) > MAX_NAME_BYTES) {
    refuse(rule, text, `longer than ${MAX_NAME_LENGTH} characters or ${MAX_NAME_BYTES} bytes`);
  }
  return name;
}

/** As `nameOf`; `-` for an empty one (DESIGN section 2: space and pool may be absent). */
export function optionalNameOf(text: string, rule: NameRule): string {
  return text === '' ? '-' : nameOf(text, rule);
}

/**
 * Parts as one key, separated by `/`; a `/` or `%` inside a part is percent-encoded, so that different parts
 * never give one key. JOB_ID_INVALID when the key is longer than a name may be.
 */
export function joinedKey(parts: readonly string[]): string {
  const key = parts
    .map((part) => part.replace(/[%/]/g, (separator) => (separator === '%' ? '%25' : '%2F')))
    .join('/');
  if (key.length > MAX_NAME_LENGTH / 2 && utf8Length(key) > MAX_NAME_BYTES) {
    refuse(
      { field: 'record key', code: 'JOB_ID_INVALID' },
      key,
      `longer than ${MAX_NAME_BYTES} bytes`,
    );
  }
  return key;
}
