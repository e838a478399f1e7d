// README's error table is the catalogue (domain/errors.ts), row by row.
import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { CATALOGUE } from '../../domain/errors.js';

const readme = new URL('../../README.md', import.meta.url);
const codes = Object.keys(CATALOGUE);
const expected = Object.entries(CATALOGUE).map(
  ([code, { exit, meaning }]) => `| ${code} | ${exit} | ${meaning} |`,
);

/** The rows of a Markdown text that begin with a code in capitals, cells trimmed, marks of code removed. */
function errorRows(markdown: string): string[] {
  return markdown
    .split('\n')
    .filter((line) => /^\|\s*`?[A-Z][A-Z0-9_]*`?\s*\|\s*\d+\s*\|/.test(line))
    .map((line) => line.split('|').slice(1, -1))
    .map(
      (cells) => `| ${cells.map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')).join(' | ')} |`,
    );
}

describe('the table of errors', () => {
  it('lists the codes of the catalogue in alphabetical order', () => {
    expect(codes).toEqual([...codes].sort());
  });

  it('has meanings that fit in one cell of a table', () => {
    const broken = Object.entries(CATALOGUE).filter(
      ([, { meaning }]) => meaning.trim() !== meaning || /[|\n]|\.$/.test(meaning),
    );
    expect(broken).toEqual([]);
  });

  it('stands in README as the catalogue has it', () => {
    const rows = existsSync(readme) ? errorRows(readFileSync(readme, 'utf8')) : [];
    if (rows.join('\n') === expected.join('\n')) return;
    const missing = expected.filter((row) => !rows.includes(row));
    const foreign = rows.filter((row) => !expected.includes(row));
    throw new Error(
      [
        'The error table of README.md is not the catalogue of domain/errors.ts.',
        `Missing: ${missing.length}, not in the catalogue: ${foreign.length}.`,
        ...foreign,
        'Put this there, then `npm run format`:',
        '',
        '| Code | Exit | Meaning |',
        '| --- | --- | --- |',
        ...expected,
      ].join('\n'),
    );
  });

  it('is read with and without padding and code marks', () => {
    const padded =
      '| Code  | Exit | Meaning |\n| ----- | ---- | --- |\n| `A_B` |    2 | Is  so. |\n';
    expect(errorRows(padded)).toEqual(['| A_B | 2 | Is  so. |']);
  });
});
