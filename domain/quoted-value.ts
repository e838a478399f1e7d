/** How a refused value is shown in a message: quoted, control characters escaped, cut when long. */

const SHOWN_CHARACTERS = 60;

/** JSON text of `value`; of one longer than 60 characters its beginning and its length. */
export function quotedValue(value: string): string {
  if (value.length <= SHOWN_CHARACTERS) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, SHOWN_CHARACTERS))}... (${value.length} characters)`;
}
