/**
 * Imports of memberships: a CSV file with the columns user,space,from,to is applied as a whole or refused as a whole. Owns
 * the columns and the order of the steps; what a membership is and which ones overlap is domain/membership.ts.
 */
import { refuseDemo, type Books } from '../db/books-store.js';
import type { Database } from '../db/database.js';
import {
  endMemberships,
  enteredMemberships,
  insertMemberships,
  lockMemberships,
} from '../db/membership-store.js';
import { Calendar } from '../domain/calendar.js';
import { isJobhoursError, JobhoursError, type ErrorCode } from '../domain/errors.js';
import { membershipOf, planMemberships, type GivenMembership } from '../domain/membership.js';
import { withoutGuard } from './csv-text.js';
import { fixedColumns, type FixedColumns } from './formats/csv-header.js';
import { csvRows, type CsvRow } from './formats/csv.js';
import { unpacked } from './formats/gzip.js';
import type { ImportInput } from './import-input.js';

/** Most records of one file: they are held in memory, because each may contradict each other. */
const MAX_RECORDS = 1_000_000;
const FIELDS = ['user', 'space', 'from', 'to'] as const;
type Columns = FixedColumns<(typeof FIELDS)[number]>;

/** A record that was refused: the line on which it begins, and why. */
export interface RefusedRecord {
  readonly line: number;
  readonly code: ErrorCode;
  readonly detail: string;
}

export interface MembershipImport {
  readonly records: number;
  readonly added: number;
  /** Open memberships that got their end. */
  readonly ended: number;
  readonly unchanged: number;
  /** Records that say again what another record of the input says. */
  readonly repeated: number;
  /** By line. With any, nothing was changed and the counts above are 0. */
  readonly rejected: readonly RefusedRecord[];
  /** Columns that mean nothing here. */
  readonly unusedColumns: readonly string[];
}

/**
 * Imports one input. Times without offset are read in `zone`; null: they are refused. DEMO_BOOKS; CSV_SYNTAX, ENCODING,
 * DECOMPRESS_LIMIT, FIELD_MISSING and LIMIT_INVALID (more than a million records) spoil the whole input, other errors are
 * its records'.
 */
export async function importMemberships(
  database: Database,
  books: Books,
  input: ImportInput,
  zone: string | null,
): Promise<MembershipImport> {
  refuseDemo(books);
  const { given, rejected, unusedColumns } = await readInput(input, zone);
  const records = given.length + rejected.length;
  const nothing = { added: 0, ended: 0, unchanged: 0, repeated: 0 };
  if (rejected.length > 0) return { records, ...nothing, rejected, unusedColumns };
  return database.transaction({}, async (transaction) => {
    await lockMemberships(transaction);
    const spaces = [...new Set(given.map(({ space }) => space))];
    const users = [...new Set(given.map(({ user }) => user))];
    const calendar = Calendar.of(books.zone);
    const stored = await enteredMemberships(transaction, spaces, users);
    const plan = planMemberships(stored, given, (atMs) => calendar.localText(atMs));
    if (plan.refused.length > 0) {
      const overlaps = plan.refused.map((one) => ({ ...one, code: 'MEMBERSHIP_OVERLAP' as const }));
      return { records, ...nothing, rejected: overlaps, unusedColumns };
    }
    await endMemberships(transaction, plan.ended);
    await insertMemberships(transaction, plan.added);
    return {
      records,
      added: plan.added.length,
      ended: plan.ended.length,
      unchanged: plan.unchanged.length,
      repeated: plan.repeated,
      rejected,
      unusedColumns,
    };
  });
}

interface ReadInput {
  readonly given: GivenMembership[];
  readonly rejected: RefusedRecord[];
  unusedColumns: readonly string[];
}

async function readInput(input: ImportInput, zone: string | null): Promise<ReadInput> {
  const read: ReadInput = { given: [], rejected: [], unusedColumns: [] };
  let columns: Columns | null = null;
  for await (const row of csvRows(unpacked(input.stream, null))) {
    if (columns === null) {
      columns = fixedColumns(row.record, FIELDS, ['to']);
      read.unusedColumns = columns.unused;
      continue;
    }
    if (read.given.length + read.rejected.length === MAX_RECORDS) throw tooMany();
    const judged = judgedRow(row, columns, zone);
    if ('code' in judged) read.rejected.push(judged);
    else read.given.push(judged);
  }
  return read;
}

/** A program that wrote the file for spreadsheets has guarded names (`space list -o csv`): the guard is no part of them. */
function judgedRow(
  row: CsvRow,
  columns: Columns,
  zone: string | null,
): GivenMembership | RefusedRecord {
  const { line } = row;
  try {
    const { user, space, from, to } = columns.cellsOf(row);
    const fields = { user: withoutGuard(user), space: withoutGuard(space), from, to };
    return { ...membershipOf(fields, zone), line };
  } catch (error) {
    if (!isJobhoursError(error) || error.code === 'UNEXPECTED') throw error;
    return { line, code: error.code, detail: error.message };
  }
}

function tooMany(): JobhoursError {
  return new JobhoursError(
    'LIMIT_INVALID',
    `the file has more than ${MAX_RECORDS} memberships: import it in parts`,
    { limit: MAX_RECORDS },
  );
}
