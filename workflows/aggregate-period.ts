/**
 * Builds one period with its missing and stale parts, in one activity. Owns that a failure is recorded; the order of
 * the parts and their transactions are the activity's.
 */
import { ApplicationFailure } from '@temporalio/common';
import { CancellationScope, isCancellation, setCurrentDetails } from '@temporalio/workflow';
import type { BuildSummary, FailureRequest, WaitingPeriod } from '../activities/index.js';
import { instantText } from '../domain/units.js';
import type { AggregateInput } from '../domain/workflow-input.js';
import { buildActivities, shortActivities } from './activity-calls.js';
import { failureText } from './failure-code.js';

/**
 * Returns what was built, in words and numbers; parts that failed are listed there and in `period_failure`. Fails,
 * with the code of the catalogue as type, when the build as a whole could not go on.
 */
export async function aggregatePeriod(input: AggregateInput): Promise<BuildSummary> {
  const title = aggregateTitle(input);
  setCurrentDetails(`${title}: is being built`);
  try {
    const summary = await buildActivities(input.limits).aggregate(input);
    setCurrentDetails(`${title}: ${summary.outcome}`);
    return summary;
  } catch (error) {
    if (wasCancelled(error)) throw error;
    const { code, detail } = failureText(error);
    const { booksName, granularity, startAtMs, label } = input;
    await CancellationScope.nonCancellable(() =>
      shortActivities(input.limits).recordFailure({
        ...{ booksName, granularity, startAtMs, label, code, detail },
      }),
    );
    setCurrentDetails(`${title}: failed, ${code}`);
    throw ApplicationFailure.create({
      message: `${title}: ${detail}`,
      type: code,
      nonRetryable: true,
    });
  }
}

/** True also when the worker died before it could say that it had stopped: then the error is a time-out. */
export function wasCancelled(error: unknown): boolean {
  return isCancellation(error) || CancellationScope.current().consideredCancelled;
}

/** What is recorded of a period that others changed each time that it was built, or whose rows do not fit. */
export function replanFailure(
  booksName: string,
  { granularity, startAtMs, label, detail = '' }: WaitingPeriod,
  times: number,
): FailureRequest {
  return {
    ...{ booksName, granularity, startAtMs, label },
    code: 'REPLAN',
    detail: `built ${times} times, and each time other transactions had changed it or rows before it do not fit (jobhours periods check --deep names those): ${detail}`,
  };
}

/** How a build is called in the UI. */
export function aggregateTitle({
  granularity,
  label,
  only,
}: Pick<AggregateInput, 'granularity' | 'label' | 'only'>): string {
  const part =
    only === undefined ? '' : `, ${instantText(only.startAtMs)} to ${instantText(only.endAtMs)}`;
  return `${granularity} ${label}${part}`;
}
