/** How many rows the server believes the tables have. Owns when it looks again; autovacuum does the rest in time. */
import type { Transaction } from './database.js';
import { statements } from './statement.js';

const sql = statements('estimates', { renew: { params: {}, row: {} } });

/**
 * Looks again at tables of which the server believes what cannot be: autovacuum that looks while an import is at work
 * counts its pages and none of its rows, and for a minute after that every plan is made for an empty table. For
 * transactions that join stored runs with many others. Nobody else analyzes these tables until the transaction ends.
 */
export async function renewEstimates(transaction: Transaction): Promise<void> {
  await transaction.execute(sql.renew, {});
}
