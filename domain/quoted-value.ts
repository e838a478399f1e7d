/**
 * How text of an input is shown to people, in messages quoted and cut when long: every character is escaped that a screen
 * does not show as it is: control characters, invisible ones, those that turn the direction of a text.
 */

const SHOWN_CHARACTERS = 60;
/** JSON escapes only U+0000 to U+001F and halves of surrogate pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** JSON text of `value`; of one longer than 60 characters its beginning and its length. */
export function quotedValue(value: string): string {
  if (value.length <= SHOWN_CHARACTERS) return jsonText(value);
  return `${jsonText(value.slice(0, SHOWN_CHARACTERS))}... (${value.length} characters)`;
}

/** A name out of an input, quoted when it has more than letters, digits and a few signs. */
export function plainName(name: string): string {
  return /^[\p{L}\p{N} ._:/()+-]+$/u.test(name) ? name : quotedValue(name);
}

/** Text of an input as one line for a screen: what a terminal would obey, or not show, is escaped. */
export function lineText(text: string): string {
  return text.replace(UNSEEN, escaped);
}

function jsonText(value: string): string {
  return lineText(JSON.stringify(value));
}

/** `\u202e`; two of them for a character beyond U+FFFF. */
function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
  ).join('');
}
