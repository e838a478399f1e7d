/**
 * The one translation of PostgreSQL's and the driver's errors into codes of the catalogue (DESIGN section 13), with
 * what to do about those that can pass.
 */
import { isJobhoursError, JobhoursError, type ErrorCode } from '../domain/errors.js';

/** What a database error tells: SQLSTATE where there is one, constraint, message. */
interface DriverError {
  readonly code?: string;
  readonly message?: string;
  readonly constraint?: string;
  readonly detail?: string;
  readonly syscall?: string;
}

/**
 * SQLSTATE -> code. REPLAN: another transaction was there first while a period was built (A6). DATABASE_MISSING: this
 * connection is over, or there can be none now. DATABASE_BUSY: the statement was given up, and can succeed later.
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  '23505': 'REPLAN',
  '23514': 'REPLAN',
  '40001': 'REPLAN',
  '40P01': 'REPLAN',
  '25P03': 'DATABASE_MISSING',
  '25P04': 'DATABASE_MISSING',
  '53300': 'DATABASE_MISSING',
  '57P01': 'DATABASE_MISSING',
  '57P02': 'DATABASE_MISSING',
  '57P03': 'DATABASE_MISSING',
  '57P05': 'DATABASE_MISSING',
  '53100': 'DATABASE_FULL',
  '53000': 'DATABASE_BUSY',
  '53200': 'DATABASE_BUSY',
  '53400': 'DATABASE_BUSY',
  '55P03': 'DATABASE_BUSY',
  '57014': 'DATABASE_BUSY',
};

/** Errors of the network, by the system's names. */
const NETWORK = new Set([
  ...['EAI_AGAIN', 'ECONNABORTED', 'ECONNREFUSED', 'ECONNRESET', 'EHOSTUNREACH', 'ENETDOWN'],
  ...['ENETUNREACH', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT'],
]);
/** Words of the driver for a connection that is gone or not to be had. */
const CONNECTION_MESSAGES =
  /Connection terminated|timeout (expired|exceeded)|connection timeout|not queryable|pool after calling end/i;
/** The driver's words when all connections of the pool stayed in use. */
const POOL_BUSY = /timeout exceeded when trying to connect/;

function codeOf(error: DriverError): ErrorCode {
  const state = error.code ?? '';
  // A socket's path that is not there; other files are none of the database's.
  if (state === 'ENOENT' && error.syscall === 'connect') return 'DATABASE_MISSING';
  if (NETWORK.has(state) || state.startsWith('08')) return 'DATABASE_MISSING';
  if (CONNECTION_MESSAGES.test(error.message ?? '')) return 'DATABASE_MISSING';
  return CODES[state] ?? 'DATABASE_FAILURE';
}

/** SQLSTATE of an error of the driver or of its translation; null when there is none. */
export function sqlstateOf(error: unknown): string | null {
  const own = (error as DriverError | null)?.code;
  if (typeof own === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(own)) return own;
  const details = (error as { details?: { sqlstate?: unknown } } | null)?.details;
  return typeof details?.sqlstate === 'string' ? details.sqlstate : null;
}

/** What to do about a refusal that passes only when somebody changes the server, by SQLSTATE. */
const GRANT_ADVICE: Readonly<Record<string, string>> = {
  '25006':
    'The database takes no writing: use the primary server, or switch default_transaction_read_only off.',
  '42501':
    'The user of DATABASE_URL may not do this: use one that may, or let the owner of the tables grant it.',
};

const PASSING_ADVICE: Partial<Readonly<Record<ErrorCode, string>>> = {
  DATABASE_FULL: 'Free space where PostgreSQL keeps its data: what failed can be tried again then.',
  DATABASE_BUSY:
    'Another session holds a lock, cancelled the statement or uses up memory: try again.',
};

function missingAdvice(sqlstate: string | null, message: string): string {
  if (sqlstate === '53300') {
    return 'It has no connection left: raise max_connections or stop other programs, then try again.';
  }
  if (sqlstate?.startsWith('28') === true) {
    return 'Check the user, the password and what pg_hba.conf allows, then try again.';
  }
  if (POOL_BUSY.test(message)) {
    return 'All connections of this process stayed in use: try again, or do less at once.';
  }
  return 'See that it runs and can be reached from here, then try again.';
}

/** DATABASE_MISSING with the place of the server and what to do; `reason` says what happened. */
export function databaseMissing(
  statement: string,
  reason: string,
  address: string | null,
  { sqlstate = null, cause }: { sqlstate?: string | null; cause?: unknown } = {},
): JobhoursError {
  const place = address === null ? 'PostgreSQL' : `PostgreSQL at ${address}`;
  return new JobhoursError(
    'DATABASE_MISSING',
    `${place} is missing, ${statement}: ${reason}. ${missingAdvice(sqlstate, reason)}`,
    { sqlstate, constraint: null, statement, address },
    { cause },
  );
}

/**
 * A driver error as a JobhoursError that keeps it as its cause; details: sqlstate, constraint, statement, and the
 * address when the database is missing. Errors of the catalogue pass unchanged.
 */
export function translated(
  error: unknown,
  statement: string,
  address: string | null = null,
): JobhoursError {
  if (isJobhoursError(error)) return error;
  const driver = (typeof error === 'object' && error !== null ? error : {}) as DriverError;
  const [code, sqlstate] = [codeOf(driver), sqlstateOf(error)];
  const reason = reasonOf(error, driver, sqlstate);
  if (code === 'DATABASE_MISSING') {
    return databaseMissing(statement, reason, address, { sqlstate, cause: error });
  }
  const advice = PASSING_ADVICE[code] ?? GRANT_ADVICE[sqlstate ?? ''];
  return new JobhoursError(
    code,
    `${statement}: ${reason}${advice === undefined ? '' : `. ${advice}`}`,
    { sqlstate, constraint: driver.constraint ?? null, statement },
    { cause: error },
  );
}

/** The error's own words. A name with several addresses, none of which answers, has a code and no words. */
function reasonOf(error: unknown, driver: DriverError, sqlstate: string | null): string {
  const words = driver.message || driver.code || String(error);
  const place = driver.constraint === undefined ? '' : ` (constraint ${driver.constraint})`;
  return `${words}${place}${sqlstate === null ? '' : `, SQLSTATE ${sqlstate}`}`;
}
