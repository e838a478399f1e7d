// A worker in a process of its own, from the built sources, for tests that kill or stop it. CHILD_WORKER is the JSON of
// { url, temporal, selfSignal? }; with `selfSignal` { name, statement, when, of? } it signals itself at the nth statement
// (of that name) after it began to poll: before the statement is sent, when it was sent, or when it was answered. It
// names that statement on stdout, after a line that says that it polls; asked to stop by SIGTERM, it prints how many
// statements it sent.
import { writeSync } from 'node:fs';
import pg from 'pg';
import { Worker } from '@temporalio/worker';
import { startWorker } from '../../dist/workers/worker.js';

const { url, temporal, selfSignal } = JSON.parse(process.env.CHILD_WORKER);

let isPolling = false;
let statements = 0;
const send = pg.Client.prototype.query;
pg.Client.prototype.query = function (...given) {
  const name = given[0].name ?? given[0].text ?? given[0];
  if (!isPolling || (selfSignal?.of ?? name) !== name) return send.apply(this, given);
  statements += 1;
  const isLast = statements === selfSignal?.statement;
  const at = (when) => {
    if (!isLast || when !== selfSignal.when) return;
    writeSync(1, `${when} ${name}\n`);
    process.kill(process.pid, selfSignal.name);
  };
  at('before');
  const callback = given.at(-1);
  if (typeof callback === 'function') {
    given[given.length - 1] = (...answer) => {
      at('answered');
      callback(...answer);
    };
  }
  const result = send.apply(this, given);
  at('sent');
  if (typeof callback !== 'function')
    void Promise.resolve(result).then(() => at('answered'), Boolean);
  return result;
};

// What waits for a dead worker's cache goes to another one after this; 10 s would make each kill cost as much. A stopped
// worker still takes one task for each of its polls, and each is lost until its time-out.
const create = Worker.create;
Worker.create = (options) =>
  create.call(Worker, {
    ...options,
    stickyQueueScheduleToStartTimeout: '1s',
    maxConcurrentActivityTaskPolls: 1,
    maxConcurrentWorkflowTaskPolls: 2,
  });

const worker = await startWorker({
  databaseUrl: url,
  temporal,
  graceMs: 0,
  catchUpMs: 45 * 86_400_000,
  logLevel: 'error',
});
isPolling = true;
writeSync(1, 'polls\n');
process.on('SIGTERM', () => void worker.shutdown());
await worker.run;
writeSync(1, `statements ${statements}\n`);
