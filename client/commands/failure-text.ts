/**
 * The one translation of errors into text and exit status (DESIGN section 13).
 */
import { EXIT, isJobhoursError, JobhoursError } from '../../domain/errors.js';

export interface Failure {
  /** What stderr gets, without the last line feed. */
  readonly text: string;
  readonly exitCode: number;
}

export interface FailureStyle {
  /** `{"error":{code,message,details}}` instead of `error CODE: message`. */
  readonly isJson: boolean;
  /** Show the stack of known errors too. */
  readonly isDebug: boolean;
}

/** The parts of commander's errors that are read here; the class is not, so that it need not be loaded. */
interface CommandLineError {
  readonly code: string;
  readonly exitCode: number;
  readonly message: string;
}

function isCommandLineError(error: unknown): error is CommandLineError {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && code.startsWith('commander.');
}

/** Commander's `error: unknown option '--sart'\n(Did you mean --start?)` as one line of ours. */
function usageError({ message }: CommandLineError): JobhoursError {
  const text = message
    .replace(/^error: /, '')
    .replace(/\n\(Did you mean (.*)\?\)/s, '; did you mean $1?')
    .replaceAll('\n', ' ');
  return new JobhoursError('USAGE', text.trim());
}

function knownError(error: unknown): JobhoursError {
  if (isJobhoursError(error)) return error;
  if (isCommandLineError(error)) return usageError(error);
  const message = error instanceof Error ? error.message : String(error);
  return new JobhoursError('UNEXPECTED', message, {}, { cause: error });
}

/** Text and exit status of an error; null when it only says that help or the version was shown. */
export function failureOf(error: unknown, style: FailureStyle): Failure | null {
  if (isCommandLineError(error)) {
    if (error.exitCode === EXIT.ok) return null;
    // Help of a noun without verb was already printed.
    if (error.code === 'commander.help') return { text: '', exitCode: EXIT.usage };
  }
  const known = knownError(error);
  return { text: failureText(known, style), exitCode: known.exitCode };
}

function failureText(error: JobhoursError, { isJson, isDebug }: FailureStyle): string {
  const stack = isDebug || error.code === 'UNEXPECTED' ? stackOf(error) : null;
  if (isJson) {
    const { code, message, details } = error;
    const body = { code, message, details, ...(stack === null ? {} : { stack }) };
    return JSON.stringify({ error: body }, (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  }
  const text = `error ${error.code}: ${error.message}`;
  return stack === null ? text : `${text}\n${stack}`;
}

/** Frames of the error and of what caused it. */
function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
