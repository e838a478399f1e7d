import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fnv1a128 } from '../../domain/fnv.js';
import { ids, segment } from '../../domain/ids.js';

describe('names in Temporal', () => {
  const names = ids('cluster-1');
  const startAtMs = Date.parse('2026-01-31T15:00:00Z');

  it('begin with the name of the books', () => {
    expect(names.usageQueue).toBe('cluster-1/usage');
    expect(names.keeper).toBe('cluster-1/usage/keeper');
    expect(names.schedule('week')).toBe('cluster-1/usage-week');
    expect(names.backfill('2026 spring')).toBe('cluster-1/backfill/2026%20spring');
  });

  it('name a period by its granularity and the UTC minute of its start', () => {
    expect(names.period('hour', startAtMs)).toBe('cluster-1/usage/hour/2026-01-31T15:00Z');
    expect(names.period('month', startAtMs)).toBe('cluster-1/usage/month/2026-01-31T15:00Z');
    expect(names.period('hour', Date.parse('2011-11-05T02:31:00Z'))).toBe(
      'cluster-1/usage/hour/2011-11-05T02:31Z',
    );
  });

  it.each(['', 'a/b', 'a b', '.hidden', '-x', 'büro', 'x'.repeat(65), 'a\n'])(
    'refuse %j as the name of books, by name (B71)',
    (name) => {
      expect(() => ids(name)).toThrow(expect.objectContaining({ code: 'CONFIG' }));
    },
  );

  it.each(['a', '1', 'A.b_c-9', 'x'.repeat(64)])('accept %j as the name of books', (name) => {
    expect(ids(name).keeper).toBe(`${name}/usage/keeper`);
  });
});

describe('a segment of an id', () => {
  it('is percent-encoded and holds no slash', () => {
    expect(segment('a/b c%~')).toBe('a%2Fb%20c%25~');
    expect(segment('用户')).toBe('%E7%94%A8%E6%88%B7');
    expect(segment('\u{d800}')).toBe('%EF%BF%BD');
  });

  it('is hashed above 200 bytes, not at 200', () => {
    expect(segment('a'.repeat(200))).toBe('a'.repeat(200));
    expect(segment('a'.repeat(201))).toBe(`=${fnv1a128('a'.repeat(201))}`);
    expect(segment('用'.repeat(23))).toMatch(/^=[0-9a-f]{32}$/);
  });

  it('differs when well-formed texts differ, and is 200 printable ASCII characters at most', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'binary', minLength: 60, maxLength: 400 }),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(segment(one)).toMatch(/^[!-.0-~]{0,200}$/);
        expect(segment(one) === segment(other)).toBe(one === other);
      }),
    );
    const long = segment('a'.repeat(201));
    expect(segment(long)).not.toBe(long);
  });
});

describe('FNV-1a, 128 bits', () => {
  it.each([
    ['', '6c62272e07bb014262b821756295c58d'],
    ['a', 'd228cb696f1a8caf78912b704e4a8964'],
    ['foobar', '343e1662793c64bf6f0d3597ba446f18'],
  ])('of %j is the value of the standard', (text, hash) => {
    expect(fnv1a128(text)).toBe(hash);
  });
});
