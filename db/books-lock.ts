/**
 * Who may write runs beside whom: imports are applied one after another, so that their numbers are their order, and none
 * while somebody undoes or corrects by hand: what an undo looks at stays as it is until it commits. Owns these locks; builders take none of them.
 */
import type { Session, Transaction } from './database.js';
import { statements } from './statement.js';

/** Any numbers that no other program of the database uses; the locks of periods have others (db/period-lock.ts). */
const BOOKS_CLASS = 7_410_101;
const IMPORT_CLASS = 7_410_102;

const lock = { params: { lockClass: 'int4' }, row: {} } as const;
const ofImport = { lockClass: 'int4', batch: 'int4' } as const;

const sql = statements('books-lock', {
  share: lock,
  exclude: lock,
  'hold-import': { params: ofImport, row: {} },
  'await-import': { params: ofImport, row: {} },
  'try-import': { params: ofImport, row: { is_free: 'bool' } },
  'try-turn': { params: { lockClass: 'int4' }, row: { is_free: 'bool' } },
  'await-turn': lock,
});

/** Waits until nobody undoes or corrects by hand, and keeps them away until the transaction ends. */
export async function shareBooks(transaction: Transaction): Promise<void> {
  await transaction.execute(sql.share, { lockClass: BOOKS_CLASS });
}

/** Waits until no import applies a range and nobody else corrects; keeps them away until the transaction ends. */
export async function excludeWriters(transaction: Transaction): Promise<void> {
  await transaction.execute(sql.exclude, { lockClass: BOOKS_CLASS });
}

/** Waits until no other import is being applied; from then on none begins, as long as the connection lives. */
export async function takeTurn(session: Session, onWait: () => void): Promise<void> {
  const params = { lockClass: IMPORT_CLASS };
  if ((await session.one(sql['try-turn'], params)).is_free) return;
  onWait();
  await session.execute(sql['await-turn'], params);
}

/** Says that this import is being applied, as long as the connection lives. */
export async function holdImport(session: Session, batch: bigint): Promise<void> {
  await session.execute(sql['hold-import'], { lockClass: IMPORT_CLASS, batch: Number(batch) });
}

/** Waits until the import is not being applied any more: it is over, or its process is gone. */
export async function awaitImport(
  transaction: Transaction,
  batch: bigint,
  onWait: () => void,
): Promise<void> {
  const params = { lockClass: IMPORT_CLASS, batch: Number(batch) };
  if ((await transaction.one(sql['try-import'], params)).is_free) return;
  onWait();
  await transaction.execute(sql['await-import'], params);
}
