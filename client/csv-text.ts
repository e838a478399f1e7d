/**
 * CSV that spreadsheets and programs read alike (RFC 4180, line feeds). Owns quoting and the guard against
 * formulas; which columns there are is each command's.
 */
import { stringify } from 'csv-stringify/sync';

/** What a cell may hold. Null is an empty cell. */
export type Cell = string | number | null;

/** A spreadsheet takes a cell that begins with one of these for a formula (B25). */
const FORMULA = /^[=+\-@\t\r]/;

/** Lines of CSV, each with its line feed. Text that begins like a formula gets a leading `'`. */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  const guarded = rows.map((row) =>
    row.map((cell) => (typeof cell === 'string' && FORMULA.test(cell) ? `'${cell}` : cell)),
  );
  // The library quotes line feeds by itself, carriage returns not.
  return stringify(guarded, { quoted_match: /\r/ });
}
