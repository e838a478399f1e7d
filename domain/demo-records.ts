/**
 * The records of the demo: what a small, busy GPU site might have written into its job log. Pure and seeded, a
 * day at a time, so that a later call gives the same records again and those that came since. Owns the
 * invented names, amounts and lengths; how records are imported is not decided here.
 */
import type { Calendar } from './calendar.js';
import type { Period } from './period.js';
import { randomOf, type Random } from './random.js';
import { decimalText, instantText, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from './units.js';

/** One line of the demo's job log. A job that waits or was cancelled has no start; a running one no end. */
export interface DemoRecord {
  readonly user: string;
  readonly space: string;
  readonly pool: string;
  readonly jobId: string;
  /** 0 for the first try, counted up when a try failed. */
  readonly attempt: number;
  readonly milliGpus: number;
  readonly submitAtMs: number;
  readonly startAtMs: number | null;
  readonly endAtMs: number | null;
}

export interface DemoRequest {
  readonly calendar: Calendar;
  /** When the demo books were opened: its day sets the first day and how busy the site is. */
  readonly openedAtMs: number;
  /** Nothing that happens after this instant (exclusive) is in the log. At or after `openedAtMs`. */
  readonly nowMs: number;
}

/** Birds and stones, so that nobody is named. */
const USERS = (
  'avocet bunting curlew dipper dunlin egret fulmar gannet godwit heron ' +
  'ibis jackdaw kestrel lapwing magpie nuthatch osprey plover redshank siskin ' +
  'agate barite calcite dolomite epidote feldspar galena halite ilmenite jarosite ' +
  'kyanite lazurite mica nephrite olivine pyrite quartz rutile spinel topaz'
).split(' ');
const SPACES = ['vision', 'speech', 'robotics', 'genomics', 'climate', 'teaching'];
/** Pools with the GPUs, in thousandths, that their jobs ask for. */
const POOLS: readonly { readonly name: string; readonly milliGpus: readonly number[] }[] = [
  { name: 'a100', milliGpus: [1000, 1000, 2000, 4000, 8000] },
  { name: 'h100', milliGpus: [1000, 4000, 8000, 8000] },
  { name: 'shared', milliGpus: [0, 125, 250, 500, 500, 1000] },
];
/** Jobs that are submitted in each hour of a day, in proportion. */
const HOUR_WEIGHTS = [
  3, 2, 1, 1, 1, 1, 2, 4, 8, 12, 12, 10, 8, 10, 12, 12, 11, 10, 9, 7, 6, 6, 5, 4,
];

/** Jobs between the first day and the opening, so that with retries about 2,000 runs come out. */
const JOBS_AT_OPENING = 1_850;
const WEEKEND_WEIGHT = 0.5;
const LONGEST_RUN_MS = 60 * MS_PER_HOUR;
const MEDIAN_RUN_MS = 70 * MS_PER_MINUTE;
const CANCELLED_SHARE = 0.02;
const FAILED_SHARE = 0.07;
const FAILED_AGAIN_SHARE = 0.3;
const MOST_ATTEMPTS = 3;
/** Days on which a job of the early morning starts and ends in the same millisecond. */
const ZERO_LENGTH_DAYS_SHARE = 0.15;

function pick<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** An index in proportion to its weight. */
function pickWeighted(random: Random, weights: readonly number[]): number {
  let rest = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => (rest -= weight) < 0);
  return found === -1 ? weights.length - 1 : found;
}

/** Log-normal: half of the values lie below the median, a few far above it. */
function logNormal(random: Random, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(spread * normal);
}

/** The first instant of the demo: the start of the calendar month before the one of the opening. */
export function demoStartAtMs(calendar: Calendar, openedAtMs: number): number {
  return calendar.previous(calendar.periodAt('month', openedAtMs)).startAtMs;
}

function weightOf(calendar: Calendar, day: Period): number {
  const week = calendar.periodAt('week', day.startAtMs);
  const isWeekend = week.endAtMs - day.startAtMs < 2.5 * 24 * MS_PER_HOUR;
  return isWeekend ? WEEKEND_WEIGHT : 1;
}

/** How many jobs a day of weight 1 has: the same for every opening on one day. */
function jobsPerDay({ calendar, openedAtMs }: DemoRequest, startAtMs: number): number {
  let days = 0;
  for (const day of calendar.periodsTouching('day', { startAtMs, endAtMs: openedAtMs })) {
    days += weightOf(calendar, day);
  }
  return JOBS_AT_OPENING / days;
}

/**
 * The log up to `nowMs`, by day of submission. The same request gives the same records; a later `nowMs` gives
 * the same keys with ends and starts that came since, and more.
 */
export function* demoRecords(request: DemoRequest): Generator<DemoRecord> {
  const { calendar, openedAtMs, nowMs } = request;
  const startAtMs = demoStartAtMs(calendar, openedAtMs);
  const rate = jobsPerDay(request, startAtMs);
  let jobsSoFar = 0;
  for (const day of calendar.periodsTouching('day', { startAtMs, endAtMs: nowMs })) {
    const before = Math.floor(jobsSoFar);
    jobsSoFar += rate * weightOf(calendar, day);
    const random = randomOf(Math.floor(day.startAtMs / MS_PER_MINUTE));
    for (let number = 1; number <= Math.floor(jobsSoFar) - before; number += 1) {
      yield* jobOf(random, day, number, nowMs);
    }
    if (random() < ZERO_LENGTH_DAYS_SHARE) yield* zeroLengthRun(random, day, nowMs);
  }
}

type Request = Omit<DemoRecord, 'attempt' | 'startAtMs' | 'endAtMs'>;

function requestOf(random: Random, day: Period, name: string, dayShare: number): Request {
  const user = pickWeighted(
    random,
    USERS.map((_, index) => 1 / (index + 3)),
  );
  const pool = POOLS[(user + (random() < 0.25 ? 1 : 0)) % POOLS.length] as (typeof POOLS)[number];
  return {
    user: USERS[user] as string,
    space: SPACES[(user + (random() < 0.2 ? 1 : 0)) % SPACES.length] as string,
    pool: pool.name,
    jobId: `${day.label}-${name}`,
    milliGpus: pick(random, pool.milliGpus),
    submitAtMs: day.startAtMs + Math.floor(dayShare * (day.endAtMs - day.startAtMs)),
  };
}

function* jobOf(random: Random, day: Period, number: number, nowMs: number): Generator<DemoRecord> {
  const hour = pickWeighted(random, HOUR_WEIGHTS);
  const name = String(number).padStart(3, '0');
  const request = requestOf(random, day, name, (hour + random()) / HOUR_WEIGHTS.length);
  const isCancelled = random() < CANCELLED_SHARE;
  const waitMs = Math.floor(logNormal(random, 90 * MS_PER_SECOND, 1.5));
  const lengthMs = Math.floor(
    Math.min(LONGEST_RUN_MS, MS_PER_SECOND + logNormal(random, MEDIAN_RUN_MS, 1.3)),
  );
  const attempts = attemptsOf(random, request.submitAtMs + waitMs, lengthMs);
  if (request.submitAtMs >= nowMs) return;
  const started = isCancelled ? [] : attempts.filter(({ startAtMs }) => startAtMs < nowMs);
  if (started.length === 0) yield { ...request, attempt: 0, startAtMs: null, endAtMs: null };
  for (const [attempt, { startAtMs, endAtMs }] of started.entries()) {
    yield { ...request, attempt, startAtMs, endAtMs: endAtMs < nowMs ? endAtMs : null };
  }
}

/** The tries of one job: a failed one ends early, and the next begins after a pause. */
function attemptsOf(
  random: Random,
  firstStartAtMs: number,
  lengthMs: number,
): { startAtMs: number; endAtMs: number }[] {
  const attempts = [];
  let startAtMs = firstStartAtMs;
  let failedShare = FAILED_SHARE;
  while (attempts.length < MOST_ATTEMPTS - 1 && random() < failedShare) {
    const endAtMs = startAtMs + Math.floor(random() * lengthMs);
    attempts.push({ startAtMs, endAtMs });
    startAtMs = endAtMs + Math.floor((20 + random() * 280) * MS_PER_SECOND);
    failedShare = FAILED_AGAIN_SHARE;
  }
  attempts.push({ startAtMs, endAtMs: startAtMs + lengthMs });
  return attempts;
}

function* zeroLengthRun(random: Random, day: Period, nowMs: number): Generator<DemoRecord> {
  const request = requestOf(random, day, 'early', (3 + random()) / HOUR_WEIGHTS.length);
  const atMs = request.submitAtMs + MS_PER_SECOND;
  if (atMs >= nowMs) return;
  yield { ...request, attempt: 0, startAtMs: atMs, endAtMs: atMs };
}

const COLUMNS = 'user,space,pool,job_id,attempt,gpus,submit,start,end';

/** The records as lines of canonical CSV, header first, each with its line feed. */
export function* demoCsv(records: Iterable<DemoRecord>): Generator<string> {
  yield `${COLUMNS}\n`;
  const text = (atMs: number | null): string => (atMs === null ? '' : instantText(atMs));
  for (const record of records) {
    const { user, space, pool, jobId, attempt } = record;
    const gpus = decimalText(BigInt(record.milliGpus), 1_000n, 3);
    const times = [record.submitAtMs, record.startAtMs, record.endAtMs].map(text);
    yield `${[user, space, pool, jobId, attempt, gpus, ...times].join(',')}\n`;
  }
}
