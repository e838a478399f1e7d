import { describe, expect, it } from '@jest/globals';
import type { Outcome } from '../../domain/run-record.js';
import { SWF_FIELDS, swfOutcome, type SwfRules } from '../../domain/swf-record.js';

const ORIGIN = Date.UTC(2026, 0, 1);
const RULES: SwfRules = {
  nowMs: Date.UTC(2026, 10, 1),
  minimumRunMs: 1,
  zone: null,
  source: 'log',
  originAtMs: ORIGIN,
  maxProcessors: null,
  set: new Map([['gpus', '2']]),
  gpusOfJob: null,
  missingStart: 'reject',
  missingEnd: 'reject',
};
/** Job 7 waits 100 s, runs 3,600 s on 8 processors, completes. */
const RECORD: Readonly<Record<string, string>> = {
  job: '7',
  submit_time: '50',
  wait_time: '100',
  run_time: '3600',
  processors: '8',
  status: '1',
  user: '12',
  group: '3',
  queue: '2',
  partition: '1',
};

function outcomeOf(
  changes: Partial<Record<(typeof SWF_FIELDS)[number], string>>,
  rules: Partial<SwfRules> = {},
): Outcome {
  const record: Readonly<Record<string, string>> = { ...RECORD, ...changes };
  return swfOutcome(
    SWF_FIELDS.map((name) => record[name] ?? '-1'),
    { ...RULES, ...rules },
  );
}

/** Start and end in seconds from the origin, with remarks; else the rule or the code and detail. */
function told(outcome: Outcome): string {
  if (outcome.kind === 'set-aside') return outcome.rule;
  if (outcome.kind === 'rejected') return `${outcome.code}: ${outcome.detail}`;
  const { run, remarks = [] } = outcome;
  const seconds = (atMs: number | null): string =>
    atMs === null ? 'running' : String((atMs - ORIGIN) / 1000);
  return [
    `${seconds(run.startedAtMs)} to ${seconds(run.endedAtMs)}${run.endIsEstimated ? ' estimated' : ''}`,
    ...remarks.map(({ kind, what }) => `${kind} ${what}`),
  ].join(', ');
}

describe('a record of SWF', () => {
  it('becomes a run from submit + wait for its run time, its numbers named (G7)', () => {
    expect(outcomeOf({})).toEqual({
      kind: 'run',
      run: {
        source: 'log',
        key: '7/0',
        jobId: '7',
        attempt: 0,
        user: 'user:12',
        space: 'group:3',
        pool: 'partition:1',
        milliGpus: 2000,
        startedAtMs: ORIGIN + 150_000,
        endedAtMs: ORIGIN + 3_750_000,
        reportedEndedAtMs: ORIGIN + 3_750_000,
        endIsEstimated: false,
        facts: {
          submit_time: '50',
          wait_time: '100',
          run_time: '3600',
          processors: '8',
          status: '1',
          queue: '2',
        },
      },
    });
    expect(SWF_FIELDS).toHaveLength(18);
  });

  it('takes constants for user, space, pool and GPUs, and - or user:unknown for -1', () => {
    const unknown = { user: '-1', group: '-1', partition: '-1' };
    expect(outcomeOf(unknown)).toMatchObject({
      run: { user: 'user:unknown', space: '-', pool: '-' },
    });
    const set = new Map([
      ['user', 'anna'],
      ['space', 'lab'],
      ['pool', 'v100'],
      ['gpus', '0.5'],
    ] as const);
    expect(outcomeOf({}, { set })).toMatchObject({
      run: { user: 'anna', space: 'lab', pool: 'v100', milliGpus: 500 },
    });
  });

  it('has the GPUs of its job in the given file, or is rejected', () => {
    const gpusOfJob = new Map([['7', '4']]);
    expect(outcomeOf({}, { gpusOfJob })).toMatchObject({ run: { milliGpus: 4000 } });
    expect(told(outcomeOf({ job: '8' }, { gpusOfJob }))).toBe(
      'FIELD_MISSING: gpus: job 8 is not in the file of --gpus-from',
    );
    expect(told(outcomeOf({}, { gpusOfJob: new Map([['7', '-1']]) }))).toMatch(
      /^GPUS_INVALID: gpus "-1"/,
    );
  });

  it.each([
    ['0', '150 to 3750'],
    ['1', '150 to 3750'],
    ['-1', '150 to 3750'],
    ['5', '150 to 3750'],
    ['2', 'PARTIAL'],
    ['3', 'PARTIAL'],
    ['4', 'PARTIAL'],
    ['9', '150 to 3750, STATE_UNKNOWN status 9'],
  ])('of status %s is: %s', (status, expected) => {
    expect(told(outcomeOf({ status }))).toBe(expected);
  });

  it.each<[Record<string, string>, Partial<SwfRules>, string]>([
    [{ status: '5', run_time: '-1' }, {}, 'NEVER_STARTED'],
    [{ status: '5', run_time: '0' }, {}, 'NEVER_STARTED'],
    [{ wait_time: '-1', run_time: '-1' }, {}, 'NEVER_STARTED'],
    [{ run_time: '0' }, {}, '150 to 150.001'],
    [{ run_time: '-1' }, {}, 'END_MISSING: run_time is -1'],
    [{ run_time: '-1' }, { missingEnd: 'open' }, '150 to running'],
    [{ run_time: '-1' }, { missingEnd: ORIGIN + 200_000 }, '150 to 200 estimated'],
    [{ wait_time: '-1' }, {}, 'START_MISSING: wait_time is -1'],
    [{ wait_time: '-1' }, { missingStart: 'submit' }, '50 to 3650'],
    [{ wait_time: '-1' }, { missingStart: ORIGIN }, '0 to 3600'],
    [{ submit_time: '-1' }, { missingStart: 'submit' }, 'START_MISSING: submit_time is -1'],
    [{ submit_time: '1.5', wait_time: '0.0009', run_time: '0.25' }, {}, '1.5 to 1.75'],
    [{ processors: '9' }, { maxProcessors: 8 }, '150 to 3750, ABOVE_MAX_PROCESSORS 8'],
    [{ processors: '8' }, { maxProcessors: 8 }, '150 to 3750'],
  ])('with %j under %j is: %s', (changes, rules, expected) => {
    expect(told(outcomeOf(changes, rules))).toContain(expected);
  });

  it.each<[string, Record<string, string>, Partial<SwfRules>, RegExp]>([
    ['B42: a word for a number', { run_time: 'x' }, {}, /^RECORD_INVALID: field 4, run_time, "x"/],
    ['B11: an exponent', { submit_time: '1e9' }, {}, /^RECORD_INVALID: field 2, submit_time/],
    ['B42: a negative number', { wait_time: '-7' }, {}, /^RECORD_INVALID: field 3, wait_time/],
    ['B43: no job', { job: '-1' }, {}, /^JOB_ID_INVALID: job -1/],
    ['B4: an origin of 1970', {}, { originAtMs: 0 }, /^TIME_RANGE: start .*UnixStartTime/],
    ['B5: a run of a million years', { run_time: '9'.repeat(14) }, {}, /^TIME_RANGE: end/],
    ['B3: a start in the future', { submit_time: '99999999' }, {}, /^TIME_FUTURE: start/],
    [
      'B19: an empty constant',
      {},
      { set: new Map([['user', '']]) },
      /^USER_INVALID: user "": empty/,
    ],
  ])('is rejected by field, value and rule: %s', (_, changes, rules, expected) => {
    expect(told(outcomeOf(changes, rules))).toMatch(expected);
  });
});
