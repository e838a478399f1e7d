/**
 * How long Slurm says that a job ran, against its start and end. Owns Slurm's form of durations and what a difference
 * means: suspended time, or times that were read in the wrong zone.
 */
import { Calendar } from './calendar.js';
import { JobhoursError } from './errors.js';
import type { Span } from './period.js';
import { quotedValue } from './quoted-value.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from './units.js';

const DURATION = /^(?:(\d{1,6})-)?(?:(\d{1,2}):)?(\d{1,2}):(\d\d)(?:\.\d{1,6})?$/;

/** By how much zones put their clocks forward and back in summer: Lord Howe, nearly all others, Troll. */
const CLOCK_CHANGES_MS = new Set([MS_PER_HOUR / 2, MS_PER_HOUR, 2 * MS_PER_HOUR]);

/** Milliseconds of a duration `[D-][HH:]MM:SS`, whole seconds; null for another text. */
export function slurmDurationMs(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  const [, days, hours, minutes, seconds] = match.map((part) => Number(part ?? 0));
  return (
    (days ?? 0) * MS_PER_DAY +
    (hours ?? 0) * MS_PER_HOUR +
    (minutes ?? 0) * MS_PER_MINUTE +
    (seconds ?? 0) * MS_PER_SECOND
  );
}

/**
 * How long a finished job was suspended, in ms: by how much `elapsed` (Slurm's text) is shorter than the span; 0 when
 * the text is no duration. `zone` is the zone that was said for the times, null when none was.
 * TIME_ZONE_SUSPECT when `elapsed` is longer than the span, or shorter by exactly what clocks change: half an hour, one
 * hour or two, as that of a local dump is when they were put forward during the job. That a zone was said takes the
 * second suspicion away, unless the clocks changed in it during the span.
 */
export function suspendedMs(elapsed: string, span: Span, zone: string | null): number {
  const elapsedMs = slurmDurationMs(elapsed);
  if (elapsedMs === null) return 0;
  const lengthMs = Math.floor((span.endAtMs - span.startAtMs) / MS_PER_SECOND) * MS_PER_SECOND;
  const differenceMs = lengthMs - elapsedMs;
  if (differenceMs === 0) return 0;
  if (differenceMs < 0) throw suspect(elapsed, lengthMs, 'longer than');
  const isClockChange = CLOCK_CHANGES_MS.has(differenceMs);
  if (!isClockChange || (zone !== null && !clocksChange(zone, span))) return differenceMs;
  throw suspect(elapsed, lengthMs, `exactly ${durationText(differenceMs)} shorter than`);
}

function clocksChange(zone: string, { startAtMs, endAtMs }: Span): boolean {
  const calendar = Calendar.of(zone);
  return calendar.offsetText(startAtMs) !== calendar.offsetText(endAtMs);
}

function suspect(elapsed: string, lengthMs: number, relation: string): JobhoursError {
  return new JobhoursError(
    'TIME_ZONE_SUSPECT',
    `elapsed ${quotedValue(elapsed)} is ${relation} end - start = ${durationText(lengthMs)}: ` +
      'its times seem to be of another zone than they were read in; dump with TZ=UTC, or say --zone',
  );
}

/** `[D-]HH:MM:SS`, as Slurm writes it. */
function durationText(lengthMs: number): string {
  const part = (unitMs: number, of: number): string =>
    String(Math.floor(lengthMs / unitMs) % of).padStart(2, '0');
  const days = Math.floor(lengthMs / MS_PER_DAY);
  const time = [part(MS_PER_HOUR, 24), part(MS_PER_MINUTE, 60), part(MS_PER_SECOND, 60)].join(':');
  return days === 0 ? time : `${days}-${time}`;
}
