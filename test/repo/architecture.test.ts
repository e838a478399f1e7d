import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('ARCHITECTURE.md', root), 'utf8');

describe('ARCHITECTURE', () => {
  it('names tests and files that exist', () => {
    const paths = [...text.matchAll(/\b(?:test|db|domain|client|workflows)\/[\w/.-]*\w/g)].map(
      ([path]) => path,
    );
    expect(paths.length).toBeGreaterThan(15);
    const isThere = (path: string): boolean =>
      ['', '.ts', '.test.ts'].some((ending) => existsSync(new URL(`${path}${ending}`, root)));
    expect(paths.filter((path) => !isThere(path))).toEqual([]);
  });

  it('has a row for each of the ten guarantees', () => {
    const rows = [...text.matchAll(/^\| (G\d+) /gm)].map(([, name]) => name);
    expect(rows).toEqual(['G1', 'G2', 'G3', 'G4', 'G5', 'G6', 'G7', 'G8', 'G9', 'G10']);
  });
});
