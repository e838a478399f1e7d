/**
 * G4 in every zone that Node knows. The ordinary run takes every zone and a seeded sample of years;
 * JOBHOURS_TORTURE=1 takes 1990 to 2100 whole. JOBHOURS_SEED chooses another sample.
 */
import { describe, expect, it } from '@jest/globals';
import { IANAZone } from 'luxon';

import { Calendar } from '../../domain/calendar.js';
import { type Granularity, PART_OF, type Span } from '../../domain/period.js';
import {
  EARLIEST_AT_MS,
  instantText,
  LATEST_AT_MS,
  MS_PER_DAY,
  MS_PER_HOUR,
  MS_PER_MINUTE,
} from '../../domain/units.js';

const isTorture = process.env['JOBHOURS_TORTURE'] === '1';
const seed = Number(process.env['JOBHOURS_SEED'] ?? 20_260_131);

const zones = [
  ...new Set(
    [
      ...Intl.supportedValuesOf('timeZone'),
      ...['UTC', 'Asia/Kolkata', 'Asia/Kathmandu', 'Europe/Kyiv'],
    ].map((zone) => Calendar.of(zone).zone),
  ),
].sort();

const random = randomNumbers(seed);
const years = isTorture
  ? Array.from({ length: 111 }, (_, index) => 1990 + index)
  : [...new Set([2026, 1990 + random(36), 2027 + random(74)])].sort();
const sample = isTorture ? '1990 to 2100' : `${years.join(', ')} (seed ${seed})`;
/** Spans of consecutive years: the calendar is walked over each of them. */
const spans: Span[] = isTorture
  ? [{ startAtMs: EARLIEST_AT_MS, endAtMs: LATEST_AT_MS }]
  : years.map((year) => ({ startAtMs: Date.UTC(year, 0, 1), endAtMs: Date.UTC(year + 1, 0, 1) }));
const timeLimitMs = isTorture ? 3_600_000 : 60_000;

describe(`G4 in ${zones.length} zones, years ${sample}`, () => {
  it(
    'I6, I7: days, weeks and months tile time, begin at whole minutes, and are unions of the next finer ones',
    () => {
      expect(problemsOfEveryZone(coarseProblems)).toEqual([]);
    },
    timeLimitMs,
  );

  it(
    'I6, I7: hours tile the 27 hours before and after every change of the clocks, and every day start is one of an hour',
    () => {
      expect(problemsOfEveryZone(hourProblems)).toEqual([]);
    },
    timeLimitMs,
  );

  it(
    'offsets are those that luxon reads, also 1 ms before and at every change',
    () => {
      expect(problemsOfEveryZone(offsetProblems)).toEqual([]);
    },
    timeLimitMs,
  );
});

const bruteForceZones = isTorture
  ? zones
  : [
      ...['America/Havana', 'America/St_Johns', 'Atlantic/Azores', 'Pacific/Apia'],
      ...['Australia/Lord_Howe', 'Antarctica/Casey', 'America/New_York', 'Asia/Kathmandu'],
      ...Array.from({ length: 4 }, () => zones[random(zones.length)] ?? 'UTC'),
    ];

describe(`G4: minute by minute with luxon's offsets, around changes in ${sample}`, () => {
  it(
    `a day begins where the local date first gets so far, in ${isTorture ? 'every zone' : bruteForceZones.join(', ')}`,
    () => {
      const changes = bruteForceZones.reduce((sum, zone) => sum + changesIn(zone).length, 0);
      expect(changes).toBeGreaterThan(10);
      expect(bruteForceZones.flatMap((zone) => bruteForceProblems(zone))).toEqual([]);
    },
    timeLimitMs,
  );
});

/** At most 20 texts of what is wrong, so that a defect does not flood the report. */
function problemsOfEveryZone(check: (calendar: Calendar, problems: string[]) => void): string[] {
  const problems: string[] = [];
  for (const zone of zones) {
    check(Calendar.of(zone), problems);
    if (problems.length > 20) break;
  }
  return problems.slice(0, 20);
}

function coarseProblems(calendar: Calendar, problems: string[]): void {
  for (const span of spans) {
    for (const granularity of ['day', 'week', 'month'] as const) {
      let reachedMs = Number.NaN;
      for (const period of calendar.periodsTouching(granularity, span)) {
        const what = `${calendar.zone} ${granularity} ${period.label}`;
        if (reachedMs !== period.startAtMs && !Number.isNaN(reachedMs))
          problems.push(`${what}: gap`);
        if (period.startAtMs >= period.endAtMs) problems.push(`${what}: empty`);
        if (period.startAtMs % MS_PER_MINUTE !== 0) problems.push(`${what}: not a whole minute`);
        if (!isStartOfPart(calendar, granularity, period.startAtMs))
          problems.push(`${what}: no union`);
        reachedMs = period.endAtMs;
        if (granularity !== 'day') continue;
        const lastMs = period.endAtMs - 1;
        if (calendar.startOf('day', lastMs) !== period.startAtMs)
          problems.push(`${what}: two keys`);
      }
    }
  }
}

function isStartOfPart(calendar: Calendar, granularity: Granularity, startAtMs: number): boolean {
  const part = PART_OF[granularity];
  return part === null || calendar.startOf(part, startAtMs) === startAtMs;
}

function hourProblems(calendar: Calendar, problems: string[]): void {
  for (const changeAtMs of changesIn(calendar.zone)) {
    const span = {
      startAtMs: changeAtMs - 27 * MS_PER_HOUR,
      endAtMs: changeAtMs + 27 * MS_PER_HOUR,
    };
    const starts = new Set<number>();
    let reachedMs = calendar.startOf('hour', span.startAtMs);
    for (const hour of calendar.periodsTouching('hour', span)) {
      const what = `${calendar.zone} hour ${hour.label}`;
      starts.add(hour.startAtMs);
      const lengthMs = hour.endAtMs - hour.startAtMs;
      if (hour.startAtMs !== reachedMs) problems.push(`${what}: gap or overlap`);
      if (lengthMs <= 0 || lengthMs > MS_PER_HOUR) problems.push(`${what}: ${lengthMs} ms long`);
      if (hour.endAtMs % MS_PER_MINUTE !== 0) problems.push(`${what}: not a whole minute`);
      const clocks = [hour.startAtMs, hour.endAtMs - 1].map((ms) => calendar.localText(ms));
      if (clocks[0]?.slice(0, 13) !== clocks[1]?.slice(0, 13)) problems.push(`${what}: two hours`);
      if (clocks[0]?.slice(-6) !== clocks[1]?.slice(-6)) problems.push(`${what}: two offsets`);
      reachedMs = hour.endAtMs;
    }
    if (!starts.has(changeAtMs)) problems.push(`${calendar.zone}: a change inside an hour`);
    for (const day of calendar.periodsWithin('day', span)) {
      if (!starts.has(day.startAtMs)) problems.push(`${calendar.zone} ${day.label}: no hour start`);
    }
  }
}

function offsetProblems(calendar: Calendar, problems: string[]): void {
  const zone = IANAZone.create(calendar.zone);
  const compare = (atMs: number) => {
    const { offsetMs } = calendar.segments.at(atMs);
    if (offsetMs !== zone.offset(atMs) * MS_PER_MINUTE) {
      problems.push(`${calendar.zone} ${instantText(atMs)}: ${offsetMs / MS_PER_MINUTE} min`);
    }
  };
  for (const changeAtMs of changesIn(calendar.zone)) {
    compare(changeAtMs - 1);
    compare(changeAtMs);
  }
  const stepMs = isTorture ? MS_PER_DAY : 17 * MS_PER_DAY;
  for (const { startAtMs, endAtMs } of spans) {
    for (let atMs = startAtMs + random(stepMs); atMs < endAtMs; atMs += stepMs) compare(atMs);
  }
}

/** Compares the days around each change with the definition, evaluated minute by minute. */
function bruteForceProblems(zoneName: string): string[] {
  const calendar = Calendar.of(zoneName);
  const zone = IANAZone.create(calendar.zone);
  const problems: string[] = [];
  for (const changeAtMs of changesIn(zoneName)) {
    let latestDay = Number.NEGATIVE_INFINITY;
    const endAtMs = changeAtMs + 16 * MS_PER_HOUR;
    // No other change is nearer than 167 h, so before the first minute no later date was reached.
    for (let atMs = endAtMs - 32 * MS_PER_HOUR; atMs < endAtMs; atMs += MS_PER_MINUTE) {
      const localMs = atMs + zone.offset(atMs) * MS_PER_MINUTE;
      const isNewDay = localMs >= (latestDay + 1) * MS_PER_DAY;
      if (isNewDay) latestDay = Math.floor(localMs / MS_PER_DAY);
      if (!isNewDay && atMs % (15 * MS_PER_MINUTE) !== 0) continue;
      const { label } = calendar.periodAt('day', atMs);
      const expected = instantText(latestDay * MS_PER_DAY).slice(0, 10);
      if (label !== expected) problems.push(`${zoneName} ${instantText(atMs)}: ${label}`);
      const isBegun = calendar.startOf('day', atMs) === atMs;
      const isFirstMinute = atMs === endAtMs - 32 * MS_PER_HOUR;
      if (isNewDay !== isBegun && !isFirstMinute) problems.push(`${zoneName} ${label}: its start`);
      if (problems.length > 20) return problems;
    }
  }
  return problems;
}

function changesIn(zone: string): number[] {
  return spans.flatMap((span) =>
    [...Calendar.of(zone).segments.within(span)].slice(1).map(({ startAtMs }) => startAtMs),
  );
}

/** mulberry32: whole numbers from 0 below `bound`, the same ones for the same seed. */
function randomNumbers(state: number): (bound: number) => number {
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * bound);
  };
}
