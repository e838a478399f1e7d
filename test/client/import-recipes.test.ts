/** README's recipes for bringing records in: each command on input of the kind that it names, the jq program too. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { registerImport } from '../../client/commands/import.js';
import { SACCT_FIELDS } from '../../domain/sacct-record.js';
import { runCommand } from '../support/command-run.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { runsOf, sacctLine } from '../support/imports.js';
import { commandsOf, sectionOf, shellBlocksOf } from '../support/readme.js';

const FORMATS = ['### Slurm', '### Kubernetes', '### CSV', '### Standard Workload Format'];
const section = FORMATS.map(sectionOf).join('\n');
const blocks = shellBlocksOf(section);
const commands = commandsOf(section);

const jqProgram = /jq -c '(.*?)' > pods\.jsonl/s.exec(section)?.[1] ?? '';
const hasJq = spawnSync('jq', ['--version']).status === 0;

const PODS = {
  items: [
    {
      metadata: { uid: 'u1', name: 'train-0', namespace: 'lab', labels: { user: 'anna' } },
      spec: {
        nodeName: 'n1',
        serviceAccountName: 'default',
        containers: [
          { resources: { limits: { 'nvidia.com/gpu': '2' } } },
          { resources: { limits: { cpu: '4' } } },
        ],
      },
      status: {
        phase: 'Succeeded',
        startTime: '2026-01-01T10:00:00Z',
        containerStatuses: [
          { state: { terminated: { finishedAt: '2026-01-01T11:00:00Z' } } },
          { state: { terminated: { finishedAt: '2026-01-01T10:59:59Z' } } },
        ],
      },
    },
    {
      metadata: { uid: 'u2', name: 'serve-0', namespace: 'lab' },
      spec: {
        nodeName: 'n2',
        serviceAccountName: 'bob',
        containers: [{ resources: { limits: { 'nvidia.com/gpu': '1' } } }],
      },
      status: {
        phase: 'Running',
        startTime: '2026-01-01T12:00:00Z',
        containerStatuses: [{ state: { running: { startedAt: '2026-01-01T12:00:01Z' } } }],
      },
    },
    {
      // Evicted: nobody knows when its containers ended.
      metadata: { uid: 'u4', name: 'train-1', namespace: 'lab', labels: { user: 'anna' } },
      spec: {
        nodeName: 'n1',
        containers: [{ resources: { limits: { 'nvidia.com/gpu': '4' } } }],
      },
      status: {
        phase: 'Failed',
        startTime: '2026-01-02T10:00:00Z',
        conditions: [
          { type: 'Ready', lastTransitionTime: '2026-01-02T10:30:00Z' },
          { type: 'DisruptionTarget', lastTransitionTime: '2026-01-02T10:29:00Z' },
        ],
      },
    },
    {
      metadata: { uid: 'u3', name: 'web-0', namespace: 'web' },
      spec: { containers: [{ resources: {} }] },
      status: { phase: 'Pending' },
    },
  ],
};
const PODS_JSONL =
  '{"job_id":"u1","user":"anna","space":"lab","gpus":2,"start":"2026-01-01T10:00:00Z","end":null}\n';
const LOCAL_FIELDS = SACCT_FIELDS.filter((name) => name !== 'cluster');
const localLine = sacctLine({ jobidraw: '2' }).split('|');
const SWF = '; UnixStartTime: 1767225600\n1 0 0 60 1 -1 -1 -1 -1 -1 1 1 1 -1 1 1 -1 -1\n';
const HOUR = '2026-01-01T10:00:00Z,2026-01-01T11:00:00Z';

const FILES: Readonly<Record<string, string | Uint8Array>> = {
  'sacct.txt.gz': gzipSync(`${sacctLine({})}\n`),
  'local.txt': [
    LOCAL_FIELDS.join('|'),
    localLine.filter((_, index) => SACCT_FIELDS[index] !== 'cluster').join('|'),
  ].join('\n'),
  'pods.jsonl': PODS_JSONL,
  'jobs.csv': `user,space,pool,job_id,attempt,gpus,submit,start,end\na,,,1,,1,,${HOUR}\n`,
  'owners.csv': 'owner,job_id,num_gpus,start,end\na,1,2,2026-01-01T10:00,2026-01-01T11:00\n',
  'leases.csv': `user,host,start,end\na,n1,${HOUR}\n`,
  'log.swf.gz': gzipSync(SWF),
  'gpus.csv': 'job,gpus\n1,4\n',
};

let test: TestDatabase;
let folder: string;
beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test);
  folder = await mkdtemp(join(tmpdir(), 'jobhours-recipes-'));
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(folder, name), content);
});
afterAll(async () => {
  await test.close();
  await rm(folder, { recursive: true });
});

describe("README's recipes", () => {
  it('name the 26 fields, UTC and duplicates, and never cut at the window', () => {
    expect(section).toContain(`--format ${SACCT_FIELDS.join(',')}`);
    expect(section).toContain('TZ=UTC sacct --allusers');
    expect(blocks.join('\n')).not.toMatch(/--truncate|\s-T\b/);
    expect(commands.length).toBeGreaterThan(8);
  });

  it.each(commands.map((words) => [words.join(' '), words] as const))(
    'jobhours %s',
    async (_, words) => {
      const named = words.map((word) => (word in FILES ? join(folder, word) : word));
      const run = await runCommand(test, registerImport, named, {
        wakeKeeper: () => Promise.resolve(null),
      });
      expect({ error: run.error, stderr: run.stderr }).toMatchObject({ error: null });
      expect(run.stdout).toMatch(/^Runs +1: /m);
    },
  );

  (hasJq ? it : it.skip)(
    `for Kubernetes makes lines that are imported: GPUs summed, the last end, none for what runs${hasJq ? '' : ' (jq is not on PATH)'}`,
    async () => {
      const jq = spawnSync('jq', ['-c', jqProgram], {
        input: JSON.stringify(PODS),
        encoding: 'utf8',
      });
      expect(jq.stderr).toBe('');
      await writeFile(join(folder, 'dumped.jsonl'), jq.stdout);
      const run = await runCommand(
        test,
        registerImport,
        ['import', 'jsonl', join(folder, 'dumped.jsonl'), '--source', 'jq'],
        { wakeKeeper: () => Promise.resolve(null) },
      );
      expect(run.error).toBeNull();
      const runs = (await runsOf(test)).filter((one) => one['source'] === 'jq');
      expect(runs).toMatchObject([
        {
          ...{ job_id: 'u1', user: 'anna', space: 'lab', milli_gpus: 2000 },
          ended_at_ms: String(Date.UTC(2026, 0, 1, 11)),
          facts: { pod: 'train-0', node: 'n1' },
        },
        { job_id: 'u2', user: 'bob', milli_gpus: 1000, ended_at_ms: null },
        { job_id: 'u4', milli_gpus: 4000, ended_at_ms: String(Date.UTC(2026, 0, 2, 10, 30)) },
      ]);
      expect(runs).toHaveLength(3);
    },
  );
});
