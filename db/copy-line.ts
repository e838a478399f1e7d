/** Lines of COPY's text format. Owns the escaping; which columns they are for is the caller's. */

export type CopyValue = string | number | boolean | null;

const SPECIAL = /[\\\n\r\t\0]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  // PostgreSQL has no U+0000 in text.
  '\0': '\uFFFD',
};

/** One line with its end: values in the order of the columns, separated by tabs; null as `\N`. */
export function copyLine(values: readonly CopyValue[]): string {
  return `${values.map(copyText).join('\t')}\n`;
}

function copyText(value: CopyValue): string {
  if (value === null) return '\\N';
  if (typeof value !== 'string') return String(value);
  if (!SPECIAL.test(value)) return value;
  return value.replace(/[\\\n\r\t\0]/g, (character) => ESCAPES[character] ?? character);
}
