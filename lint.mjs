// Runs the lints of package.json two at a time, the longest first. Each one's output is printed in one piece when it
// has ended; the exit status is 1 when one of them found something.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const left = ['lint:code', 'lint:types', 'lint:format', 'lint:imports', 'lint:unused'];
const LANES = 2;

async function run(name) {
  const child = spawn('npm', ['run', '--silent', name], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  }
  const [status] = await once(child, 'close');
  process.stdout.write(`${name}: ${status === 0 ? 'passed' : 'FAILED'}\n${output}`);
  if (status !== 0) process.exitCode = 1;
}

async function lane() {
  for (let name = left.shift(); name !== undefined; name = left.shift()) await run(name);
}

await Promise.all(Array.from({ length: LANES }, lane));
