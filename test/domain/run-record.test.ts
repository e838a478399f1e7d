import { describe, expect, it } from '@jest/globals';
import {
  FEED_FIELDS,
  feedOutcome,
  type FeedField,
  type FeedRules,
} from '../../domain/feed-record.js';
import type { Outcome } from '../../domain/run-record.js';
import {
  SACCT_FIELDS,
  sacctOutcome,
  USUAL_COLUMNS,
  type SacctRules,
} from '../../domain/sacct-record.js';

const at = (text: string): number => Date.parse(text);
const NOW = at('2026-03-01T00:00:00Z');

const rules: FeedRules = {
  nowMs: NOW,
  minimumRunMs: 1,
  zone: null,
  source: 'csv',
  timeUnit: 'iso',
  timeOriginAtMs: 0,
  missingStart: 'reject',
  missingEnd: 'open',
};

const RECORD: Readonly<Record<FeedField, string>> = {
  user: 'anna',
  space: 'physics',
  pool: 'a100',
  job_id: 'j1',
  attempt: '',
  gpus: '2',
  submit: '2026-01-01T09:00:00Z',
  start: '2026-01-01T10:00:00Z',
  end: '2026-01-01T11:00:00Z',
};

function feed(
  changes: Partial<Record<FeedField, string>>,
  changedRules: Partial<FeedRules> = {},
  keyParts: readonly (readonly [string, string])[] | null = null,
): Outcome {
  const record = { ...RECORD, ...changes };
  return feedOutcome(() => ({ field: (name) => record[name], keyParts, facts: {} }), {
    ...rules,
    ...changedRules,
  });
}

/** What happened, in one line: the code and detail, the rule, or the run's interval. */
function told(outcome: Outcome): string {
  if (outcome.kind === 'set-aside') return outcome.rule;
  if (outcome.kind === 'rejected') return `${outcome.code}: ${outcome.detail}`;
  const { startedAtMs, endedAtMs, endIsEstimated } = outcome.run;
  const end = endedAtMs === null ? 'running' : new Date(endedAtMs).toISOString();
  return `${new Date(startedAtMs).toISOString()} ${end}${endIsEstimated ? ' estimated' : ''}`;
}

describe('a record of a feed', () => {
  it('becomes a run with every field in its place (G7)', () => {
    expect(feed({})).toEqual({
      kind: 'run',
      run: {
        source: 'csv',
        key: 'j1/0',
        jobId: 'j1',
        attempt: 0,
        user: 'anna',
        space: 'physics',
        pool: 'a100',
        milliGpus: 2000,
        startedAtMs: at('2026-01-01T10:00:00Z'),
        endedAtMs: at('2026-01-01T11:00:00Z'),
        reportedEndedAtMs: at('2026-01-01T11:00:00Z'),
        endIsEstimated: false,
        facts: {},
      },
    });
  });

  it.each<[string, Partial<Record<FeedField, string>>, RegExp]>([
    [
      'B1: ends 1 ms before its start',
      { end: '2026-01-01T09:59:59.999Z' },
      /^TIME_ORDER: end 2026-01-01T09:59:59.999Z lies before start 2026-01-01T10:00:00.000Z/,
    ],
    ['B2: has an end and no start', { start: '' }, /^START_MISSING: start is empty/],
    [
      'B3: starts 6 minutes in the future',
      { start: '2026-03-01T00:06:00Z', end: '' },
      /^TIME_FUTURE: start 2026-03-01T00:06:00.000Z.*database clock says 2026-03-01T00:00:00.000Z/,
    ],
    ['B3: ends 6 minutes in the future', { end: '2026-03-01T00:06:00Z' }, /^TIME_FUTURE: end/],
    ['B4: starts in 1969', { start: '1969-12-31T23:59:59Z' }, /^TIME_RANGE: start/],
    ['B5: ends at infinity', { end: 'infinity' }, /^TIME_RANGE: end/],
    [
      'B6: starts on 30 February',
      { start: '2026-02-30T00:00:00Z' },
      /^TIME_INVALID: start "2026-02-30T00:00:00Z"/,
    ],
    [
      'B7: has no offset',
      { start: '2026-01-01T10:00' },
      /^TIME_ZONE_MISSING: start "2026-01-01T10:00"/,
    ],
    ['B10: ends in a leap second', { end: '2016-12-31T23:59:60Z' }, /^TIME_LEAP_SECOND: end/],
    ['B11: gives seconds as a time', { start: '1767225600' }, /^TIME_UNIT: start .*seconds/],
    ['B16: has -1 GPUs', { gpus: '-1' }, /^GPUS_INVALID: gpus "-1"/],
    ['B19: has no user', { user: '' }, /^USER_INVALID: user "": empty/],
    ['B20: has U+0000 in its user', { user: 'a\0' }, /^USER_INVALID: user "a\\u0000"/],
    ['B23: has an invisible character in its pool', { pool: 'a\u200b' }, /^POOL_INVALID: pool/],
    ['B28: has a line feed in its space', { space: 'a\nb' }, /^SPACE_INVALID: space/],
    ['B43: has no job id', { job_id: '' }, /^FIELD_MISSING: job_id is empty/],
    ['B43: has no GPUs', { gpus: '' }, /^FIELD_MISSING: gpus is empty/],
    [
      'B44: starts at an Invalid Date',
      { start: 'Invalid Date' },
      /^TIME_INVALID: start "Invalid Date"/,
    ],
    [
      'B42: has an attempt that is no number',
      { attempt: 'first' },
      /^LIMIT_INVALID: attempt "first"/,
    ],
    ['B42: has an attempt above 2^31', { attempt: '2147483648' }, /^LIMIT_INVALID: attempt/],
  ])('is rejected by field, value and rule when it %s', (_, changes, expected) => {
    expect(told(feed(changes))).toMatch(expected);
  });

  it('may start and end up to 5 minutes after the database clock (B3)', () => {
    const outcome = feed({ start: '2026-03-01T00:04:00Z', end: '2026-03-01T00:05:00Z' });
    expect(told(outcome)).toBe('2026-03-01T00:04:00.000Z 2026-03-01T00:05:00.000Z');
  });

  it('keeps whole ms of finer times and never rounds up (B12)', () => {
    const outcome = feed({ start: '2026-01-01T12:59:59.9996Z', end: '2026-01-01T13:59:59.9999Z' });
    expect(told(outcome)).toBe('2026-01-01T12:59:59.999Z 2026-01-01T13:59:59.999Z');
  });

  it.each<[string, string, Partial<FeedRules>, string]>([
    ['', '', {}, 'NEVER_STARTED'],
    ['', '0', {}, 'NEVER_STARTED'],
    ['S', '', {}, 'S running'],
    ['S', '0', {}, 'S running'],
    ['S', '0.000', {}, 'S running'],
    ['S', '', { missingEnd: 'reject' }, 'END_MISSING: end is empty, and --missing-end is reject'],
    ['S', '', { missingEnd: at('2026-02-01T00:00:00Z') }, 'S 2026-02-01T00:00:00.000Z estimated'],
    ['S', 'E', { missingEnd: at('2026-02-01T00:00:00Z') }, 'S E'],
    ['', 'E', {}, 'START_MISSING: start is empty; --missing-start says what stands for it'],
    ['', 'E', { missingStart: 'submit' }, 'Q E'],
    ['', '', { missingStart: 'submit' }, 'NEVER_STARTED'],
    ['', 'E', { missingStart: at('2026-01-01T00:00:00Z') }, '2026-01-01T00:00:00.000Z E'],
    ['', '', { missingStart: at('2026-01-01T00:00:00Z') }, '2026-01-01T00:00:00.000Z running'],
    [
      '',
      '',
      { missingEnd: at('2026-02-01T00:00:00Z') },
      'START_MISSING: start is empty; --missing-start says what stands for it',
    ],
  ])('with start "%s" and end "%s" under %j is: %s', (start, end, changedRules, expected) => {
    const [S, E, Q] = [RECORD.start, RECORD.end, RECORD.submit];
    const text = (word: string): string => (word === 'S' ? S : word === 'E' ? E : word);
    const iso = (known: string): string => new Date(known).toISOString();
    const filled = expected
      .replace(/^S /, `${iso(S)} `)
      .replace(/^Q /, `${iso(Q)} `)
      .replace(/ E$/, ` ${iso(E)}`);
    expect(told(feed({ start: text(start), end: text(end) }, changedRules))).toBe(filled);
  });

  it('without start, end and submit under --missing-start submit is START_MISSING when the end is known', () => {
    expect(told(feed({ start: '', submit: '' }, { missingStart: 'submit' }))).toMatch(
      /^START_MISSING/,
    );
  });

  it('has times of numbers in the declared unit, from the declared origin', () => {
    const outcome = feed(
      { start: '475.00000000000006', end: '476.5' },
      { timeUnit: 's', timeOriginAtMs: at('2025-01-01T00:00:00Z') },
    );
    expect(told(outcome)).toBe('2025-01-01T00:07:55.000Z 2025-01-01T00:07:56.500Z');
  });

  it.each([
    [0, 0, 0],
    [0, 1, 1],
    [0, 1000, 1000],
    [999, 1000, 1000],
    [1000, 1000, 1000],
    [1001, 1000, 1001],
  ])(
    'of %d ms counts under a minimum of %d ms for %d ms, its reported end kept (B65)',
    (lengthMs, minimumRunMs, countedMs) => {
      const startedAtMs = at(RECORD.start);
      const end = new Date(startedAtMs + lengthMs).toISOString();
      const outcome = feed({ end }, { minimumRunMs });
      expect(outcome).toMatchObject({
        run: { endedAtMs: startedAtMs + countedMs, reportedEndedAtMs: startedAtMs + lengthMs },
      });
    },
  );

  it('of ten years on 100,000 GPUs is accepted (B66)', () => {
    const outcome = feed({
      start: '2015-01-01T00:00:00Z',
      end: '2025-01-01T00:00:00Z',
      gpus: '100000',
    });
    expect(told(outcome)).toBe('2015-01-01T00:00:00.000Z 2025-01-01T00:00:00.000Z');
  });

  it('takes its key from the columns of --key, and its job id too when it has none', () => {
    const parts = [
      ['host', 'n1'],
      ['pid', '7'],
    ] as const;
    expect(feed({ job_id: '' }, {}, parts)).toMatchObject({ run: { key: 'n1/7', jobId: 'n1/7' } });
    expect(feed({}, {}, parts)).toMatchObject({ run: { key: 'n1/7', jobId: 'j1' } });
    expect(told(feed({}, {}, [['pid', '']]))).toMatch(/^FIELD_MISSING: key column pid is empty/);
  });

  it('is another record for each attempt', () => {
    expect(feed({ attempt: '2' })).toMatchObject({ run: { key: 'j1/2', attempt: 2 } });
  });

  it('has exactly the canonical fields', () => {
    expect(FEED_FIELDS.join(',')).toBe('user,space,pool,job_id,attempt,gpus,submit,start,end');
  });
});

type SacctChanges = Partial<Record<(typeof SACCT_FIELDS)[number], string>>;
const SACCT: SacctChanges = {
  jobid: '42_7',
  jobidraw: '43',
  cluster: 'hpc1',
  partition: 'gpu',
  qos: 'normal',
  account: 'physics',
  user: 'anna',
  uid: '1001',
  submit: '2026-01-01T09:00:00',
  eligible: '2026-01-01T09:00:00',
  start: '2026-01-01T10:00:00',
  end: '2026-01-01T11:00:00',
  elapsed: '01:00:00',
  state: 'COMPLETED',
  alloctres: 'cpu=8,gres/gpu=4,node=1',
  nodelist: 'n1',
  jobname: 'train|resnet',
};

function sacct(changes: SacctChanges, changedRules: Partial<SacctRules> = {}): Outcome {
  const record = { ...SACCT, ...changes };
  return sacctOutcome(
    SACCT_FIELDS.map((name) => record[name] ?? ''),
    USUAL_COLUMNS,
    {
      ...{ nowMs: NOW, minimumRunMs: 1, zone: null, source: null, pool: null, gres: new Map() },
      ...changedRules,
    },
  );
}

describe('a line of sacct', () => {
  it('becomes a run; what else Slurm says is kept word for word (G7)', () => {
    expect(sacct({})).toEqual({
      kind: 'run',
      run: {
        source: 'hpc1',
        key: '43@2026-01-01T09:00:00',
        jobId: '43',
        attempt: 0,
        user: 'anna',
        space: 'physics',
        pool: 'gpu',
        milliGpus: 4000,
        startedAtMs: at('2026-01-01T10:00:00Z'),
        endedAtMs: at('2026-01-01T11:00:00Z'),
        reportedEndedAtMs: at('2026-01-01T11:00:00Z'),
        endIsEstimated: false,
        facts: {
          jobid: '42_7',
          qos: 'normal',
          uid: '1001',
          submit: '2026-01-01T09:00:00',
          eligible: '2026-01-01T09:00:00',
          elapsed: '01:00:00',
          state: 'COMPLETED',
          alloctres: 'cpu=8,gres/gpu=4,node=1',
          nodelist: 'n1',
          jobname: 'train|resnet',
        },
      },
    });
  });

  it.each<[SacctChanges, string]>([
    [{ jobid: '43.batch' }, 'STEP'],
    [{ jobid: '43.0', start: 'Unknown' }, 'STEP'],
    [{ start: 'Unknown', end: 'Unknown', state: 'PENDING' }, 'NEVER_STARTED'],
    [{ start: 'None' }, 'NEVER_STARTED'],
    [{ start: '' }, 'NEVER_STARTED'],
    [{ nodelist: 'None assigned', state: 'CANCELLED by 380693' }, 'NEVER_STARTED'],
    [{ nodelist: '' }, 'NEVER_STARTED'],
  ])('is set aside by a named rule: %j', (changes, rule) => {
    expect(told(sacct(changes))).toBe(rule);
  });

  it.each(['RUNNING', 'SUSPENDED', 'COMPLETING'])('without end in state %s is running', (state) => {
    expect(told(sacct({ end: 'Unknown', state }))).toBe('2026-01-01T10:00:00.000Z running');
  });

  it.each<[string, SacctChanges, RegExp]>([
    [
      'has no end in state COMPLETED',
      { end: 'Unknown' },
      /^END_MISSING: end "Unknown" in state "COMPLETED"/,
    ],
    ['has no end and was preempted', { end: '', state: 'PREEMPTED' }, /^END_MISSING/],
    ['B1: ends before its start', { end: '2026-01-01T09:59:59' }, /^TIME_ORDER/],
    ['has no submit', { submit: 'Unknown' }, /^FIELD_MISSING: submit "Unknown"/],
    ['has a submit that is no time', { submit: 'now' }, /^TIME_INVALID: submit "now"/],
    ['has no cluster', { cluster: '' }, /^FIELD_MISSING: cluster/],
    ['has no raw job id', { jobidraw: '' }, /^JOB_ID_INVALID: jobidraw/],
    ['has neither user nor uid', { user: '', uid: '' }, /^USER_INVALID/],
    ['B16: has a GPU count that is none', { alloctres: 'gres/gpu=many' }, /^GPUS_INVALID/],
  ])('is rejected when it %s', (_, changes, expected) => {
    expect(told(sacct(changes))).toMatch(expected);
  });

  it('names a user without name by number, absent account and partition by -', () => {
    expect(sacct({ user: '', account: '', partition: '' })).toMatchObject({
      run: { user: 'uid:1001', space: '-', pool: '-' },
    });
  });

  it('has times in UTC unless a zone is given, and refuses the ones that zone has twice or never (B8, B9)', () => {
    expect(told(sacct({}, { zone: 'Asia/Shanghai' }))).toBe(
      '2026-01-01T02:00:00.000Z 2026-01-01T03:00:00.000Z',
    );
    const zone = 'Europe/Berlin';
    const autumn = { start: '2025-10-26T02:30:00', end: '2025-10-26T05:00:00' };
    expect(told(sacct(autumn, { zone }))).toMatch(/^TIME_AMBIGUOUS: start/);
    const spring = { start: '2025-03-30T02:30:00', end: '2025-03-30T05:00:00' };
    expect(told(sacct(spring, { zone }))).toMatch(/^TIME_NONEXISTENT: start/);
    expect(told(sacct({ start: '2026-01-01T10:00:00+01:00' }, { zone: 'UTC' }))).toMatch(
      /^2026-01-01T09/,
    );
  });
});
