/**
 * Whose plans the server keeps: those of the pool's statements; of a connection of its own only those of foreign keys,
 * which it makes itself. plan_cache_mode = force_custom_plan took these too, and doubled the time of an undo.
 */
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Session } from '../../db/database.js';
import { createStaging } from '../../db/import-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

let test: TestDatabase;
beforeAll(async () => {
  test = await createTestDatabase();
});
afterAll(() => test.close());

/** Asks twice, by a name that no other has on this connection: which plans may be kept, and whether its own is. */
async function keptPlans(session: Session, name: string): Promise<unknown> {
  const statement = {
    name,
    text: `select current_setting('plan_cache_mode') as foreign_keys,
      exists (select from pg_prepared_statements where name = $1) as own`,
    params: { name: 'text' },
    row: { foreign_keys: 'text', own: 'bool' },
  } as const;
  await session.one(statement, { name });
  return session.one(statement, { name });
}

it('statements of the pool keep their plans', async () => {
  const kept = await test.database.transaction({}, (session) => keptPlans(session, 'test/pool'));
  expect(kept).toEqual({ foreign_keys: 'auto', own: true });
});

it('statements of a connection of its own are planned for each call, in transactions too; foreign keys are not', async () => {
  await test.database.connection(async (connection) => {
    await createStaging(connection);
    const planned = { foreign_keys: 'auto', own: false };
    expect(await keptPlans(connection, 'test/alone')).toEqual(planned);
    const within = connection.transaction({}, (session) => keptPlans(session, 'test/within'));
    expect(await within).toEqual(planned);
  });
});
