import { describe, expect, it } from '@jest/globals';
import { isJobhoursError } from '../../domain/errors.js';
import { poolTemplateOf } from '../../domain/pool-template.js';
import { allocatedGpus, gresWeightsOf } from '../../domain/tres.js';

function refusal(work: () => unknown): string {
  try {
    return `accepted: ${JSON.stringify(work())}`;
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

const gpusIn = (tres: string, ...gres: string[]) =>
  allocatedGpus(tres, 'alloctres', gresWeightsOf('--gres', gres));

describe('GPUs in AllocTRES', () => {
  it.each([
    ['billing=12,cpu=12,gres/gpu=2,mem=31000M,node=1', 2000],
    ['cpu=8,gres/gpu:a100=2,gres/gpu:v100=1', 3000],
    ['gres/gpu:a100=2,gres/gpu=4,gres/gpu:v100=2', 4000],
    ['cpu=8, gres/gpu=4 ,node=1', 4000],
    ['cpu=8,gres/gpumem=80G,gres/gpuutil=50,node=1', 0],
    ['cpu=8,node=1', 0],
    ['', 0],
  ])('are the untyped count, which includes the typed ones, else their sum: %s', (tres, gpus) => {
    expect(gpusIn(tres)).toMatchObject({ milliGpus: gpus, unknown: [] });
  });

  it.each([
    ['gres/gpu=-1'],
    ['gres/gpu='],
    ['gres/gpu'],
    ['gres/gpu:a=60000,gres/gpu:b=60000'],
    ['gres/gpu=1,gres/gpu:s=3', 's=100'],
    ['gres/gpu:s=0.5', 's=143'],
    ['gres/shard=x', 'shard=250'],
  ])('are refused in %s, never taken as 0 (B16)', (tres, ...gres) => {
    expect(refusal(() => gpusIn(tres, ...gres))).toMatch(/^GPUS_INVALID: alloctres/);
  });

  it.each([
    ['gres/gpu:a100_1g.5gb=1', 'gpu:a100_1g.5gb=143', 143],
    ['gres/gpu:a100_1g.5gb=3', 'a100_1g.5gb=143', 429],
    ['gres/gpu:a100_1g.5gb=3', 'gres/gpu:a100_1g.5gb=143', 429],
    ['gres/gpu=3,gres/gpu:a100=1,gres/gpu:a100_1g.5gb=2', 'a100_1g.5gb=143', 1286],
    ['gres/gpu=3', 'gpu=500', 1500],
    ['gres/shard=2', 'shard=250', 500],
    ['gres/shard:a100=2', 'shard=250', 500],
    ['gres/shard=2,gres/shard:a100=2', 'shard=250', 500],
    ['gres/gpu=1,gres/shard=2', 'shard=250', 1500],
    ['gres/mps=100', 'mps=0', 0],
  ])('of slices and shards, %s under --gres %s, are %d milli-GPUs', (tres, gres, milliGpus) => {
    expect(gpusIn(tres, gres)).toMatchObject({ milliGpus, unknown: [] });
  });

  it('name every gres whose worth nobody has said, and the types of the GPUs', () => {
    expect(gpusIn('gres/gpu:v100=1,gres/gpu:a100_1g.5gb=2,gres/shard=4,gres/fpga:x=1')).toEqual({
      milliGpus: 3000,
      types: ['a100_1g.5gb', 'v100'],
      unknown: ['gres/gpu:a100_1g.5gb', 'gres/shard', 'gres/fpga:x'],
    });
  });
});

describe('--gres', () => {
  it.each([
    ['shard', /^USAGE: --gres "shard": expected NAME=milli-GPUs/],
    ['=3', /^USAGE: --gres/],
    ['a b=3', /^USAGE: --gres/],
    ['shard=', /^LIMIT_INVALID: --gres shard="": expected whole milli-GPUs from 0 to 100000000/],
    ['shard=0.5', /^LIMIT_INVALID/],
    ['shard=-1', /^LIMIT_INVALID/],
    ['shard=100000001', /^LIMIT_INVALID/],
  ])('refuses %j', (text, expected) => {
    expect(refusal(() => gresWeightsOf('--gres', [text]))).toMatch(expected);
  });

  it('refuses one name twice, with and without gres/ before it', () => {
    expect(refusal(() => gresWeightsOf('--gres', ['shard=1', 'gres/shard=2']))).toBe(
      'USAGE: --gres gives shard twice',
    );
  });
});

describe('--pool', () => {
  const values: Readonly<Record<string, string>> = {
    cluster: 'hpc1',
    partition: 'gpu',
    qos: '',
    account: 'lab',
    gputype: 'a100',
  };
  const poolOf = (template: string): string =>
    poolTemplateOf('--pool', template)((field) => values[field] ?? '');

  it.each([
    ['{cluster}/{gputype}', 'hpc1/a100'],
    ['{partition}', 'gpu'],
    ['all', 'all'],
    ['{account}{qos}', 'lab-'],
    ['{cluster}-{cluster}', 'hpc1-hpc1'],
  ])('%s makes %s, with - for what is absent', (template, pool) => {
    expect(poolOf(template)).toBe(pool);
  });

  it.each([
    [
      '{clustr}',
      'FIELD_UNKNOWN: --pool {clustr}: the fields are cluster, partition, qos, account, gputype; did you mean {cluster}?',
    ],
    ['{user}', 'FIELD_UNKNOWN: --pool {user}: the fields are'],
    ['{}', 'FIELD_UNKNOWN: --pool {}'],
    ['{cluster', 'USAGE: --pool "{cluster": expected text with fields in braces'],
    ['cluster}', 'USAGE: --pool'],
    ['{{cluster}}', 'USAGE: --pool'],
    [' ', 'USAGE: --pool'],
  ])('%j is refused (B41)', (template, expected) => {
    expect(refusal(() => poolOf(template))).toContain(expected);
  });
});
