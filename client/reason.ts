/** Why somebody changed the books by hand: a sentence that the next person reads. Owns what counts as one. */
import { JobhoursError } from '../domain/errors.js';

const MAX_CHARACTERS = 1_000;

/**
 * The reason in one line, without spaces at its ends: control characters, line ends among them, become blanks, so that
 * no reason looks like another line of a list (B28). FIELD_MISSING when it is empty, LIMIT_INVALID above 1,000 characters.
 */
export function requiredReason(text: string): string {
  const reason = text.replace(/\p{Cc}+/gu, ' ').trim();
  if (reason === '') {
    throw new JobhoursError('FIELD_MISSING', '--reason is empty: say why, for whoever asks later');
  }
  if (reason.length <= MAX_CHARACTERS) return reason;
  throw new JobhoursError(
    'LIMIT_INVALID',
    `--reason has ${reason.length} characters: at most ${MAX_CHARACTERS}`,
  );
}
