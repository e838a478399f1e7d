/**
 * CSV that spreadsheets and programs read alike (RFC 4180, line feeds). Owns quoting and the guard against
 * formulas; which columns there are is each command's.
 */
import { stringify } from 'csv-stringify/sync';

/** An exact decimal number that may be negative: it is no formula, so csv leaves it as it is. JSON has its text. */
export class DecimalText {
  constructor(private readonly text: string) {}

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** What a cell may hold. Null is an empty cell. */
export type Cell = string | number | boolean | DecimalText | null;

/** A spreadsheet takes a cell that begins with one of these for a formula (B25); with `'` before it, it looks guarded. */
const FORMULA = /^'*[=+\-@\t\r]/;

/** Lines of CSV, each with its line feed. Text that begins like a formula, or like a guarded one, gets a leading `'`. */
export function csvText(rows: readonly (readonly Cell[])[]): string {
  const guarded = rows.map((row) => row.map(guardedCell));
  // The library quotes line feeds by itself, carriage returns not.
  return stringify(guarded, { quoted_match: /\r/ });
}

function guardedCell(cell: Cell): string | number | null {
  if (cell instanceof DecimalText || typeof cell === 'boolean') return cell.toString();
  return typeof cell === 'string' && FORMULA.test(cell) ? `'${cell}` : cell;
}

/** The text of a cell of `csvText`, without the guard. */
export function withoutGuard(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell.slice(1)) ? cell.slice(1) : cell;
}
