/**
 * The one catalogue of errors: every refusal and failure that jobhours reports has a stable code.
 * Owns codes, exit codes and whether trying again can help; the message of one error says what was
 * expected, what came, where, and what to do. README's table is held equal to it by a test.
 */

/** Exit codes of the command line (DESIGN section 11). */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  notFound: 3,
  notAllowed: 4,
  findings: 5,
  timeout: 6,
  interrupted: 130,
} as const;

interface CatalogueEntry {
  /** One sentence for README's table. */
  readonly meaning: string;
  readonly exit: (typeof EXIT)[keyof typeof EXIT];
  /** True when the same request can succeed later without being changed. */
  readonly retryable: boolean;
}

const input = (meaning: string): CatalogueEntry => ({
  meaning,
  exit: EXIT.usage,
  retryable: false,
});
const failure = (meaning: string): CatalogueEntry => ({
  meaning,
  exit: EXIT.failure,
  retryable: false,
});
const passing = (meaning: string): CatalogueEntry => ({
  meaning,
  exit: EXIT.failure,
  retryable: true,
});

/** Code -> meaning, exit code, retryable. In alphabetical order. */
export const CATALOGUE = {
  BACKFILL_ENDED: input('The backfill is not open any more'),
  BACKFILL_EXISTS: input('A backfill of that name is for another range'),
  BACKFILL_FAILED: failure('A backfill was cancelled, or some of its periods failed'),
  BOOKS_MISMATCH: input('The process is configured for other books than the database holds'),
  CHECK_FAILED: failure('Figures that must be equal differ'),
  CLOCK_SKEW: passing('This machine and the database disagree by more than 5 minutes'),
  COMMIT_UNVERIFIED: passing('A period was committed but could not be read back'),
  CONFIG: input('A setting is unknown or has a value that is not allowed'),
  CSV_SYNTAX: input('The file is not well-formed CSV, or a column is missing, doubled or unknown'),
  DATABASE_BUSY: passing('PostgreSQL gave a statement up: a lock, a cancellation or no memory'),
  DATABASE_FAILURE: failure('PostgreSQL refused a statement'),
  DATABASE_FULL: passing('PostgreSQL has no space left'),
  DATABASE_MISSING: passing('PostgreSQL cannot be reached'),
  DECOMPRESS_LIMIT: input('A compressed input comes to more bytes than allowed'),
  DEMO_BOOKS: {
    meaning: 'The demo books refuse imports and changes by hand',
    exit: EXIT.notAllowed,
    retryable: false,
  },
  ENCODING: input('The input is not UTF-8 text, or its gzip data are damaged'),
  END_MISSING: input('A record that is not running has no end'),
  EXISTS: input('A file of that name exists and is not overwritten'),
  FIELD_MISSING: input('A required field is absent or empty'),
  FIELD_UNKNOWN: input('A field, column or flag value is not one of the known ones'),
  FILE_UNREADABLE: input('The input file cannot be read'),
  FILE_UNWRITABLE: failure('The output file cannot be written'),
  GPUS_INVALID: input('GPUs are not a decimal from 0 to 100000 with at most 3 digits'),
  HOME_BUSY: failure('Another process keeps servers in this home'),
  ID_PRECISION: input('An id came as a number above 2^53, which may have been rounded'),
  INTERRUPTED: { meaning: 'Stopped by Ctrl-C', exit: EXIT.interrupted, retryable: true },
  JOB_ID_INVALID: input('A job id is empty, too long or has control characters'),
  JSON_DEPTH: input('JSON is nested deeper than 64 levels'),
  JSON_DUPLICATE_KEY: input('A name stands twice in one JSON object'),
  JSON_SYNTAX: input('A line is not well-formed JSON'),
  KEY_DUPLICATE: input('One key stands in the input more than once with different content'),
  KEY_REUSED: input('A known key came with another user and another start'),
  LIMIT_INVALID: input('A number is outside its limits'),
  MANIFEST_INVALID: input('The file is not the manifest of an answer that was filed'),
  MEMBERSHIP_OVERLAP: input('Two memberships of one user in one space overlap'),
  NAME_TAKEN: input('A user or space has that name already'),
  NOT_FOUND: { meaning: 'Nothing of that name exists', exit: EXIT.notFound, retryable: false },
  NO_PROGRESS: failure('A period was planned three times with the same inputs'),
  NO_WORKER: failure('No worker polls the task queue'),
  PERIOD_DOES_NOT_EXIST: input('The label names a date that the zone skipped'),
  PERIOD_INVALID: input('The label of a period is not a real one'),
  PERIOD_OPEN: input('The range lies in the future, or the period is not over yet'),
  POOL_INVALID: input('A pool is too long or has control characters'),
  POSTGRES_START: failure('The embedded PostgreSQL did not start'),
  RANGE_INVALID: input('A range ends before it starts, or begins the books years too early'),
  RANGE_TOO_LARGE: input('A range is longer than the limit'),
  RECORDS_REJECTED: input('Records were rejected; nothing was applied unless --partial was given'),
  RECORD_INVALID: input('A record does not have the fields of its format, or is longer than 1 MiB'),
  REPLAN: passing('Others changed the period each time, or rows before it do not fit'),
  RUN_VOIDED: input('The run was voided by hand, and the void was not undone'),
  SCHEMA_VERSION: failure('The database schema is newer or older than this program'),
  SPACE_INVALID: input('A space is too long or has control characters'),
  START_MISSING: input('A record has no start'),
  TEMPORAL_FETCH: failure('The Temporal program could not be found or fetched'),
  TEMPORAL_MISSING: passing('No Temporal server answers'),
  TEMPORAL_NAMESPACE: failure('The Temporal namespace does not exist'),
  TEMPORAL_START: failure('The Temporal dev server did not start'),
  TIMEOUT: { meaning: 'A wait reached its time limit', exit: EXIT.timeout, retryable: true },
  TIME_AMBIGUOUS: input('A local time happens twice; give its offset'),
  TIME_FUTURE: input('A time lies more than 5 minutes in the future'),
  TIME_INVALID: input('A time or date does not exist or has the wrong form'),
  TIME_LEAP_SECOND: input('Leap seconds have no instant'),
  TIME_NONEXISTENT: input('A local time was skipped by a change of the clocks'),
  TIME_ORDER: input('An end lies before its start'),
  TIME_RANGE: input('A time lies outside 1990 to 2100'),
  TIME_UNIT: input('A number of another unit of time than the one that was declared'),
  TIME_ZONE_MISSING: input('A time without offset; give --zone'),
  TIME_ZONE_SUSPECT: input('Times contradict the elapsed time as those of another zone would'),
  TYPE: input('A value of a JSON object has the wrong type'),
  UNDO_CONFLICT: input('A later change, or another undo, stands in the way of an undo'),
  UNEXPECTED: failure('A defect of jobhours'),
  USAGE: input('The command line is wrong'),
  USER_INVALID: input('A user is empty, too long or has control characters'),
  ZONE_MISSING: input('A given database needs the zone of the books'),
  ZONE_UNKNOWN: input('Not an IANA time zone'),
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof CATALOGUE;

/** An error of the catalogue. `details` carries plain values for `-o json` and logs, never secrets. */
export class JobhoursError extends Error {
  override readonly name = 'JobhoursError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
  /** Exit status of a command that ends with this error. */
  get exitCode(): number {
    return CATALOGUE[this.code].exit;
  }
  /** True when the same request can succeed later without being changed. */
  get retryable(): boolean {
    return CATALOGUE[this.code].retryable;
  }
}

/** True for a JobhoursError, of that code when one is given; works across module copies. */
export function isJobhoursError(error: unknown, code?: ErrorCode): error is JobhoursError {
  if (typeof error !== 'object' || error === null) return false;
  const candidate = error as { name?: unknown; code?: unknown };
  return candidate.name === 'JobhoursError' && (code === undefined || candidate.code === code);
}
