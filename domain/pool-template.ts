/**
 * Templates of pools such as `{cluster}/{gputype}`. Owns the fields and the form; what a field says is the record's
 * (domain/sacct-record.ts).
 */
import { JobhoursError } from './errors.js';
import { nearestWord } from './nearest-word.js';
import { quotedValue } from './quoted-value.js';

/** What the parts of a pool's name are taken from. */
export const POOL_FIELDS = ['cluster', 'partition', 'qos', 'account', 'gputype'] as const;
export type PoolField = (typeof POOL_FIELDS)[number];

/** The pool of a record; a part that is absent is `-`. */
export type PoolTemplate = (valueOf: (field: PoolField) => string) => string;

/**
 * A template such as `{cluster}/{gputype}`. FIELD_UNKNOWN for another word in braces than one of POOL_FIELDS, USAGE
 * for a brace without its partner and for an empty template.
 */
export function poolTemplateOf(flag: string, text: string): PoolTemplate {
  const words = text.split(/\{([^{}]*)\}/);
  if (text.trim() === '' || words.some((word, index) => index % 2 === 0 && /[{}]/.test(word))) {
    throw new JobhoursError(
      'USAGE',
      `${flag} ${quotedValue(text)}: expected text with fields in braces, such as {cluster}/{gputype}`,
    );
  }
  const parts = words.map((word, index) =>
    index % 2 === 0 ? word : { field: poolField(flag, word) },
  );
  return (valueOf) =>
    parts.map((part) => (typeof part === 'string' ? part : valueOf(part.field) || '-')).join('');
}

function poolField(flag: string, word: string): PoolField {
  const found = POOL_FIELDS.find((field) => field === word);
  if (found !== undefined) return found;
  const nearest = nearestWord(word, POOL_FIELDS);
  const hint = nearest === null ? '' : `; did you mean {${nearest}}?`;
  throw new JobhoursError(
    'FIELD_UNKNOWN',
    `${flag} {${word}}: the fields are ${POOL_FIELDS.join(', ')}${hint}`,
  );
}
