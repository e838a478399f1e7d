import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { addMembers, removeMembers } from '../../client/space-members.js';
import { Calendar } from '../../domain/calendar.js';
import type { Membership } from '../../domain/membership.js';
import { parseInstant } from '../../domain/time-text.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, insertRuns, setOrigin, type NewRun } from '../support/runs.js';
import { seededRandom, type SeededRandom } from '../support/seeded-random.js';
import {
  importMembers,
  lineOfSpace,
  memberLine,
  oracleOfSpaces,
  spaceRows,
  type AskedSpaces,
} from '../support/spaces.js';

const ZONE = 'Europe/Berlin';
const berlin = Calendar.of(ZONE);
const at = (text: string): number => parseInstant(text, { zone: ZONE, field: 'test' });
const window = (start: string, end: string) => ({ startAtMs: at(start), endAtMs: at(end) });
const HOUR = BigInt(MS_PER_HOUR);

let runNumber = 0;
const run = (user: string, space: string, start: string, end: string | null): NewRun => ({
  ...{ key: String((runNumber += 1)), user, space, milliGpus: 2_000 },
  startedAtMs: at(start),
  endedAtMs: end === null ? null : at(end),
});

describe('a space report', () => {
  let test: TestDatabase;
  beforeEach(async () => {
    test = await createTestDatabase();
    await openTestBooks(test, { zone: ZONE });
  });
  afterEach(() => test.close());

  const rows = (asked: AskedSpaces) => spaceRows(test, berlin, asked);
  /** Label and the given columns of each row. */
  async function figures(
    asked: AskedSpaces,
    ...columns: readonly (keyof Awaited<ReturnType<typeof rows>>[number])[]
  ): Promise<string[]> {
    return (await rows(asked)).map((row) =>
      [row.label, row.space, ...columns.map((column) => row[column])].join(' '),
    );
  }

  it('G1: divides by the 23 and the 25 hours of days at which the clocks change', async () => {
    await importMembers(test, [
      'anna,vision,2025-03-30,2025-03-30T12:00',
      'ben,vision,2025-10-26T02:00+02:00,2025-10-26T02:00+01:00',
    ]);
    const spring = { window: window('2025-03-30', '2025-03-31'), step: 'day' } as const;
    const [short] = await rows(spring);
    expect(short).toMatchObject({ memberMs: 11n * HOUR, membersAtEnd: 0, label: '2025-03-30' });
    expect((short?.endAtMs ?? 0) - (short?.startAtMs ?? 0)).toBe(23 * MS_PER_HOUR);
    const autumn = { window: window('2025-10-26', '2025-10-27'), step: 'day' } as const;
    const [long] = await rows(autumn);
    expect(long).toMatchObject({ memberMs: HOUR, membersAtEnd: 0 });
    expect((long?.endAtMs ?? 0) - (long?.startAtMs ?? 0)).toBe(25 * MS_PER_HOUR);
  });

  it('counts who joins and leaves in the middle for their time, and half-open at the edges', async () => {
    await importMembers(test, [
      'anna,vision,2025-03-10T06:00,2025-03-12T18:00',
      'ben,vision,2025-03-11,2025-03-12',
      'chris,vision,2025-03-12,',
    ]);
    const asked = { window: window('2025-03-09', '2025-03-14'), step: 'day' } as const;
    expect(await figures(asked, 'memberMs', 'membersAtEnd')).toEqual([
      `2025-03-10 vision ${18n * HOUR} 1`,
      // Ben leaves with the day and is counted at its end, Chris joins then and is not.
      `2025-03-11 vision ${48n * HOUR} 2`,
      `2025-03-12 vision ${42n * HOUR} 1`,
      `2025-03-13 vision ${24n * HOUR} 1`,
    ]);
  });

  it('counts a user in two spaces in both, and a rejoin once', async () => {
    await importMembers(test, [
      'anna,vision,2025-03-10,2025-03-10T06:00',
      'anna,vision,2025-03-10T12:00,2025-03-10T18:00',
      'anna,audio,2025-03-10,',
    ]);
    await insertRuns(test, [
      run('anna', 'vision', '2025-03-10T01:00', '2025-03-10T02:00'),
      run('anna', 'vision', '2025-03-10T13:00', '2025-03-10T14:00'),
      run('anna', 'audio', '2025-03-10T01:00', '2025-03-10T01:30'),
    ]);
    const asked = { window: window('2025-03-10', '2025-03-11'), step: 'day' } as const;
    const columns = ['memberMs', 'membersAtEnd', 'activeUsers', 'runsStarted', 'runMs'] as const;
    expect(await figures(asked, ...columns)).toEqual([
      `2025-03-10 audio ${24n * HOUR} 1 1 1 ${HOUR / 2n}`,
      `2025-03-10 vision ${12n * HOUR} 0 1 2 ${2n * HOUR}`,
    ]);
    expect(await figures({ ...asked, space: 'audio' }, 'memberMs')).toEqual([
      `2025-03-10 audio ${24n * HOUR}`,
    ]);
  });

  it('counts active users once per period: by time or by a start, not by an end as the period begins', async () => {
    await importMembers(test, ['anna,vision,2025-03-01,', 'ben,vision,2025-03-01,']);
    await insertRuns(test, [
      run('anna', 'vision', '2025-03-10T20:00', '2025-03-11T00:00'),
      run('anna', 'vision', '2025-03-12T01:00', '2025-03-12T02:00'),
      run('anna', 'vision', '2025-03-12T03:00', '2025-03-12T04:00'),
      run('ben', 'vision', '2025-03-12T03:00', '2025-03-12T03:00'),
    ]);
    const asked = { window: window('2025-03-10', '2025-03-13'), step: 'day' } as const;
    expect(await figures(asked, 'activeUsers', 'runsStarted')).toEqual([
      '2025-03-10 vision 1 1',
      '2025-03-11 vision 0 0',
      '2025-03-12 vision 2 3',
    ]);
    expect(await figures({ ...asked, step: 'week' }, 'activeUsers', 'runsStarted')).toEqual([
      '2025-W11 vision 2 4',
    ]);
  });

  it('says how many active users are no members, by period', async () => {
    await importMembers(test, ['anna,vision,2025-03-01,', 'guest,vision,2025-03-20,2025-03-21']);
    await insertRuns(test, [
      run('anna', 'vision', '2025-03-10T20:00', '2025-03-10T21:00'),
      run('guest', 'vision', '2025-03-10T20:00', '2025-03-10T21:00'),
    ]);
    const days = { window: window('2025-03-10', '2025-03-11'), step: 'day' } as const;
    expect(await figures(days, 'activeUsers', 'activeNonmembers')).toEqual([
      '2025-03-10 vision 2 1',
    ]);
    const month = { window: window('2025-03-01', '2025-04-01'), step: 'month' } as const;
    expect(await figures(month, 'activeUsers', 'activeNonmembers')).toEqual(['2025-03 vision 2 0']);
  });

  it('shows use without any member in the window, and members without use', async () => {
    await importMembers(test, ['anna,vision,2024-01-01,2024-02-01', 'ben,audio,2025-01-01,']);
    await insertRuns(test, [run('guest', 'vision', '2025-03-10T20:00', '2025-03-10T21:00')]);
    const month = { window: window('2025-03-01', '2025-04-01'), step: 'month' } as const;
    expect(await figures(month, 'isInferred', 'membersAtEnd', 'activeNonmembers', 'runMs')).toEqual(
      ['2025-03 audio false 1 0 0', `2025-03 vision false 0 1 ${HOUR}`],
    );
  });

  it('infers members from the first run in the space where none was ever entered, and marks them', async () => {
    await insertRuns(test, [
      run('anna', 'vision', '2025-03-10T06:00', '2025-03-10T07:00'),
      run('anna', 'vision', '2025-03-12T06:00', '2025-03-12T07:00'),
      run('anna', 'audio', '2025-03-01T00:00', '2025-03-01T01:00'),
      run('ben', 'vision', '2025-03-11T12:00', '2025-03-11T13:00'),
    ]);
    await importMembers(test, ['zoe,audio,2025-03-05,']);
    const asked = { window: window('2025-03-09', '2025-03-12'), step: 'day' } as const;
    const columns = ['isInferred', 'memberMs', 'membersAtEnd', 'activeNonmembers'] as const;
    expect(await figures({ ...asked, space: 'vision' }, ...columns)).toEqual([
      `2025-03-10 vision true ${18n * HOUR} 1 0`,
      `2025-03-11 vision true ${36n * HOUR} 2 0`,
    ]);
    expect(await figures({ ...asked, space: 'audio' }, ...columns)).toEqual(
      ['09', '10', '11'].map((day) => `2025-03-${day} audio false ${24n * HOUR} 1 0`),
    );
  });

  it('G8: a membership that is changed in the past changes the report at once', async () => {
    const asked = { window: window('2025-03-01', '2025-04-01'), step: 'month' } as const;
    const length = 31n * 24n * HOUR - HOUR;
    const change = (users: string[], date: string) => ({
      ...{ space: 'vision', users },
      at: () => at(date),
    });
    await addMembers(test.database, change(['anna'], '2025-01-01'));
    expect(await figures(asked, 'memberMs')).toEqual([`2025-03 vision ${length}`]);
    await addMembers(test.database, change(['ben', 'chris'], '2025-03-31'));
    expect(await figures(asked, 'memberMs', 'membersAtEnd')).toEqual([
      `2025-03 vision ${length + 48n * HOUR} 3`,
    ]);
    await removeMembers(test.database, change(['ben'], '2025-03-31'));
    await removeMembers(test.database, change(['anna'], '2025-02-01'));
    expect(await figures(asked, 'memberMs', 'membersAtEnd')).toEqual([
      `2025-03 vision ${24n * HOUR} 1`,
    ]);
  });

  it('cuts periods at the window, and the present one at now', async () => {
    await importMembers(test, ['anna,vision,2025-03-10,']);
    const cut = { window: window('2025-03-10T12:00', '2025-03-11T06:00'), step: 'day' } as const;
    expect(await figures(cut, 'memberMs')).toEqual([
      `2025-03-10 vision ${12n * HOUR}`,
      `2025-03-11 vision ${6n * HOUR}`,
    ]);
    const endless = { startAtMs: at('2025-03-10'), endAtMs: Date.now() + 400 * MS_PER_DAY };
    const months = await rows({ window: endless, step: 'month' });
    const last = months.at(-1);
    expect(last).toMatchObject({ state: 'provisional', membersAtEnd: 1 });
    expect(last?.memberMs).toBe(BigInt((last?.endAtMs ?? 0) - (last?.startAtMs ?? 0)));
  });
});

const DAYS = 16;
const ORIGIN = at('2025-03-22');
const SEED = Number(process.env['JOBHOURS_SEED'] ?? 20_261_121);
const ROUNDS = process.env['JOBHOURS_TORTURE'] === '1' ? 12 : 2;
const SPACES = ['-', 'audio', 'vision', 'web'];
const USERS = ['anna', 'ben', 'chris', 'dora', 'eli'];

function minuteIn(random: SeededRandom, days = DAYS): number {
  const atMs = ORIGIN + random.integer(0, days * 24 * 60) * MS_PER_MINUTE;
  return random.chance(0.3) ? berlin.startOf('day', atMs) : atMs;
}

/** Of each user in each space some stretches, one behind the other; nobody in `-` and `web`. */
function randomMembers(random: SeededRandom): Membership[] {
  return ['audio', 'vision'].flatMap((space) =>
    USERS.filter(() => random.chance(0.8)).flatMap((user) => {
      const edges = new Set(Array.from({ length: random.integer(1, 5) }, () => minuteIn(random)));
      const sorted = [...edges].toSorted((a, b) => a - b);
      return sorted.flatMap((fromAtMs, n) =>
        n % 2 === 1 ? [] : [{ user, space, fromAtMs, toAtMs: sorted[n + 1] ?? null }],
      );
    }),
  );
}

function randomRun(random: SeededRandom, number: number): NewRun {
  const startedAtMs = minuteIn(random);
  const minutes = random.pick([0, 1, 30, 60, 24 * 60, 5 * 24 * 60]);
  return {
    key: `random${number}`,
    ...{ user: random.pick(USERS), space: random.pick(SPACES), pool: random.pick(['a', 'b']) },
    milliGpus: random.pick([0, 125, 1_000, 8_000]),
    startedAtMs,
    endedAtMs: startedAtMs + minutes * MS_PER_MINUTE,
  };
}

describe('space reports of random memberships and runs', () => {
  it.each(Array.from({ length: ROUNDS }, (_, round) => SEED + round))(
    'G1, G8: equal a count by minutes, before and after the books are built (seed %d)',
    async (seed) => {
      const random = seededRandom(seed);
      const test = await createTestDatabase();
      try {
        await openTestBooks(test, { zone: ZONE });
        const members = randomMembers(random);
        const runs = Array.from({ length: 60 }, (_, number) => randomRun(random, number));
        await insertRuns(test, runs);
        const imported = await importMembers(test, members.map(memberLine));
        expect(imported).toMatchObject({ added: members.length, rejected: [] });
        const whole = { startAtMs: ORIGIN, endAtMs: ORIGIN + DAYS * MS_PER_DAY };
        const edges = [minuteIn(random), minuteIn(random)].toSorted((a, b) => a - b);
        const odd = { startAtMs: edges[0] ?? 0, endAtMs: (edges[1] ?? 0) + MS_PER_MINUTE };
        const asked: AskedSpaces[] = [
          ...(['day', 'week', 'month'] as const).map((step) => ({ window: whole, step })),
          { window: odd, step: 'day' },
          { window: odd, step: 'week', space: 'vision' },
          { window: odd, step: 'week', space: 'web' },
        ];
        const compare = async (): Promise<number> => {
          let compared = 0;
          for (const one of asked) {
            const lines = (await spaceRows(test, berlin, one)).map(lineOfSpace);
            expect({ one, lines }).toEqual({
              one,
              lines: oracleOfSpaces(berlin, one, members, runs),
            });
            compared += lines.length;
          }
          return compared;
        };
        expect(await compare()).toBeGreaterThan(60);
        await setOrigin(test, ORIGIN);
        await aggregateAll(test, berlin, whole);
        const [built] = await test.query<{ days: string }>(
          `select count(*) as days from period where granularity = 'day' and start_at_ms >= $1`,
          [ORIGIN],
        );
        expect(Number(built?.days)).toBeGreaterThanOrEqual(DAYS);
        await compare();
      } finally {
        await test.close();
      }
    },
    120_000,
  );
});
