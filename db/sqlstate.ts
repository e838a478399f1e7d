/**
 * The one translation of PostgreSQL's and the driver's errors into codes of the catalogue (DESIGN section 13).
 */
import { isJobhoursError, JobhoursError, type ErrorCode } from '../domain/errors.js';

/** What a database error tells: SQLSTATE where there is one, constraint, message. */
interface DriverError {
  readonly code?: string;
  readonly message?: string;
  readonly constraint?: string;
  readonly detail?: string;
}

/** Codes that mean "another transaction was there first: plan again" while a period is built (A6). */
const REPLAN = new Set(['23514', '40001', '23505', '40P01']);

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  '57P01',
  '57P02',
  '57P03',
  '53300',
]);
const CONNECTION_MESSAGES =
  /Connection terminated|connection timeout|Query read timeout|Client has encountered a connection error/i;

function codeOf(error: DriverError): ErrorCode {
  const state = error.code ?? '';
  if (CONNECTION_CODES.has(state) || state.startsWith('08')) return 'DATABASE_MISSING';
  if (CONNECTION_MESSAGES.test(error.message ?? '')) return 'DATABASE_MISSING';
  if (state === '53100') return 'DATABASE_FULL';
  if (REPLAN.has(state)) return 'REPLAN';
  return 'DATABASE_FAILURE';
}

/** SQLSTATE of an error of the driver or of its translation; null when there is none. */
export function sqlstateOf(error: unknown): string | null {
  const own = (error as DriverError | null)?.code;
  if (typeof own === 'string' && /^[0-9A-Z]{5}$/.test(own)) return own;
  const details = (error as { details?: { sqlstate?: unknown } } | null)?.details;
  return typeof details?.sqlstate === 'string' ? details.sqlstate : null;
}

/**
 * A driver error as a JobhoursError that keeps it as its cause; details: sqlstate, constraint, statement.
 * Errors of the catalogue pass unchanged.
 */
export function translated(error: unknown, statement: string): JobhoursError {
  if (isJobhoursError(error)) return error;
  const driver = (typeof error === 'object' && error !== null ? error : {}) as DriverError;
  const sqlstate = sqlstateOf(error);
  const place = driver.constraint === undefined ? '' : ` (constraint ${driver.constraint})`;
  return new JobhoursError(
    codeOf(driver),
    `${statement}: ${driver.message ?? String(error)}${place}${sqlstate === null ? '' : `, SQLSTATE ${sqlstate}`}`,
    { sqlstate, constraint: driver.constraint ?? null, statement },
    { cause: error },
  );
}
