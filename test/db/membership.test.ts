/** Memberships in the database: what it refuses by itself, writers at the same time, the daily snapshot. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { addMembers } from '../../client/space-members.js';
import { isJobhoursError } from '../../domain/errors.js';
import { Calendar } from '../../domain/calendar.js';
import { MS_PER_DAY, MS_PER_HOUR } from '../../domain/units.js';
import { createTestDatabase, openTestBooks, type TestDatabase } from '../support/database.js';
import { aggregateAll, insertRuns, setOrigin } from '../support/runs.js';
import { importMembers, spaceRows } from '../support/spaces.js';
import { until } from '../support/temporal-books.js';

const ZONE = 'Europe/Berlin';
const berlin = Calendar.of(ZONE);
const MARCH_28 = Date.parse('2025-03-28T00:00:00+01:00');

let test: TestDatabase;
beforeEach(async () => {
  test = await createTestDatabase();
  await openTestBooks(test, { zone: ZONE });
});
afterEach(() => test.close());

const insert = (fromAtMs: number, toAtMs: number | null, user = 1, space = 1) =>
  test.query(
    'insert into membership (user_id, space_id, from_at_ms, to_at_ms) values ($1, $2, $3, $4)',
    [user, space, fromAtMs, toAtMs],
  );

describe('the table membership', () => {
  beforeEach(async () => {
    await test.query(`insert into dim_user (name) values ('anna'), ('ben')`);
    await test.query(`insert into dim_space (name) values ('vision'), ('audio')`);
    await insert(MARCH_28, MARCH_28 + MS_PER_DAY);
  });

  it('B70: refuses by itself what overlaps, ends before it starts or lies outside the time line', async () => {
    await expect(insert(MARCH_28 + MS_PER_DAY - 1, null)).rejects.toThrow('membership_overlap');
    await expect(insert(MARCH_28 - 1, MARCH_28 + 1)).rejects.toThrow('membership_overlap');
    await expect(insert(MARCH_28, MARCH_28, 2)).rejects.toThrow('violates check constraint');
    await expect(insert(MARCH_28, MARCH_28 - 1, 2)).rejects.toThrow('violates check constraint');
    await expect(insert(0, null, 2)).rejects.toThrow('violates check constraint');
    await expect(insert(MARCH_28, null, 3)).rejects.toThrow('violates foreign key');
  });

  it('takes a rejoin, another user and another space', async () => {
    await insert(MARCH_28 + MS_PER_DAY, null);
    await insert(MARCH_28, null, 2);
    await insert(MARCH_28, null, 1, 2);
    const rows = await test.query('select from membership');
    expect(rows).toHaveLength(4);
  });
});

describe('two who change members at the same time', () => {
  it('B70: the second one waits, then sees the overlap', async () => {
    const first = await test.connect();
    await first.query('begin; lock table membership in share row exclusive mode');
    const change = { space: 'vision', users: ['anna'], at: () => MARCH_28 };
    const second = addMembers(test.database, change).then(
      () => 'added',
      (error: unknown) => (isJobhoursError(error) ? error.code : error),
    );
    await until('the second one to wait', async () => {
      const waiting = await test.query('select from pg_locks where not granted');
      return waiting.length > 0;
    });
    await first.query(`insert into dim_user (name) values ('anna')`);
    await first.query(`insert into dim_space (name) values ('vision')`);
    await first.query('insert into membership (user_id, space_id, from_at_ms) values (1, 1, $1)', [
      MARCH_28 + MS_PER_DAY,
    ]);
    await first.query('commit');
    expect(await second).toBe('MEMBERSHIP_OVERLAP');
    const many = Array.from({ length: 8 }, (_, n) =>
      addMembers(test.database, { ...change, users: [`user${n % 3}`, 'zoe'] }),
    );
    const changed = (await Promise.all(many)).flatMap((done) => done.changed);
    expect(changed.toSorted()).toEqual(['user0', 'user1', 'user2', 'zoe']);
  });
});

describe('the daily snapshot membership_day', () => {
  it('has who was a member on each aggregated day, and adds up to the space report', async () => {
    await importMembers(test, [
      'anna,vision,2025-03-29T12:00,2025-03-30T04:00',
      'anna,vision,2025-03-30T06:00,2025-03-31',
      'ben,vision,2025-03-30,',
    ]);
    const startedAtMs = MARCH_28 + 30 * MS_PER_HOUR;
    await insertRuns(test, [
      ...[{ key: '1', user: 'zoe', space: 'web', milliGpus: 0, startedAtMs, endedAtMs: null }],
    ]);
    await setOrigin(test, MARCH_28);
    const window = { startAtMs: MARCH_28, endAtMs: MARCH_28 + 4 * MS_PER_DAY - MS_PER_HOUR };
    await aggregateAll(test, berlin, window);
    const days = await test.query<{ line: string }>(
      `select concat_ws(' ', day, space_name, user_name, is_inferred, member_ms / 3600000.0, is_member_at_end) as line
       from membership_day where end_at_ms <= $1 order by start_at_ms, space_name, user_name`,
      [window.endAtMs],
    );
    expect(days.map(({ line }) => line.replace(/\.0+(?= )/, ''))).toEqual([
      '2025-03-29 vision anna f 12 t',
      '2025-03-29 web zoe t 18 t',
      '2025-03-30 vision anna f 21 t',
      '2025-03-30 vision ben f 23 t',
      '2025-03-30 web zoe t 23 t',
      '2025-03-31 vision ben f 24 t',
      '2025-03-31 web zoe t 24 t',
    ]);
    const sums = await test.query<{ line: string }>(
      `select concat_ws(' ', day, space_name, sum(member_ms), count(*) filter (where is_member_at_end)) as line
       from membership_day where end_at_ms <= $1
       group by start_at_ms, day, space_name order by start_at_ms, space_name`,
      [window.endAtMs],
    );
    const rows = await spaceRows(test, berlin, { window, step: 'day' });
    expect(
      rows.map((row) => `${row.label} ${row.space} ${row.memberMs} ${row.membersAtEnd}`),
    ).toEqual(sums.map(({ line }) => line));
    expect(rows).toHaveLength(6);
  });
});
