import { describe, expect, it } from '@jest/globals';
import { correctedRun, type RunCorrection } from '../../domain/run-correction.js';
import type { RunRecord } from '../../domain/run-record.js';

const NOW = Date.UTC(2026, 0, 2);
const START = Date.UTC(2026, 0, 1, 10);
const HOUR_MS = 3_600_000;
const stored: RunRecord = {
  ...{
    source: 'north',
    key: '1',
    jobId: '1',
    attempt: 0,
    user: 'anna',
    space: 'lab',
    pool: 'a100',
  },
  ...{ milliGpus: 1_000, startedAtMs: START, endedAtMs: START + HOUR_MS },
  ...{ reportedEndedAtMs: START + HOUR_MS, endIsEstimated: false, facts: {} },
};
const rules = { nowMs: NOW, minimumRunMs: 60_000, zone: null };
const corrected = (correction: RunCorrection, run: RunRecord = stored) =>
  correctedRun(run, correction, rules);

describe('a correction by hand', () => {
  it('changes the given fields and no other', () => {
    expect(corrected({ user: 'bob', milliGpus: 250 })).toEqual({
      ...stored,
      ...{ user: 'bob', milliGpus: 250 },
    });
  });

  it('gives a reported end, also to a running or an estimated one', () => {
    const end = { endedAtMs: START + 5, reportedEndedAtMs: START + 5, endIsEstimated: false };
    for (const run of [
      { ...stored, endedAtMs: null, reportedEndedAtMs: null },
      { ...stored, reportedEndedAtMs: null, endIsEstimated: true },
    ]) {
      expect(corrected({ endAtMs: START + 5 }, run)).toMatchObject({
        ...end,
        endedAtMs: START + 60_000,
      });
    }
  });

  it('opens a run by an end of null', () => {
    expect(corrected({ endAtMs: null })).toMatchObject({
      endedAtMs: null,
      reportedEndedAtMs: null,
      endIsEstimated: false,
    });
  });

  it('counts a kept end anew from what was reported: the minimum is applied once', () => {
    const short = { ...stored, endedAtMs: START + 60_000, reportedEndedAtMs: START + 10 };
    expect(corrected({ startedAtMs: START - HOUR_MS }, short)).toMatchObject({
      endedAtMs: START + 10,
      reportedEndedAtMs: START + 10,
    });
  });

  it('keeps an estimated end estimated', () => {
    const estimated = { ...stored, reportedEndedAtMs: null, endIsEstimated: true };
    expect(corrected({ startedAtMs: START + 1 }, estimated)).toMatchObject({
      endedAtMs: START + HOUR_MS,
      reportedEndedAtMs: null,
      endIsEstimated: true,
    });
  });

  it.each<[string, RunCorrection]>([
    ['USAGE', {}],
    ['TIME_ORDER', { startedAtMs: START + HOUR_MS + 1 }],
    ['TIME_FUTURE', { endAtMs: NOW + HOUR_MS }],
  ])('is refused with %s: %j', (code, correction) => {
    expect(() => corrected(correction)).toThrow(expect.objectContaining({ code }));
  });
});
