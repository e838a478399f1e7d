/** What a failed activity or child says: a code of the catalogue, or why Temporal gave up. */
import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/common';
import { TimeoutFailure } from '@temporalio/common';

export interface FailureText {
  readonly code: string;
  readonly detail: string;
}

/** The innermost failure in words. */
export function failureText(error: unknown): FailureText {
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) {
    return failureText(error.cause ?? new Error(error.message));
  }
  if (error instanceof ApplicationFailure) {
    return { code: error.type ?? 'UNEXPECTED', detail: error.message };
  }
  if (error instanceof TimeoutFailure) {
    return { code: 'TIMEOUT', detail: `${error.message} (${error.timeoutType})` };
  }
  return { code: 'UNEXPECTED', detail: error instanceof Error ? error.message : String(error) };
}
