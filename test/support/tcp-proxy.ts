/** A network between a client and a server that a test can slow down, stall and cut. */
import net from 'node:net';

type Side = 'client' | 'server';

/** What happens when one side sends `bytes` for the nth time (from 1). */
export interface Trap {
  readonly from: Side;
  readonly bytes: string;
  readonly nth: number;
  /** Cut before or after the other side gets the bytes, or call this before it gets them. */
  readonly then: 'cut before' | 'cut after' | (() => void);
}

interface Link {
  readonly client: net.Socket;
  readonly server: net.Socket;
  /** The last bytes of each side: what is looked for may come in two chunks. */
  readonly tails: Record<Side, Buffer>;
  /** Forwards nothing, and does not notice when one side goes away. */
  isStalled: boolean;
}

/** Ends a connection at once. One that is being closed already cannot be reset: node would wait for it for ever. */
function reset(socket: net.Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

export class TcpProxy {
  /** Added to the way of every chunk, in ms. */
  delayMs = 0;
  /** Connections since the start. */
  connected = 0;
  private readonly links = new Set<Link>();
  private readonly listener = net.createServer({ allowHalfOpen: true }, (client) =>
    this.link(client),
  );
  private trap: (Trap & { seen: number; sprung: () => void }) | null = null;
  private isStalled = false;

  private constructor(public targetPort: number) {}

  /** Listens on a free port of 127.0.0.1 and forwards to `targetPort` there, which may change later. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await new Promise<void>((resolve) => proxy.listener.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.listener.address() as net.AddressInfo).port;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.links.size;
  }

  /** The URL with this proxy in the place of the server. */
  through(url: string): string {
    const changed = new URL(url);
    changed.host = `127.0.0.1:${this.port}`;
    return changed.href;
  }

  /** Nothing arrives any more, and nobody is told: on all connections, or only on those that are open now. */
  stall(which: 'all' | 'open' = 'all'): void {
    this.isStalled = which === 'all';
    for (const link of this.links) this.setStalled(link, true);
  }

  /** What was held back arrives. */
  resume(): void {
    this.isStalled = false;
    for (const link of this.links) this.setStalled(link, false);
  }

  /** Resets all connections. */
  cut(): void {
    for (const link of this.links) {
      this.links.delete(link);
      reset(link.client);
      reset(link.server);
    }
  }

  /** Sets the one trap; resolves when it has sprung. */
  set(trap: Trap): Promise<void> {
    return new Promise((resolve) => (this.trap = { ...trap, seen: 0, sprung: resolve }));
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private link(client: net.Socket): void {
    this.connected += 1;
    const server = net.connect({
      port: this.targetPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    const none = Buffer.alloc(0);
    const link = { client, server, tails: { client: none, server: none }, isStalled: false };
    this.links.add(link);
    client.setNoDelay(true);
    this.forward(link, 'client');
    this.forward(link, 'server');
    if (this.isStalled) this.setStalled(link, true);
  }

  private setStalled(link: Link, isStalled: boolean): void {
    link.isStalled = isStalled;
    for (const socket of [link.client, link.server]) {
      if (isStalled) socket.pause();
      else socket.resume();
    }
  }

  private forward(link: Link, from: Side): void {
    const [source, target] = [link[from], link[from === 'client' ? 'server' : 'client']];
    const later = (work: () => void): void => {
      if (this.delayMs === 0) work();
      else setTimeout(work, this.delayMs);
    };
    source.on('data', (chunk) => {
      if (!this.springs(link, from, chunk)) later(() => target.write(chunk));
    });
    source.on('end', () => later(() => target.end()));
    source.on('error', () => reset(target));
    source.on('close', () => {
      if (link.client.destroyed && link.server.destroyed) this.links.delete(link);
    });
  }

  /** True when the trap has cut the connection and dealt with the chunk. */
  private springs(link: Link, from: Side, chunk: Buffer): boolean {
    const { trap } = this;
    if (trap === null || trap.from !== from) return false;
    const known = link.tails[from].length;
    const text = Buffer.concat([link.tails[from], chunk]);
    link.tails[from] = text.subarray(Math.max(0, text.length - trap.bytes.length + 1));
    let end = -1;
    for (let at = text.indexOf(trap.bytes); at >= 0; at = text.indexOf(trap.bytes, at + 1)) {
      trap.seen += 1;
      if (trap.seen === trap.nth) end = at + trap.bytes.length - known;
    }
    if (end < 0) return false;
    this.trap = null;
    if (trap.then === 'cut after') {
      const target = link[from === 'client' ? 'server' : 'client'];
      target.end(chunk.subarray(0, end), () => reset(link[from]));
    } else if (trap.then === 'cut before') {
      reset(link.client);
      reset(link.server);
    } else {
      trap.then();
    }
    trap.sprung();
    return typeof trap.then === 'string';
  }
}
