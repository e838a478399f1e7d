// The order of the test files. jest begins with those that took longest, if it knows; where it has no cache, as in
// continuous integration, this list says it, so that none of them is the last one, on a core alone.
import TestSequencer from '@jest/test-sequencer';

const LONGEST = [
  'client/backfill',
  'client/backfill-control',
  'faults/database-network',
  'faults/temporal-ticks',
  'faults/worker-kills',
  'workflows/usage-keeper',
  'db/simulated-schedule',
  'client/late-import',
  'e2e/demo',
  'faults/worker-signals',
  'faults/temporal-history',
  'client/real-data',
  'e2e/readme',
  'e2e/given-servers',
  'faults/nemesis',
  'faults/temporal-server',
  'client/corrections',
  'db/audit-damage',
  'db/sparse-model-planted',
  'e2e/help',
  'e2e/ending',
  'db/sparse-model',
  'faults/worker-outage',
  'db/zones',
  'domain/plan-properties',
  'workflows/aggregate-period',
].map((name) => `/test/${name}.test.ts`);

/** Lower comes first. */
function rankOf({ path }) {
  const rank = LONGEST.findIndex((end) => path.endsWith(end));
  return rank < 0 ? LONGEST.length : rank;
}

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    if (sorted.some(({ duration }) => duration !== undefined)) return sorted;
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}
