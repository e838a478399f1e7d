/** `--start`, `--end`, `--window` of the reports. Owns these options; what is printed of the window is theirs. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import type { Span } from '../../domain/period.js';
import { parseRange, parseWindow } from '../../domain/time-text.js';

export interface WindowOptions {
  readonly start?: string;
  readonly end?: string;
  readonly window?: string;
}

/** Adds the options of `WindowOptions`. */
export function withWindow(command: Command): Command {
  return command
    .option('-S, --start <time>', 'start of the window, inclusive')
    .option('-E, --end <time>', 'end of the window, exclusive (default: now)')
    .option('--window <window>', 'the window in one word (default: month)');
}

/** USAGE when the window is named twice, or by its end alone. */
export function checkWindow({ start, end, window }: WindowOptions): void {
  if (window !== undefined && (start !== undefined || end !== undefined)) {
    throw new JobhoursError('USAGE', 'give either --window, or --start and --end');
  }
  if (end !== undefined && start === undefined) {
    throw new JobhoursError('USAGE', '--end needs --start');
  }
}

/** The window that was asked for; without an end it ends at `nowMs`. Errors of parseWindow and parseRange. */
export function windowOf(
  { start, end, window }: WindowOptions,
  calendar: Calendar,
  nowMs: number,
): Span {
  if (start === undefined) return parseWindow(window ?? 'month', calendar, nowMs);
  const { startAtMs = nowMs, endAtMs = nowMs } = parseRange(start, end, calendar, nowMs);
  return { startAtMs, endAtMs };
}
