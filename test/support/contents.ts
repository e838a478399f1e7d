/** What a database holds: for tests that a refused input changed nothing. */
import type { TestDatabase } from './database.js';

/** Table -> digest of its rows and of the transactions that wrote them, so that rewriting what is there counts too. */
export async function contentsOf(test: TestDatabase): Promise<Record<string, string>> {
  const tables = await test.query<{ name: string }>(
    `select tablename as name from pg_tables where schemaname = 'public' order by 1`,
  );
  const digests = tables.map(
    ({ name }) =>
      `select '${name}' as name, md5(coalesce(string_agg(t.xmin || t::text, '|' order by t::text), '')) as digest from "${name}" t`,
  );
  const rows = await test.query<{ name: string; digest: string }>(digests.join(' union all '));
  return Object.fromEntries(rows.map(({ name, digest }) => [name, digest]));
}
