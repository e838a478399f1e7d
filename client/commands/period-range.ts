/** `--start`, `--end`, `--period` of the commands on periods. Owns these options; what is done with the range is theirs. */
import type { Command } from 'commander';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import type { Granularity } from '../../domain/period.js';
import { parsePeriodLabel, parseRange } from '../../domain/time-text.js';
import type { RangeAt } from '../period-list.js';
import { outputOption, type Format } from './output.js';

export interface RangeEdges {
  readonly start?: string;
  readonly end?: string;
  readonly period?: string;
}

export interface RangeOptions extends RangeEdges {
  readonly output: Format;
}

/** Adds the options of `RangeOptions`. */
export function withRange(command: Command): Command {
  return withEdges(command).addOption(outputOption());
}

/** Adds the options of `RangeEdges`. */
export function withEdges(command: Command): Command {
  return command
    .option('-S, --start <time>', 'start of the range, inclusive')
    .option('-E, --end <time>', 'end of the range, exclusive (default: now)')
    .option(
      '--period <label>',
      'one period: 2026-01, 2026-W05, 2026-01-31, 2026-01-31T15:00+08:00',
    );
}

/** The range that was asked for. Errors of parseRange and parsePeriodLabel (B67); USAGE when it is named twice. */
export function rangeOf({ start, end, period }: RangeEdges, calendar: Calendar): RangeAt {
  if (period === undefined) return (nowMs) => parseRange(start, end, calendar, nowMs);
  if (start !== undefined || end !== undefined) {
    throw new JobhoursError('USAGE', 'give either --period, or --start and --end');
  }
  const { startAtMs, endAtMs } = parsePeriodLabel(granularityOf(period), period, calendar);
  return () => ({ startAtMs, endAtMs });
}

/** The four labels differ in form. */
export function granularityOf(label: string): Granularity {
  if (label.includes('T')) return 'hour';
  if (label.includes('W')) return 'week';
  return label.split('-').length === 3 ? 'day' : 'month';
}
