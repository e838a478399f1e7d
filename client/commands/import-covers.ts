/** `--covers A,B`: what an input has wholly. Owns the form of the flag; what it means is domain/coverage.ts. */
import type { DeclaredCoverage } from '../import-runs.js';
import type { Calendar } from '../../domain/calendar.js';
import { JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { parseInstant } from '../../domain/time-text.js';
import type { ImportFormat } from '../import-format.js';

/**
 * The span, in the zone of the books, and the source that the flags name; null without the flag. USAGE, RANGE_INVALID and
 * the errors of an instant.
 */
export function coversOf(
  text: string | undefined,
  format: ImportFormat,
  calendar: Calendar,
): DeclaredCoverage | null {
  if (text === undefined) return null;
  const [start, end, ...more] = text.split(',').map((part) => part.trim());
  if (start === undefined || end === undefined || more.length > 0) {
    throw new JobhoursError('USAGE', `--covers ${quotedValue(text)}: expected two times, A,B`);
  }
  const instant = (part: string): number =>
    parseInstant(part, { zone: calendar.zone, field: '--covers' });
  const [startAtMs, endAtMs] = [instant(start), instant(end)];
  if (endAtMs <= startAtMs) {
    throw new JobhoursError(
      'RANGE_INVALID',
      `--covers ${quotedValue(text)}: it ends before it starts`,
    );
  }
  return { startAtMs, endAtMs, source: format.source ?? null };
}
