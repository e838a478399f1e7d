/**
 * The one translation of errors into Temporal's failures (DESIGN section 13): type = code of the catalogue,
 * not retried when the same request cannot succeed later.
 */
import { ApplicationFailure, TemporalFailure } from '@temporalio/common';
import { isJobhoursError } from '../domain/errors.js';

/** Temporal keeps 4 KiB of a failure. */
const LONGEST_MESSAGE = 2_000;

const cut = (text: string): string =>
  text.length <= LONGEST_MESSAGE ? text : `${text.slice(0, LONGEST_MESSAGE)}...`;

/** Plain values only: payloads cannot carry bigint. */
function plain(details: Readonly<Record<string, unknown>>): unknown {
  const text = JSON.stringify(details, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  return text.length <= LONGEST_MESSAGE ? JSON.parse(text) : {};
}

/** An error as Temporal reports it; Temporal's own failures (a cancellation) pass unchanged. */
function temporalFailure(error: unknown): Error {
  if (error instanceof TemporalFailure) return error;
  const cause = error instanceof Error ? error : new Error(String(error));
  if (!isJobhoursError(error)) {
    return ApplicationFailure.create({
      message: cut(cause.message),
      type: 'UNEXPECTED',
      nonRetryable: true,
      cause,
    });
  }
  return ApplicationFailure.create({
    message: cut(error.message),
    type: error.code,
    nonRetryable: !error.retryable,
    details: [plain(error.details)],
    cause,
  });
}

/** The result of `work`, its errors translated. */
export async function withTemporalFailures<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw temporalFailure(error);
  }
}
