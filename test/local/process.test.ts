import { afterAll, describe, expect, it } from '@jest/globals';
import { access } from 'node:fs/promises';
import { createServer } from 'node:net';
import { findFreePorts } from '../../local/port.js';
import { identityOf, isRunning, ownMark } from '../../local/process-identity.js';
import { findOnPath, startServer, waitForPort, type Tie } from '../../local/process.js';
import { cleanUp, eventually, eventuallyGone, startChild } from './child.js';

afterAll(cleanUp);

const environment = { PATH: process.env['PATH'] ?? '' };
const hasSetpriv = (await findOnPath('setpriv', environment.PATH)) !== null;
const shell = (script: string, tie: Tie) =>
  startServer({
    program: 'sh',
    args: ['-c', script],
    environment,
    endSignal: 'SIGTERM',
    tie,
  });

for (const tie of ['setpriv', 'shell'] as const) {
  const suite = tie === 'setpriv' && !hasSetpriv ? describe.skip : describe;
  suite(`a server tied by ${tie}`, () => {
    it('ends when its parent is killed with SIGKILL', async () => {
      const child = startChild(`
        const { startServer } = await load('process');
        const server = await startServer({ program: 'sh', args: ['-c', 'echo $$; exec sleep 600'],
          environment: { PATH: process.env.PATH }, endSignal: 'SIGTERM', tie: '${tie}' });
        while (!server.output()) await new Promise((done) => setTimeout(done, 10));
        tell(Number(server.output()));`);
      const pid = await child.next<number>();
      expect(await identityOf(pid)).not.toBeNull();
      await child.kill();
      await eventuallyGone(pid, 5000);
    });

    it('gets the signal that stops it', async () => {
      const server = await shell(
        'trap "echo stopping; exit 0" TERM; echo up; while :; do sleep 0.02; done',
        tie,
      );
      await eventually('it is up', async () => Promise.resolve(server.output() === 'up'));
      await server.stop('SIGTERM', 10_000);
      expect([server.output(), await server.exited]).toEqual(['up\nstopping', 'exit status 0']);
    });

    it('is killed when it does not stop before the deadline', async () => {
      const server = await shell('trap "" TERM; echo $$; while :; do sleep 0.02; done', tie);
      await eventually('it is up', async () => Promise.resolve(server.output() !== ''));
      await server.stop('SIGTERM', 200);
      expect(server.isGone()).toBe(true);
      await eventuallyGone(Number(server.output()), 5000);
    });

    it('that fails ends the wait for its port at once and keeps its last words', async () => {
      const [port = 0] = await findFreePorts(1);
      const server = await shell('echo broken >&2; exit 3', tie);
      expect(await waitForPort(port, server, 60_000)).toBe('gone');
      expect([server.output(), await server.exited]).toEqual(['broken', 'exit status 3']);
    });

    it('that does not exist shows as an exit, not as an exception', async () => {
      const server = await startServer({
        program: '/nonexistent/server',
        args: [],
        environment,
        endSignal: 'SIGTERM',
        tie,
      });
      expect(await server.exited).toBe('exit status 127');
      expect(server.output()).toContain('not found');
      await server.stop('SIGTERM', 1000);
    });
  });
}

describe('waiting for a port', () => {
  it('ends late when the server lives and does not listen', async () => {
    const [port = 0] = await findFreePorts(1);
    expect(await waitForPort(port, { isGone: () => false }, 50)).toBe('late');
  });

  it('is not deceived by another process that answers on the port', async () => {
    const other = createServer();
    const port = await new Promise<number>((resolve) =>
      other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
    );
    expect(await waitForPort(port, { isGone: () => true }, 1000)).toBe('gone');
    expect(await waitForPort(port, { isGone: () => false }, 1000)).toBe('ready');
    await new Promise((done) => other.close(done));
  });
});

describe('free ports', () => {
  it('are all different', async () => {
    expect(new Set(await findFreePorts(20)).size).toBe(20);
  });
});

describe('a process mark', () => {
  it('holds for this process and not for another one with its pid', async () => {
    const mark = await ownMark();
    expect(await isRunning(mark)).toBe(true);
    expect(await isRunning({ ...mark, identity: `${mark.identity}0` })).toBe(false);
  });

  it('of a process that ended does not run', async () => {
    const child = startChild('tell(1);');
    await child.next();
    const mark = { pid: child.pid, identity: (await identityOf(child.pid)) ?? '' };
    expect(await isRunning(mark)).toBe(true);
    await child.kill();
    expect(await isRunning(mark)).toBe(false);
  });

  it('never runs for pids that no process has', async () => {
    for (const pid of [0, -1, 1.5, Number.NaN]) expect(await identityOf(pid)).toBeNull();
  });
});

describe('findOnPath', () => {
  it('finds programs in absolute folders only', async () => {
    const found = await findOnPath('sh', `.:relative:${environment.PATH}`);
    expect(found).toMatch(/^\/.*\/sh$/);
    await access(found ?? '');
    expect(await findOnPath('sh', 'bin:.')).toBeNull();
  });
});
