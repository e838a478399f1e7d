/**
 * Random writers and builders at once, by seeds; ledger.md section 1 has the figures of 500 rounds. `npm test` runs a
 * sample, JOBHOURS_TORTURE=1 the 500; JOBHOURS_SEED takes another sample. Real sessions run at once, so a seed
 * repeats the choices and not always their order.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SparseModel, type RoundResult } from '../support/sparse-model.js';

const WHOLE = process.env['JOBHOURS_TORTURE'] === '1';
const ROUNDS = WHOLE ? 500 : 24;
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);

describe('the sparse random model (G8, G9, I16)', () => {
  let model: SparseModel;
  beforeAll(async () => {
    model = await SparseModel.open();
  });
  afterAll(() => model.close());

  it('5 writers and 3 builders at once always end in the books of a fresh computation', async () => {
    const wrong: RoundResult[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const result = await model.round(SEED + round);
      if (result.faults.length > 0) wrong.push(result);
    }
    process.stdout.write(`sparse model, seed ${SEED}: ${JSON.stringify(model.counts)}\n`);
    expect(wrong).toEqual([]);
    expect(model.counts.edits).toBeGreaterThan(ROUNDS * 5);
  }, 3_600_000);
});
