/** Every statement is prepared on the migrated schema, and its declared types are the server's. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { declaredStatements, statementBlocks, type Statement } from '../../db/statement.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const queries = new URL('../../db/queries/', import.meta.url);
const stores = new URL('../../db/', import.meta.url);

/** Declared type -> the server's name of it. */
const SERVER_TYPE: Readonly<Record<string, string>> = {
  bool: 'boolean',
  int4: 'integer',
  int8: 'bigint',
  instant: 'bigint',
  count: 'bigint',
  numeric: 'numeric',
  text: 'text',
  bytea: 'bytea',
  jsonb: 'jsonb',
  'int4[]': 'integer[]',
  'int8[]': 'bigint[]',
  'instant[]': 'bigint[]',
  'text[]': 'text[]',
  'bool[]': 'boolean[]',
};
const serverTypes = (columns: Readonly<Record<string, string>>): (string | undefined)[] =>
  Object.values(columns).map((type) => SERVER_TYPE[type.replace('?', '')]);

/** These cannot be prepared: they are run, in the order of their declaration. */
const UTILITY = /^(create|analyze|do|lock|set)\b/;

async function preparedTypes(
  client: pg.Client,
  statement: Statement,
): Promise<{ params: string[]; row: string[] }> {
  if (UTILITY.test(statement.text)) {
    // In a transaction, as LOCK and SET LOCAL need.
    await client.query(`begin; ${statement.text}; commit`);
    return { params: [], row: [] };
  }
  await client.query(`prepare checked as ${statement.text}`);
  const found = await client.query<{ params: string[]; row: string[] | null }>(
    `select parameter_types::text[] as params, result_types::text[] as row from pg_prepared_statements where name = 'checked'`,
  );
  await client.query('deallocate checked');
  return { params: found.rows[0]?.params ?? [], row: found.rows[0]?.row ?? [] };
}

describe('SQL statements', () => {
  let test: TestDatabase;
  beforeAll(async () => {
    test = await createTestDatabase();
    for (const file of readdirSync(stores).filter((name) => name.endsWith('.ts'))) {
      await import(new URL(file, stores).href);
    }
  });
  afterAll(() => test.close());

  it('every block of db/queries is declared by a store', () => {
    const blocks = readdirSync(queries).flatMap((file) =>
      [...statementBlocks(readFileSync(new URL(file, queries), 'utf8')).keys()].map(
        (name) => `${file.replace('.sql', '')}/${name}`,
      ),
    );
    const declared = new Set(
      declaredStatements().map(({ name }) => name.replace(/^([^/]+)\/.*\/([^/]+)$/, '$1/$2')),
    );
    expect(blocks.filter((block) => !declared.has(block))).toEqual([]);
    expect(blocks.length).toBeGreaterThan(20);
  });

  it('prepares every statement with the declared parameter and result types', async () => {
    const wrong: unknown[] = [];
    const client = await test.connect();
    for (const statement of declaredStatements()) {
      const declared = { params: serverTypes(statement.params), row: serverTypes(statement.row) };
      try {
        const actual = await preparedTypes(client, statement);
        const row = declared.row.length === 0 ? [] : actual.row;
        if (JSON.stringify({ ...actual, row }) !== JSON.stringify(declared)) {
          wrong.push({ statement: statement.name, declared, actual });
        }
      } catch (error) {
        wrong.push({ statement: statement.name, error: String(error) });
      }
    }
    expect(wrong).toEqual([]);
  });
});
