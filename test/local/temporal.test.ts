import { Client, Connection } from '@temporalio/client';
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { join } from 'node:path';
import { findTemporal, startTemporal } from '../../local/temporal.js';
import {
  cleanUp,
  eventuallyGone,
  keep,
  query,
  startChild,
  stopKept,
  temporaryFolder,
} from './child.js';

afterEach(stopKept);
afterAll(cleanUp);

const program = await findTemporal({ explicit: process.env['JOBHOURS_TEMPORAL_CLI'] });

async function withClient<T>(
  server: { address: string; namespace: string },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address: server.address });
  try {
    return await work(new Client({ connection, namespace: server.namespace }));
  } finally {
    await connection.close();
  }
}

describe('the Temporal dev server', () => {
  it('loses nothing by a restart, keeps 7 days, serves its UI on loopback', async () => {
    const databaseFile = join(await temporaryFolder(), 'temporal.db');
    const request = { program, databaseFile, namespace: 'books', ui: true };
    const first = await keep(startTemporal(request));
    expect(first.version).toMatch(/^1\.\d+\.\d+/);
    expect((await fetch(first.uiAddress ?? '')).status).toBe(200);
    await withClient(first, (client) =>
      client.workflow.start('none', { taskQueue: 'nobody', workflowId: 'kept' }),
    );
    await first.stop();
    const second = await keep(startTemporal(request));
    await withClient(second, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
      const described = await client.workflowService.describeNamespace({ namespace: 'books' });
      expect(String(described.config?.workflowExecutionRetentionTtl?.seconds)).toBe('604800');
    });
  });

  it('that cannot start answers with its own words', async () => {
    const databaseFile = '/nonexistent/temporal.db';
    const request = { program, databaseFile, namespace: 'books', ui: false };
    await expect(startTemporal(request)).rejects.toMatchObject({
      code: 'TEMPORAL_START',
      message: expect.stringContaining('/nonexistent'),
    });
  });
});

describe('kill -9 of the process that keeps the servers', () => {
  it('leaves none of them running, and the next start finds everything', async () => {
    const folder = await temporaryFolder();
    const body = `
      const { startPostgres } = await load('postgres');
      const { startTemporal } = await load('temporal');
      const [postgres, temporal] = await Promise.all([
        startPostgres({ dataFolder: '${folder}/postgres', durable: true }),
        startTemporal({ program: '${program}', databaseFile: '${folder}/temporal.db', namespace: 'books', ui: true }),
      ]);
      tell({ postgres, temporal });`;
    interface Servers {
      readonly postgres: { url: string; pid: number };
      readonly temporal: { address: string; namespace: string; pid: number };
    }
    const child = startChild(body);
    const { postgres, temporal } = await child.next<Servers>();
    await query(postgres, 'create table kept ()');
    await withClient(temporal, (client) =>
      client.workflow.start('none', { taskQueue: 'nobody', workflowId: 'kept' }),
    );
    await child.kill();
    await eventuallyGone(postgres.pid, 10_000);
    await eventuallyGone(temporal.pid, 10_000);

    const again = await startChild(body).next<Servers>();
    expect(await query(again.postgres, 'select * from kept')).toEqual([]);
    await withClient(again.temporal, async (client) => {
      expect((await client.workflow.getHandle('kept').describe()).status.name).toBe('RUNNING');
    });
  });
});
