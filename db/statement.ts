/**
 * Named SQL statements: text from `db/queries/<noun>.sql`, parameters and rows declared beside the store that
 * uses them. A test prepares every statement on the migrated schema and compares the declared types with the
 * server's (test/db/statements.test.ts), so a declaration cannot drift from its SQL.
 * Owns reading the files and converting values; running statements is the database's (db/database.ts).
 */
import { readFileSync } from 'node:fs';
import { JobhoursError } from '../domain/errors.js';

/** What a declared type is in TypeScript. `instant` and `count` are int8 that must be safe integers. */
interface ValueTypes {
  bool: boolean;
  int4: number;
  int8: bigint;
  instant: number;
  count: number;
  numeric: bigint;
  text: string;
  bytea: Buffer;
  jsonb: unknown;
  'int4[]': readonly number[];
  'int8[]': readonly bigint[];
  'instant[]': readonly number[];
  'text[]': readonly string[];
  'bool[]': readonly boolean[];
}
type TypeName = keyof ValueTypes;
/** A type name, with `?` when the value may be null. */
export type DeclaredType = TypeName | `${TypeName}?`;
type ValueOf<T> = T extends `${infer Base extends TypeName}?`
  ? ValueTypes[Base] | null
  : T extends TypeName
    ? ValueTypes[T]
    : never;
type Columns = Readonly<Record<string, DeclaredType>>;
export type Values<C extends Columns> = { readonly [K in keyof C]: ValueOf<C[K]> };

/** A statement: `params` in the order of `$1, $2, ...`; `row` by column name. */
export interface Statement<P extends Columns = Columns, R extends Columns = Columns> {
  readonly name: string;
  readonly text: string;
  readonly params: P;
  readonly row: R;
}

const NAME_LINE = /^-- name: ([a-z0-9-]+)$/;

/** The blocks of one `.sql` file by name. A block is the text from its name line to the next. */
export function statementBlocks(text: string): Map<string, string> {
  const blocks = new Map<string, string>();
  let name: string | null = null;
  for (const line of text.split('\n')) {
    const match = NAME_LINE.exec(line);
    if (match?.[1] !== undefined) {
      name = match[1];
      if (blocks.has(name)) throw new JobhoursError('UNEXPECTED', `statement ${name} stands twice`);
      blocks.set(name, '');
    } else if (name !== null) {
      blocks.set(name, `${blocks.get(name)}${line}\n`);
    }
  }
  return blocks;
}

const declared: Statement[] = [];

/** Every statement declared by the stores loaded so far, for the test that prepares them. */
export function declaredStatements(): readonly Statement[] {
  return declared;
}

/**
 * Declares the statements of one noun. `specs` maps block names of `queries/<noun>.sql` to the types of
 * their parameters and rows. `variant` makes one text serve several tables: each `{word}` of the file is
 * replaced by the variant's value, which is a name written in the source, never input. UNEXPECTED when a block
 * is absent.
 */
export function statements<
  const S extends Record<string, { readonly params: Columns; readonly row: Columns }>,
>(
  noun: string,
  specs: S,
  variant: Readonly<Record<string, string>> = {},
): { [K in keyof S]: Statement<S[K]['params'], S[K]['row']> } {
  const blocks = statementBlocks(
    readFileSync(new URL(`./queries/${noun}.sql`, import.meta.url), 'utf8'),
  );
  const result: Record<string, Statement> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const text = blocks.get(name);
    if (text === undefined) throw new JobhoursError('UNEXPECTED', `no statement ${noun}/${name}`);
    const statement = {
      name: [noun, ...Object.values(variant), name].join('/'),
      text: text.trim().replace(/\{(\w+)\}/g, (_, word: string) => variant[word] ?? `{${word}}`),
      ...spec,
    };
    declared.push(statement);
    result[name] = statement;
  }
  return result as { [K in keyof S]: Statement<S[K]['params'], S[K]['row']> };
}

function safeInteger(value: bigint, where: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw new JobhoursError('UNEXPECTED', `${where} = ${value} is not a safe integer`);
  }
  return number;
}

/** A row as the driver gives it, turned into the declared types. UNEXPECTED when a value does not fit. */
export function convertRow<R extends Columns>(
  statement: Statement<Columns, R>,
  raw: Record<string, unknown>,
): Values<R> {
  const row: Record<string, unknown> = {};
  for (const [column, type] of Object.entries(statement.row)) {
    const value = raw[column];
    const where = `${statement.name}: ${column}`;
    if (value === null || value === undefined) {
      if (!type.endsWith('?') || value === undefined) {
        throw new JobhoursError('UNEXPECTED', `${where} is ${value === null ? 'null' : 'absent'}`);
      }
      row[column] = null;
    } else {
      row[column] = convertValue(value, type.replace('?', ''), where);
    }
  }
  return row as Values<R>;
}

function convertValue(value: unknown, type: string, where: string): unknown {
  switch (type) {
    case 'instant':
    case 'count':
      return safeInteger(value as bigint, where);
    case 'instant[]':
      return (value as bigint[]).map((one) => safeInteger(one, where));
    case 'numeric':
      return BigInt(value as string);
    default:
      return value;
  }
}

/** Parameter values in the order of `$1, $2, ...`, as the driver takes them. */
export function parameterValues<P extends Columns>(
  statement: Statement<P>,
  params: Values<P>,
): unknown[] {
  return Object.entries(statement.params).map(([name, type]) => {
    const value = (params as Record<string, unknown>)[name];
    if (value === undefined) {
      throw new JobhoursError('UNEXPECTED', `${statement.name}: parameter ${name} is absent`);
    }
    return type.startsWith('jsonb') && value !== null ? JSON.stringify(value) : value;
  });
}
