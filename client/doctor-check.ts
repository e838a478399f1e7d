/**
 * One check of `doctor`: what it answers, and that its failure is its answer. Owns neither what is checked nor in what
 * order: client/doctor.ts.
 */
import { isJobhoursError } from '../domain/errors.js';

export type CheckState = 'ok' | 'wrong' | 'not known';

export interface Diagnosis {
  readonly state: CheckState;
  /** What is so, in words for people. */
  readonly detail: string;
  /** The command that mends it; empty: nothing is wrong, or no command does, and the detail says what to do. */
  readonly mend: string;
}

export interface Finding extends Diagnosis {
  readonly check: string;
}

/** Checks of one subject by name. */
export type Checks<Subject> = Readonly<
  Record<string, (subject: Subject) => Diagnosis | Promise<Diagnosis>>
>;

export const ok = (detail: string): Diagnosis => ({ state: 'ok', detail, mend: '' });
export const notKnown = (detail: string): Diagnosis => ({ state: 'not known', detail, mend: '' });
export const wrong = (detail: string, mend: string): Diagnosis => ({
  state: 'wrong',
  detail,
  mend,
});

/** A name of somebody else's choosing as one word of a shell's command. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** What an error says of the check in which it came. */
export function failed(error: unknown, mend = ''): Diagnosis {
  const message = error instanceof Error ? error.message : String(error);
  return wrong(isJobhoursError(error) ? `${error.code}: ${message}` : message, mend);
}

/** The check's answer; never rejects. */
export async function checked(
  check: string,
  look: () => Diagnosis | Promise<Diagnosis>,
): Promise<Finding> {
  try {
    return { check, ...(await look()) };
  } catch (error) {
    return { check, ...failed(error) };
  }
}

/** All answers, in order; each is `not known` for the reason given when there is no subject. */
export async function checkAll<Subject>(
  checks: Checks<Subject>,
  subject: Subject | null,
  whyNot: string,
): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [check, look] of Object.entries(checks)) {
    found.push(await checked(check, () => (subject === null ? notKnown(whyNot) : look(subject))));
  }
  return found;
}
