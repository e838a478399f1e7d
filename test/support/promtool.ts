/** Prometheus' own checker, when it is on PATH. */
import { spawnSync } from 'node:child_process';
import { it } from '@jest/globals';

const isFound = spawnSync('promtool', ['--version']).error === undefined;

/** `it`, or a skipped test whose title says why. */
export function itWithPromtool(title: string, work: () => void | Promise<void>): void {
  if (isFound) it(title, work);
  else it.skip(`${title} (promtool is not on PATH)`, work);
}

export interface PromtoolRun {
  readonly exitCode: number | null;
  /** Both streams. */
  readonly output: string;
}

/** Runs promtool. */
export function promtool(words: readonly string[], input = ''): PromtoolRun {
  const { status, stdout, stderr } = spawnSync('promtool', words, { input, encoding: 'utf8' });
  return { exitCode: status, output: `${stdout}${stderr}` };
}
