/** A Temporal server of a test's own, which can be killed, restarted and lost. Its address never changes. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findTemporal, startTemporal, type TemporalServer } from '../../local/temporal.js';
import { TcpProxy } from './tcp-proxy.js';

const NAMESPACE = 'jobhours';

export class OwnTemporal {
  private constructor(
    private readonly program: string,
    private readonly databaseFile: string,
    private readonly proxy: TcpProxy,
    private server: TemporalServer,
  ) {}

  /** Starts one with its database in the folder. */
  static async start(folder: string): Promise<OwnTemporal> {
    const program = await findTemporal({ explicit: process.env['JOBHOURS_TEMPORAL_CLI'] });
    const databaseFile = join(folder, 'temporal.sqlite');
    const server = await serverOf(program, databaseFile);
    return new OwnTemporal(program, databaseFile, await TcpProxy.start(portOf(server)), server);
  }

  /** Where clients and workers find it. */
  get target(): { address: string; namespace: string } {
    return { address: `127.0.0.1:${this.proxy.port}`, namespace: NAMESPACE };
  }

  /** Kills it with SIGKILL and returns when it is gone. */
  async kill(): Promise<void> {
    process.kill(-this.server.pid, 'SIGKILL');
    await this.server.exited;
    this.proxy.cut();
  }

  /** Starts it again on what it had stored, or on nothing. */
  async restart(data: 'kept' | 'lost'): Promise<void> {
    if (data === 'lost') {
      for (const suffix of ['', '-wal', '-shm', '-journal']) {
        await rm(`${this.databaseFile}${suffix}`, { force: true });
      }
    }
    this.server = await serverOf(this.program, this.databaseFile);
    this.proxy.targetPort = portOf(this.server);
  }

  async stop(): Promise<void> {
    await this.proxy.close();
    await this.server.stop();
  }
}

const portOf = ({ address }: TemporalServer): number => Number(address.split(':')[1]);

function serverOf(program: string, databaseFile: string): Promise<TemporalServer> {
  return startTemporal({ program, databaseFile, namespace: NAMESPACE, ui: false });
}
