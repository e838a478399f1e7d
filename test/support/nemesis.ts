/**
 * An enemy of workers and of their connections: kills, stops and continues them, cuts and stalls the network, ends
 * backends, in an order that a seed chooses. Owns what it broke and that `heal` mends it; what goes on meanwhile, and
 * what must hold afterwards, is the caller's.
 */
import type { TestDatabase } from './database.js';
import type { SeededRandom } from './seeded-random.js';
import type { TcpProxy } from './tcp-proxy.js';
import { startWorkerProcess, type WorkerProcess } from './worker-process.js';

const WORKERS = 2;

export class Nemesis {
  /** How often it did what. */
  readonly counts = new Map<string, number>();
  private readonly workers = new Set<WorkerProcess>();
  private readonly stopped = new Set<WorkerProcess>();

  /** `proxy` stands between the workers and the database of `test`, which it does not reach itself. */
  constructor(
    private readonly random: SeededRandom,
    private readonly test: TestDatabase,
    private readonly proxy: TcpProxy,
    private readonly temporal: { readonly address: string; readonly namespace: string },
  ) {}

  /** Starts workers until there are two that are not stopped. */
  keepWorkers(): void {
    for (const worker of this.workers) if (worker.isGone()) this.forget(worker);
    while (this.workers.size - this.stopped.size < WORKERS) {
      const url = this.proxy.through(this.test.url);
      this.workers.add(startWorkerProcess({ url, temporal: this.temporal }));
    }
  }

  /** One thing that goes wrong, or one that gets better. */
  async strike(): Promise<void> {
    const name = this.random.pick(['kill', 'stop', 'continue', 'cut', 'stall', 'resume', 'end']);
    const working = [...this.workers].filter((one) => !one.isGone() && !this.stopped.has(one));
    if (name === 'kill' && working.length > 0) this.random.pick(working).signal('SIGKILL');
    else if (name === 'stop' && working.length > 0) this.stop(this.random.pick(working));
    else if (name === 'continue') this.continueAll();
    else if (name === 'cut') this.proxy.cut();
    else if (name === 'stall') this.proxy.stall('open');
    else if (name === 'resume') this.proxy.resume();
    else if (name === 'end') await this.endBackend();
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** Nothing is stopped, stalled or held any more; workers that it left alive are killed. */
  async heal(): Promise<void> {
    this.continueAll();
    this.proxy.resume();
    for (const worker of this.workers) {
      worker.signal('SIGKILL');
      await worker.exited;
    }
    this.workers.clear();
    this.proxy.cut();
  }

  private stop(worker: WorkerProcess): void {
    worker.signal('SIGSTOP');
    this.stopped.add(worker);
  }

  private continueAll(): void {
    for (const worker of this.stopped) worker.signal('SIGCONT');
    this.stopped.clear();
  }

  private forget(worker: WorkerProcess): void {
    this.workers.delete(worker);
    this.stopped.delete(worker);
  }

  private async endBackend(): Promise<void> {
    await this.test.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = 'jobhours worker'
       order by md5(pid::text || $1) limit 1`,
      [String(this.random.next())],
    );
  }
}
