import { describe, expect, it } from '@jest/globals';
import { slurmDurationMs } from '../../domain/elapsed.js';
import { isJobhoursError } from '../../domain/errors.js';
import { poolTemplateOf } from '../../domain/pool-template.js';
import type { Outcome } from '../../domain/run-record.js';
import { sacctColumns, sacctOutcome, type SacctRules } from '../../domain/sacct-record.js';

const RULES: SacctRules = {
  nowMs: Date.UTC(2026, 10, 1),
  minimumRunMs: 1,
  zone: null,
  source: null,
  pool: null,
  gres: new Map(),
};
const RECORD: Readonly<Record<string, string>> = {
  jobidraw: '43',
  cluster: 'hpc1',
  partition: 'gpu',
  qos: 'high',
  account: 'physics',
  user: 'anna',
  submit: '2026-03-28T09:00:00',
  start: '2026-03-29T00:30:00',
  end: '2026-03-29T04:30:00',
  elapsed: '04:00:00',
  state: 'COMPLETED',
  alloctres: 'cpu=8,gres/gpu:a100=4,node=1',
  nodelist: 'n1',
};

function outcomeOf(changes: Record<string, string>, rules: Partial<SacctRules> = {}): Outcome {
  const record = { ...RECORD, ...changes };
  const columns = sacctColumns(Object.keys(record), rules.source ?? null);
  return sacctOutcome(Object.values(record), columns, { ...RULES, ...rules });
}

/** Hours of a run, with its suspended time and remarks; else the rule or the code and detail. */
function told(outcome: Outcome): string {
  if (outcome.kind === 'set-aside') return outcome.rule;
  if (outcome.kind === 'rejected') return `${outcome.code}: ${outcome.detail}`;
  const { run, remarks = [] } = outcome;
  const hours = ((run.endedAtMs ?? Number.NaN) - run.startedAtMs) / 3_600_000;
  const suspended = run.facts['suspended_ms'];
  return [
    `${hours} h`,
    ...(suspended === undefined ? [] : [`suspended ${suspended}`]),
    ...remarks.map(({ kind, what }) => `${kind} ${what}`),
  ].join(', ');
}

function headerError(names: readonly string[], source: string | null = null): string {
  try {
    sacctColumns(names, source);
    return 'accepted';
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

describe('a job of Slurm', () => {
  it.each([
    ...['BOOT_FAIL', 'CANCELLED', 'CANCELLED by 1001', 'COMPLETED', 'DEADLINE', 'FAILED'],
    ...['NODE_FAIL', 'OUT_OF_MEMORY', 'PREEMPTED', 'REQUEUED', 'RESIZING', 'TIMEOUT'],
  ])('that ended as %s counts: it held its GPUs (G7)', (state) => {
    expect(told(outcomeOf({ state }))).toBe('4 h');
  });

  it('counts in a state that nobody knows, and is remarked', () => {
    expect(told(outcomeOf({ state: 'EVAPORATED' }))).toBe('4 h, STATE_UNKNOWN EVAPORATED');
  });

  it.each([
    ['an element of an array', '123_4', '127'],
    ['a pending array that started', '123_[5-9]', '123'],
    ['a component of a heterogeneous job', '123+1', '124'],
  ])('is known by its raw number: %s', (_, jobid, jobidraw) => {
    expect(outcomeOf({ jobid, jobidraw })).toMatchObject({
      run: { key: `${jobidraw}@2026-03-28T09:00:00`, jobId: jobidraw, facts: { jobid } },
    });
  });

  it.each(['123_4.batch', '123+1.0', '123.extern'])('%s is a step', (jobid) => {
    expect(told(outcomeOf({ jobid }))).toBe('STEP');
    expect(told(outcomeOf({ jobidraw: jobid }))).toBe('STEP');
  });

  it('has the same key from a dump in UTC and from one in local time', () => {
    const local = outcomeOf(
      { submit: '2026-03-28T10:00:00', start: '2026-03-29T01:30:00', end: '2026-03-29T06:30:00' },
      { zone: 'Europe/Berlin' },
    );
    const utc = outcomeOf({});
    expect([local.kind, utc.kind]).toEqual(['run', 'run']);
    const runOf = (outcome: Outcome) => (outcome.kind === 'run' ? outcome.run : null);
    expect({ ...runOf(local), facts: {} }).toEqual({ ...runOf(utc), facts: {} });
  });

  it('has the pool that a template says, of its cluster and the types of its GPUs', () => {
    const pool = poolTemplateOf('--pool', '{cluster}/{gputype}/{qos}');
    expect(outcomeOf({}, { pool })).toMatchObject({ run: { pool: 'hpc1/a100/high' } });
    const alloctres = 'cpu=8,node=1';
    expect(outcomeOf({ alloctres, qos: '' }, { pool })).toMatchObject({
      run: { pool: 'hpc1/-/-' },
    });
  });

  it('that is of no cluster is of the one that is given, or rejected', () => {
    const pool = poolTemplateOf('--pool', '{cluster}');
    const given = outcomeOf({ cluster: '' }, { source: 'hpc9', pool });
    expect(given).toMatchObject({ run: { source: 'hpc9', pool: 'hpc9' } });
    expect(outcomeOf({}, { source: 'hpc9' })).toMatchObject({ run: { source: 'hpc1' } });
    expect(told(outcomeOf({ cluster: '' }))).toMatch(/^FIELD_MISSING: cluster/);
  });
});

describe('elapsed against end - start', () => {
  it.each([
    ['04:00:00', '4 h'],
    ['03:59:59', '4 h, suspended 1000, SUSPENDED runs'],
    ['00:00:00', '4 h, suspended 14400000, SUSPENDED runs'],
    ['03:45:00', '4 h, suspended 900000, SUSPENDED runs'],
    ['', '4 h'],
    ['INVALID', '4 h'],
  ])('%s: shorter is suspended time, and the GPUs stay counted', (elapsed, expected) => {
    const zone = 'UTC';
    expect(told(outcomeOf({ elapsed }, { zone }))).toBe(expected);
  });

  it.each([
    ['04:00:01', 'longer than end - start = 04:00:00'],
    ['05:00:00', 'longer than end - start = 04:00:00'],
    ['1-04:00:00', 'longer than end - start = 04:00:00'],
    ['03:00:00', 'exactly 01:00:00 shorter than end - start = 04:00:00'],
    ['03:30:00', 'exactly 00:30:00 shorter than end - start = 04:00:00'],
    ['02:00:00', 'exactly 02:00:00 shorter than end - start = 04:00:00'],
  ])('%s: longer, or off by what clocks change, is suspect', (elapsed, expected) => {
    expect(told(outcomeOf({ elapsed }))).toBe(
      `TIME_ZONE_SUSPECT: elapsed "${elapsed}" is ${expected}: its times seem to be of another zone than they were read in; dump with TZ=UTC, or say --zone`,
    );
  });

  it('finds a dump in local time that was read as UTC, and a dump in UTC that was read in a zone', () => {
    const local = { start: '2026-03-29T01:30:00', end: '2026-03-29T06:30:00' };
    expect(told(outcomeOf(local))).toMatch(/^TIME_ZONE_SUSPECT: .*exactly 01:00:00 shorter/);
    const zone = 'Europe/Berlin';
    expect(told(outcomeOf(local, { zone }))).toBe('4 h');
    expect(told(outcomeOf({}, { zone }))).toMatch(/^TIME_ZONE_SUSPECT: .*longer/);
    const autumn = { start: '2026-10-25T00:30:00', end: '2026-10-25T04:30:00' };
    expect(told(outcomeOf(autumn, { zone }))).toMatch(/^TIME_ZONE_SUSPECT: .*exactly 01:00:00/);
  });

  it('off by an hour is suspended time where the zone was said and its clocks did not change', () => {
    const day = { start: '2026-03-20T00:30:00', end: '2026-03-20T04:30:00', elapsed: '03:00:00' };
    expect(told(outcomeOf(day, { zone: 'Europe/Berlin' }))).toBe(
      '4 h, suspended 3600000, SUSPENDED runs',
    );
    expect(told(outcomeOf(day))).toMatch(/^TIME_ZONE_SUSPECT/);
  });

  it('says nothing of a job that still runs, or of one that the minimum lengthened', () => {
    const running = { end: 'Unknown', state: 'RUNNING', elapsed: '99:00:00' };
    expect(told(outcomeOf(running))).toBe('NaN h');
    const short = { end: RECORD['start'] ?? '', elapsed: '00:00:00' };
    expect(told(outcomeOf(short, { minimumRunMs: 3_600_000 }))).toBe('1 h');
  });

  it.each([
    ['00:00:07', 7_000],
    ['01:02:03', 3_723_000],
    ['1-00:00:00', 86_400_000],
    ['10-13:27:06', 912_426_000],
    ['02:03', 123_000],
    ['UNLIMITED', null],
    ['Partition_Limit', null],
    ['', null],
    ['-1:00', null],
  ])('reads %s as %s ms', (text, expected) => {
    expect(slurmDurationMs(text)).toBe(expected);
  });
});

describe('a header line of sacct', () => {
  const names = Object.keys(RECORD);

  it('may have any order and leave out what nobody needs', () => {
    const reversed = Object.entries(RECORD).reverse();
    const columns = sacctColumns(
      reversed.map(([name]) => name),
      null,
    );
    const values = reversed.map(([, value]) => value);
    expect(sacctOutcome(values, columns, RULES)).toEqual(outcomeOf({}));
    for (const name of ['elapsed', 'qos', 'partition', 'account']) {
      expect(headerError(names.filter((other) => other !== name))).toBe('accepted');
    }
  });

  it('keeps fields that it does not know with the run, whatever they are called', () => {
    expect(outcomeOf({ comment: 'a|b' })).toMatchObject({
      run: { facts: { comment: 'a|b' } },
    });
  });

  it.each([
    ...['jobidraw', 'submit', 'start', 'end', 'state', 'alloctres', 'nodelist', 'user', 'cluster'],
  ])('without %s is refused by name (B43)', (name) => {
    expect(headerError(names.filter((other) => other !== name))).toMatch(
      new RegExp(`^FIELD_MISSING: the header has no field ${name}.*--format=jobid,jobidraw`),
    );
  });

  it('needs no cluster where one is given, and no user where there is uid', () => {
    const without = (name: string): string[] => names.filter((other) => other !== name);
    expect(headerError(without('cluster'), 'hpc1')).toBe('accepted');
    expect(headerError([...without('user'), 'uid'])).toBe('accepted');
  });

  it('with a field twice is refused (B36)', () => {
    expect(headerError([...names, 'state'])).toBe(
      'RECORD_INVALID: header: field state stands twice',
    );
  });
});
