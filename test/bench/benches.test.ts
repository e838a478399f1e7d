/** The bench still runs, on data too small to measure anything: every comparison in it throws when two answers differ. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Bench, Finding } from '../../bench/bench.js';
import { curvesSvg } from '../../bench/picture.js';
import { resultsText } from '../../bench/results.js';
import { BENCHES } from '../../bench/run-benches.js';
import { SIZES } from '../../bench/size.js';
import { Stage } from '../../bench/stage.js';

/** It times a whole demo, which test/e2e/demo.test.ts runs. */
const ELSEWHERE = 'start';

describe('the bench', () => {
  let stage: Stage;
  const results: [Bench, Finding][] = [];
  beforeAll(async () => {
    stage = await Stage.start(false);
  }, 60_000);
  afterAll(() => stage.close());

  it.each(BENCHES.filter(({ name }) => name !== ELSEWHERE))(
    '$name gives its tables and verdicts',
    async (bench: Bench) => {
      const finding = await bench.run({ stage, size: SIZES.tiny, say: () => undefined });
      results.push([bench, finding]);
      expect(finding.tables.length + finding.verdicts.length).toBeGreaterThan(0);
      for (const { head, rows } of finding.tables) {
        expect(rows.length).toBeGreaterThan(0);
        for (const row of rows) {
          expect(row).toHaveLength(head.length);
          expect(row.join(' ')).not.toMatch(/NaN|Infinity|undefined/);
        }
      }
      for (const { measured } of finding.verdicts)
        expect(measured).toMatch(/^\d+(\.\d+)?( ?ms| ?s|x)$/);
    },
    60_000,
  );

  it('is written as a page with every target and one picture', () => {
    const page = resultsText(results, ['a machine'], 'growth.svg');
    for (const [bench, { verdicts }] of results) {
      expect(page).toContain(`## ${bench.title}`);
      for (const { target } of verdicts) expect(page).toContain(`| ${target} |`);
    }
    const curves = results.flatMap(([, finding]) => finding.curves ?? []);
    expect(curves.map(({ name }) => name)).toEqual([
      'lanes',
      'history',
      'records a statement',
      'mean length',
      'users',
    ]);
    expect(curvesSvg(curves)).toMatch(/^<svg .*<\/svg>\s*$/s);
  });
});
