import { describe, expect, it } from '@jest/globals';
import { Command } from 'commander';
import { failureOf, type FailureStyle } from '../../../client/commands/failure-text.js';
import { CATALOGUE, JobhoursError, type ErrorCode } from '../../../domain/errors.js';

const plain: FailureStyle = { isJson: false, isDebug: false };

/** What commander throws for a command line, as main.ts configures it. */
async function commandLineError(...words: string[]): Promise<unknown> {
  const program = new Command('jobhours')
    .version('1')
    .exitOverride()
    .configureOutput({
      outputError: () => undefined,
      writeOut: () => undefined,
      writeErr: () => undefined,
    });
  const usage = program
    .command('usage')
    .option('--start <instant>')
    .action(() => undefined);
  usage
    .command('never')
    .requiredOption('--x <x>')
    .action(() => undefined);
  program.command('db').command('status');
  return program.parseAsync(words, { from: 'user' }).then(
    () => null,
    (error: unknown) => error,
  );
}

describe('what a failed command says', () => {
  it.each(Object.keys(CATALOGUE) as ErrorCode[])(
    'is one line with the code and the exit status of the catalogue for %s',
    (code) => {
      const failure = failureOf(new JobhoursError(code, 'words'), plain);
      expect(failure?.text.split('\n')[0]).toBe(`error ${code}: words`);
      expect(failure?.text.includes('\n')).toBe(code === 'UNEXPECTED');
      expect(failure?.exitCode).toBe(CATALOGUE[code].exit);
    },
  );

  it('is UNEXPECTED with stack and cause for an error that nobody foresaw', () => {
    const failure = failureOf(new TypeError('x is not a function'), plain);
    expect(failure?.exitCode).toBe(1);
    expect(failure?.text).toMatch(/^error UNEXPECTED: x is not a function\n/);
    expect(failure?.text).toMatch(/caused by TypeError: x is not a function\n +at /);
    expect(failureOf('just text', plain)?.text).toMatch(/^error UNEXPECTED: just text/);
  });

  it('shows the stack of a known error when debugging', () => {
    const text = failureOf(new JobhoursError('CONFIG', 'words'), { ...plain, isDebug: true })?.text;
    expect(text).toMatch(/^error CONFIG: words\n.*\n +at /);
  });

  it('is one JSON object when the output is JSON, amounts as text', () => {
    const error = new JobhoursError('RANGE_TOO_LARGE', 'words', {
      hours: 876_001,
      sum: 10n ** 20n,
    });
    expect(JSON.parse(failureOf(error, { ...plain, isJson: true })?.text ?? '')).toEqual({
      error: {
        code: 'RANGE_TOO_LARGE',
        message: 'words',
        details: { hours: 876_001, sum: '100000000000000000000' },
      },
    });
  });

  it.each([
    [['usage', '--sart', 'x'], "unknown option '--sart'; did you mean --start?"],
    [['usag'], "unknown command 'usag'; did you mean usage?"],
    [['usage', '--start'], "option '--start <instant>' argument missing"],
    [['usage', 'never'], "required option '--x <x>' not specified"],
    [['db', 'stat', 'x'], "unknown command 'stat'; did you mean status?"],
  ])('is USAGE with what was probably meant for %p', async (words, message) => {
    const failure = failureOf(await commandLineError(...words), plain);
    expect(failure).toEqual({ text: `error USAGE: ${message}`, exitCode: 2 });
  });

  it('is nothing for help and version, and status 2 for a noun without verb', async () => {
    expect(failureOf(await commandLineError('--help'), plain)).toBeNull();
    expect(failureOf(await commandLineError('--version'), plain)).toBeNull();
    expect(failureOf(await commandLineError('db'), plain)).toEqual({ text: '', exitCode: 2 });
  });
});
