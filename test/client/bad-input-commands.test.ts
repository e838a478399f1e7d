/**
 * Bad words, numbers, times and ranges at the commands, by number (B6, B13, B19, B23, B37, B39 to B41, B67, B68, B70):
 * each is told in full by flag, value and rule, prints nothing to stdout and changes nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { registerBackfill } from '../../client/commands/backfill.js';
import type { CommandContext } from '../../client/commands/context.js';
import { registerImport } from '../../client/commands/import.js';
import { registerPeriods } from '../../client/commands/periods.js';
import { registerUser } from '../../client/commands/rename.js';
import { registerRun } from '../../client/commands/run.js';
import { registerSource } from '../../client/commands/source.js';
import { registerSpace } from '../../client/commands/space.js';
import { registerUsage } from '../../client/commands/usage.js';
import { CATALOGUE, EXIT, type ErrorCode } from '../../domain/errors.js';
import { MS_PER_HOUR } from '../../domain/units.js';
import { runCommand, type CommandRun } from '../support/command-run.js';
import { contentsOf } from '../support/contents.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { insertRuns, setOrigin } from '../support/runs.js';

const REGISTERS = {
  backfill: registerBackfill,
  import: registerImport,
  periods: registerPeriods,
  run: registerRun,
  source: registerSource,
  space: registerSpace,
  usage: registerUsage,
  user: registerUser,
} as const satisfies Record<string, (program: Command, context: CommandContext) => void>;

const START = Date.UTC(2011, 11, 28, 10);
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: 'Pacific/Apia' });
  const run = { user: 'anna', space: 'lab', milliGpus: 1_000, startedAtMs: START };
  await insertRuns(test, [
    { key: 'one', ...run, endedAtMs: START + MS_PER_HOUR },
    { key: 'open', ...run, endedAtMs: null },
  ]);
  await setOrigin(test, START);
  const added = await command('space', 'add', 'lab', 'anna', '--at', '2011-12-28');
  expect(added.error).toBeNull();
});
afterAll(() => test.close());

function command(...argv: readonly string[]): Promise<CommandRun> {
  const register = REGISTERS[argv[0] as keyof typeof REGISTERS];
  return runCommand(test, register, argv, { wakeKeeper: () => Promise.resolve(null) });
}

const WINDOWS =
  'use today, yesterday, week, lastweek, month, lastmonth, a length such as 30m, 12h or 7d, or two times A,B';
const LIMIT = 'expected an integer from 1 to 1000';
const BACKWARDS =
  '--start "2026-02-01", --end "2026-01-01": the range does not end after it starts';
const TURNED = ['--start', '2026-02-01', '--end', '2026-01-01'];
const SKIPPED = 'is a date that Pacific/Apia skipped';
const MANY = 'a'.repeat(1_001);
const CUT = `"${'a'.repeat(60)}"... (1001 characters): longer than 1000 characters or 2600 bytes`;

type Row = readonly [number: string, argv: readonly string[], told: string | RegExp];

const LIMITS: readonly Row[] = [
  ...['-1', '0', '1000000000', '1001', '10; drop', 'NaN', '1.5', ''].flatMap((limit): Row[] => [
    ['B37', ['run', 'list', '--limit', limit], `LIMIT_INVALID: --limit "${limit}": ${LIMIT}`],
    ['B37', ['import', 'list', '--limit', limit], `LIMIT_INVALID: --limit "${limit}": ${LIMIT}`],
  ]),
  [
    'B37',
    ['backfill', 'create', '--dry-run', '--lanes', '17'],
    'LIMIT_INVALID: --lanes "17": expected an integer from 1 to 16',
  ],
  [
    'B37',
    ['import', 'csv', '-', '--max-decompressed', '0'],
    'LIMIT_INVALID: --max-decompressed "0": expected a size such as 500MB or 2GiB',
  ],
];

const RANGES: readonly Row[] = [
  ['B39', ['usage', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  ['B39', ['periods', 'list', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  ['B39', ['periods', 'check', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  ['B39', ['periods', 'clean', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  ['B39', ['run', 'list', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  ['B39', ['space', 'report', ...TURNED], `RANGE_INVALID: ${BACKWARDS}`],
  [
    'B39',
    ['usage', '--window', 'now,now'],
    'RANGE_INVALID: --window "now,now": the range does not end after it starts',
  ],
  [
    'B39',
    ['usage', '--window', '99999d'],
    'TIME_RANGE: --window "99999d": the range lies outside the years 1990 to 2100',
  ],
  [
    'B39',
    ['usage', '--start', '1990-01-02', '--end', '2090-01-02', '--step', 'hour'],
    /^RANGE_TOO_LARGE: the window has 876\d\d\d hours, the limit for --step hour is 876000: take a coarser --step$/,
  ],
  [
    'B39',
    ['run', 'list', '--overdue', '--end', '2026-01-01'],
    'USAGE: --overdue looks at all open runs: leave --start and --end out',
  ],
  [
    'B68',
    ['usage', '--start', '2099-01-01', '--end', '2099-02-01'],
    /^PERIOD_OPEN: .*2098-12-31T11:00:00\.000Z/,
  ],
  [
    'B68',
    ['backfill', 'create', '--dry-run', '--start', '2099-01-01', '--end', '2099-02-01'],
    /^PERIOD_OPEN: the range ends at 2099-02-01T00:00\+13:00; only hours up to 20\S+ are over and due$/,
  ],
  [
    'B68',
    ['backfill', 'create', '--dry-run', ...TURNED],
    'RANGE_INVALID: the range ends at 2025-12-31T11:00:00.000Z, which is not after its start 2026-01-31T11:00:00.000Z',
  ],
];

const LABELS: readonly Row[] = [
  ...(['list', 'check', 'clean'] as const).flatMap((verb): Row[] => [
    [
      'B67',
      ['periods', verb, '--period', '2026-W54'],
      'PERIOD_INVALID: week "2026-W54" is not a real week, such as 2026-W05',
    ],
    [
      'B67',
      ['periods', verb, '--period', '2026-13'],
      'PERIOD_INVALID: month "2026-13" is not a real month, such as 2026-01',
    ],
    [
      'B67',
      ['periods', verb, '--period', '2011-12-30'],
      'PERIOD_DOES_NOT_EXIST: day "2011-12-30" was skipped in Pacific/Apia',
    ],
  ]),
  [
    'B67',
    ['usage', '--start', '2011-12-30'],
    `PERIOD_DOES_NOT_EXIST: --start "2011-12-30" ${SKIPPED}`,
  ],
  [
    'B67',
    ['backfill', 'create', '--dry-run', '--start', '2011-12-30'],
    `PERIOD_DOES_NOT_EXIST: --start "2011-12-30" ${SKIPPED}`,
  ],
  [
    'B6',
    ['run', 'list', '--start', '2026-02-30'],
    'TIME_INVALID: --start "2026-02-30" names a date that does not exist',
  ],
  [
    'B6',
    ['source', 'end', 'test', '--at', '2026-02-30', '--reason', 'x'],
    'TIME_INVALID: --at "2026-02-30" names a date that does not exist',
  ],
];

const WORDS: readonly Row[] = [
  [
    'B40',
    ['usage', '--by', 'usr; select'],
    'FIELD_UNKNOWN: --by "usr; select" is unknown: use user, space, pool',
  ],
  [
    'B40',
    ['usage', '--by', '"a"."b"'],
    String.raw`FIELD_UNKNOWN: --by "\"a\".\"b\"" is unknown: use user, space, pool`,
  ],
  [
    'B40',
    ['usage', '--by', 'usr'],
    'FIELD_UNKNOWN: --by "usr" is unknown: use user, space, pool; did you mean user?',
  ],
  [
    'B41',
    ['usage', '--step', 'dya'],
    'FIELD_UNKNOWN: --step "dya" is unknown: use none, hour, day, week, month; did you mean day?',
  ],
  [
    'B41',
    ['usage', '--window', 'lastmoth'],
    `FIELD_UNKNOWN: --window "lastmoth" is unknown: ${WINDOWS}`,
  ],
  [
    'B41',
    ['periods', 'list', '--granularity', 'hours'],
    'FIELD_UNKNOWN: --granularity "hours" is unknown: use hour, day, week, month; did you mean hour?',
  ],
  [
    'B41',
    ['periods', 'list', '--state', 'god'],
    /^FIELD_UNKNOWN: --state "god" is unknown: use .*; did you mean good\?$/,
  ],
  [
    'B41',
    ['backfill', 'create', '--reprocess', 'stail'],
    'FIELD_UNKNOWN: --reprocess "stail" is unknown: use missing, stale, all; did you mean stale?',
  ],
];

const CHANGES: readonly Row[] = [
  [
    'B70',
    ['space', 'add', 'lab', 'ben', 'anna', '--at', '2011-12-29'],
    'MEMBERSHIP_OVERLAP: "anna" in "lab": [2011-12-29T00:00-10:00, open) overlaps [2011-12-28T00:00-10:00, open), which is in the books: nothing was changed; end or delete what is in the way by \'jobhours space remove\'',
  ],
  ['B19', ['space', 'add', 'lab', 'ben', ' '], 'USER_INVALID: user " ": empty'],
  ['B19', ['space', 'add', MANY, 'ben'], `SPACE_INVALID: space ${CUT}`],
  [
    'B19',
    ['user', 'rename', 'anna', MANY, '--reason', 'x'],
    `USER_INVALID: new name of user ${CUT}`,
  ],
  [
    'B23',
    ['user', 'rename', 'anna', 'an\u202ena', '--reason', 'x'],
    String.raw`USER_INVALID: new name of user "an\u202ena": invisible character U+202E is not allowed`,
  ],
  [
    'B16',
    ['run', 'correct', '1', '--gpus', '1.2345', '--reason', 'x'],
    'GPUS_INVALID: --gpus "1.2345": expected a decimal from 0 to 100000 with at most 3 digits after the point',
  ],
  [
    'B1',
    ['run', 'correct', '1', '--end', '2011-12-28T09:59:59.999Z', '--reason', 'x'],
    'TIME_ORDER: end 2011-12-28T09:59:59.999Z lies before start 2011-12-28T10:00:00.000Z',
  ],
  [
    'B3',
    ['run', 'correct', '2', '--start', '2099-01-01', '--reason', 'x'],
    /^TIME_FUTURE: start 2098-12-31T11:00:00\.000Z: more than 5 minutes in the future; the database clock says 20/,
  ],
  ['B43', ['run', 'void', '1', '--reason', ' '], /^FIELD_MISSING: --reason is empty/],
  [
    'B67',
    ['run', 'correct', '1', '--start', '2011-12-30', '--reason', 'x'],
    `PERIOD_DOES_NOT_EXIST: --start "2011-12-30" ${SKIPPED}`,
  ],
];

describe.each([
  ['a number out of its limits', LIMITS],
  ['a range', RANGES],
  ['a label or a date', LABELS],
  ['a word', WORDS],
  ['a change by hand', CHANGES],
])('%s that is refused', (_, rows) => {
  const titled = rows.map(
    ([number, argv, told]) => [`${number}: ${argv.join(' ').slice(0, 80)}`, argv, told] as const,
  );
  it.each(titled)('is told by flag, value and rule, and changes nothing. %s', async (...row) => {
    const [, argv, told] = row;
    const before = await contentsOf(test);
    const { error, stdout } = await command(...argv);
    if (typeof told === 'string') expect(error).toBe(told);
    else expect(error).toMatch(told);
    expect(stdout).toBe('');
    expect(CATALOGUE[error?.split(':')[0] as ErrorCode].exit).toBe(EXIT.usage);
    expect(await contentsOf(test)).toEqual(before);
  });
});

describe('a reason', () => {
  it('in several lines is kept in one, so that none looks like another line of a list (B28)', async () => {
    const reason = 'moved\r\nbatch 99 forged \u001b[31m\u009b';
    expect((await command('user', 'rename', 'anna', 'ann', '--reason', reason)).error).toBeNull();
    const { stdout } = await command('import', 'list', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject([{ reason: 'moved batch 99 forged  [31m' }]);
  });
});
