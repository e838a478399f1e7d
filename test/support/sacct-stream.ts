/** Lines of `sacct` by the million, made as fast as they are read: one cluster, 300 users, jobs of seconds to a day. */
import { MS_PER_SECOND } from '../../domain/units.js';
import { seededRandom } from './seeded-random.js';

const FROM_MS = Date.UTC(2026, 4, 1);
const DAYS = 90;
const CHUNK = 2_000;

/** Text in pieces of 2,000 lines. Submits are spread evenly over 90 days; the same seed makes the same lines. */
export function* sacctStream(lines: number, seed: number): Generator<string> {
  const random = seededRandom(seed);
  let text = '';
  for (let id = 1; id <= lines; id += 1) {
    const submittedAtMs = FROM_MS + Math.floor((id / lines) * DAYS * 86_400) * MS_PER_SECOND;
    const startedAtMs = submittedAtMs + random.integer(0, 7_200) * MS_PER_SECOND;
    const seconds = random.integer(0, random.chance(0.1) ? 86_399 : 3_599);
    const gpus = random.pick([0, 1, 1, 2, 4, 8]);
    const tres = `billing=8,cpu=8${gpus === 0 ? '' : `,gres/gpu=${gpus}`},mem=64G,node=1`;
    const user = random.integer(0, 299);
    const submit = timeText(submittedAtMs);
    text +=
      `${id}|${id}|north|gpu|normal|lab${user % 40}|staff|1000|user${user}|${2_000 + user}|${submit}|${submit}|` +
      `${timeText(startedAtMs)}|${timeText(startedAtMs + seconds * MS_PER_SECOND)}|${elapsedText(seconds)}|0:0|COMPLETED|` +
      `1|8|8|64G|${tres}|${tres}|1-00:00:00|n${random.integer(1, 500)}|train-${random.integer(1, 1_000)}\n`;
    if (id % CHUNK !== 0) continue;
    yield text;
    text = '';
  }
  if (text !== '') yield text;
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19);
}

function elapsedText(seconds: number): string {
  return new Date(seconds * MS_PER_SECOND).toISOString().slice(11, 19);
}
