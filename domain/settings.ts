/**
 * The settings: what the environment may say and what is taken when it says nothing. Read once per process,
 * from an object that is passed in. Owns the `JOBHOURS_*` names, their limits and `DATABASE_URL`; the connection
 * to Temporal (`TEMPORAL_*`) is read by Temporal's own library, here is only seen whether one was given.
 */
import { z } from 'zod';
import { isJobhoursError, JobhoursError } from './errors.js';
import { quotedValue } from './quoted-value.js';
import { MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from './units.js';
import { canonicalZone } from './zone-name.js';

/** The zone of the books on the embedded servers when none was said (DESIGN section 4). */
export const EMBEDDED_ZONE = 'Asia/Shanghai';

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: MS_PER_SECOND,
  m: MS_PER_MINUTE,
  h: MS_PER_HOUR,
  d: MS_PER_DAY,
};

/** `90s`, `2m`, `6h`, `45d` as milliseconds within `[fromMs, toMs]` (inclusive). */
function duration(fromMs: number, toMs: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,9}(ms|s|m|h|d)$/)
    .transform((text) => {
      const amount = Number.parseInt(text, 10);
      return amount * (UNIT_MS[text.slice(String(amount).length)] ?? Number.NaN);
    })
    .pipe(z.number().min(fromMs).max(toMs));
}

/** Decimal digits as an integer within `[from, to]` (inclusive). */
function integer(from: number, to: number): z.ZodType<number, string> {
  return z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .pipe(z.number().min(from).max(to));
}

/** `host:port`; an IPv6 host stands in brackets. Both must be said: nobody opens a port to a network by accident. */
function hostAndPort(): z.ZodType<string, string> {
  return z
    .string()
    .regex(/^(\[[\da-fA-F:.]{2,45}\]|[\w.-]{1,253}):[1-9]\d{0,4}$/)
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535);
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

interface Variable<T> {
  readonly schema: z.ZodType<T, string>;
  /** What stands for an absent variable. */
  readonly absent: T;
  /** The allowed values in words, for messages and README's table. */
  readonly allowed: string;
}

function variable<T>(allowed: string, schema: z.ZodType<T, string>, absent: T): Variable<T> {
  return { schema, absent, allowed };
}

/** Every variable of the environment that jobhours itself reads, in README's order. */
export const VARIABLES = {
  DATABASE_URL: variable<string | null>(
    'postgres://user@host:port/database',
    z.string().regex(/^postgres(ql)?:\/\/./),
    null,
  ),
  JOBHOURS_HOME: variable('a folder', z.string().min(1).max(1000), '.jobhours'),
  JOBHOURS_ZONE: variable<string | null>(
    'an IANA zone such as Asia/Shanghai or UTC',
    z.string().transform((zone) => canonicalZone(zone)),
    null,
  ),
  JOBHOURS_NAME: variable<string | null>(
    '1 to 64 letters, digits, . _ or -, beginning with a letter or digit',
    z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    null,
  ),
  JOBHOURS_MINIMUM_RUN_MS: variable<number | null>(
    'an integer from 0 to 86400000',
    integer(0, MS_PER_DAY),
    null,
  ),
  JOBHOURS_GRACE: variable(
    'a duration from 0s to 1h, such as 2m',
    duration(0, MS_PER_HOUR),
    2 * MS_PER_MINUTE,
  ),
  JOBHOURS_CATCH_UP: variable(
    'a duration from 1h to 400d, such as 45d',
    duration(MS_PER_HOUR, 400 * MS_PER_DAY),
    45 * MS_PER_DAY,
  ),
  JOBHOURS_IMPORT_BATCH: variable('an integer from 1 to 1000000', integer(1, 1_000_000), 10_000),
  JOBHOURS_PLAN_TIMEOUT: variable(
    'a duration from 1s to 1h, such as 30s',
    duration(MS_PER_SECOND, MS_PER_HOUR),
    30 * MS_PER_SECOND,
  ),
  JOBHOURS_HEARTBEAT_TIMEOUT: variable(
    'a duration from 1s to 1h, such as 60s',
    duration(MS_PER_SECOND, MS_PER_HOUR),
    60 * MS_PER_SECOND,
  ),
  JOBHOURS_BUILD_TIMEOUT: variable(
    'a duration from 1s to 7d, such as 6h',
    duration(MS_PER_SECOND, 7 * MS_PER_DAY),
    6 * MS_PER_HOUR,
  ),
  JOBHOURS_DATABASE_TIMEOUT: variable(
    'a duration from 1s to 1h, such as 30s',
    duration(MS_PER_SECOND, MS_PER_HOUR),
    30 * MS_PER_SECOND,
  ),
  JOBHOURS_LOG_LEVEL: variable<(typeof LOG_LEVELS)[number]>(
    LOG_LEVELS.join(', '),
    z.enum(LOG_LEVELS),
    'info',
  ),
  JOBHOURS_METRICS: variable<string | null>(
    'host:port such as 127.0.0.1:9464, with a port from 1 to 65535',
    hostAndPort(),
    null,
  ),
  JOBHOURS_TEMPORAL_CLI: variable<string | null>(
    'the path of a temporal program',
    z.string().min(1).max(1000),
    null,
  ),
  JOBHOURS_DEBUG: variable(
    '0 or 1',
    z.enum(['0', '1']).transform((text) => text === '1'),
    false,
  ),
} as const;

type VariableName = keyof typeof VARIABLES;
type Parsed = {
  [K in VariableName]: (typeof VARIABLES)[K] extends Variable<infer T> ? T : never;
};

/** Any of these says that a Temporal server is given; without them the embedded one is used. */
const TEMPORAL_VARIABLES = ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'];

/** One process's settings. Lengths in ms. */
export interface Settings {
  /** Null: the embedded PostgreSQL. May hold a password: never print it. */
  readonly databaseUrl: string | null;
  /** True when the environment names a Temporal server; false: the embedded one. */
  readonly isTemporalGiven: boolean;
  /** The folder of the embedded servers, as it was said. */
  readonly home: string;
  /** Canonical zone for the books; null when it was not said. */
  readonly zone: string | null;
  /** Name of the books; null when it was not said. */
  readonly name: string | null;
  readonly minimumRunMs: number | null;
  /** How long after its end a period is due. */
  readonly graceMs: number;
  /** How far back missing periods are mended by themselves after an outage. */
  readonly catchUpMs: number;
  /** Records that an import applies in one transaction. */
  readonly importBatch: number;
  readonly planTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly buildTimeoutMs: number;
  /** Longest wait for PostgreSQL without a sign that it works. */
  readonly databaseTimeoutMs: number;
  readonly logLevel: (typeof LOG_LEVELS)[number];
  /** `host:port` where a worker serves Prometheus metrics; null: nowhere. */
  readonly metricsAddress: string | null;
  readonly temporalCli: string | null;
  /** Show stacks of known errors too. */
  readonly isDebug: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings that an environment says. CONFIG names the first variable that is unknown or has a value that
 * is not allowed, the value and what is allowed (B71); ZONE_UNKNOWN for the zone (B13, B15).
 */
export function parseSettings(environment: Environment): Settings {
  for (const name of Object.keys(environment)) {
    if (name.startsWith('JOBHOURS_') && !Object.hasOwn(VARIABLES, name)) throw unknownName(name);
  }
  const parsed = Object.fromEntries(
    Object.entries(VARIABLES).map(([name, one]) => [
      name,
      parseVariable(name as VariableName, one, environment[name]),
    ]),
  ) as Parsed;
  return {
    databaseUrl: parsed.DATABASE_URL,
    isTemporalGiven: TEMPORAL_VARIABLES.some((name) => (environment[name] ?? '') !== ''),
    home: parsed.JOBHOURS_HOME,
    zone: parsed.JOBHOURS_ZONE,
    name: parsed.JOBHOURS_NAME,
    minimumRunMs: parsed.JOBHOURS_MINIMUM_RUN_MS,
    graceMs: parsed.JOBHOURS_GRACE,
    catchUpMs: parsed.JOBHOURS_CATCH_UP,
    importBatch: parsed.JOBHOURS_IMPORT_BATCH,
    planTimeoutMs: parsed.JOBHOURS_PLAN_TIMEOUT,
    heartbeatTimeoutMs: parsed.JOBHOURS_HEARTBEAT_TIMEOUT,
    buildTimeoutMs: parsed.JOBHOURS_BUILD_TIMEOUT,
    databaseTimeoutMs: parsed.JOBHOURS_DATABASE_TIMEOUT,
    logLevel: parsed.JOBHOURS_LOG_LEVEL,
    metricsAddress: parsed.JOBHOURS_METRICS,
    temporalCli: parsed.JOBHOURS_TEMPORAL_CLI,
    isDebug: parsed.JOBHOURS_DEBUG,
  };
}

function parseVariable(
  name: VariableName,
  { schema, absent, allowed }: Variable<unknown>,
  text: string | undefined,
): unknown {
  if (text === undefined) return absent;
  let result: { readonly success: boolean; readonly data?: unknown };
  try {
    result = schema.safeParse(text);
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    throw new JobhoursError(error.code, `${name}: ${error.message}`, error.details);
  }
  if (result.success) return result.data;
  // A database URL may carry a password, so it is not repeated.
  const shown =
    name === 'DATABASE_URL' ? 'has a value that is not allowed' : `is ${quotedValue(text)}`;
  throw new JobhoursError('CONFIG', `${name} ${shown}: expected ${allowed}`, {
    variable: name,
    allowed,
  });
}

function unknownName(name: string): JobhoursError {
  const known = Object.keys(VARIABLES);
  return new JobhoursError(
    'CONFIG',
    `${quotedValue(name)} is not a setting; the settings are ${known.join(', ')}`,
    { variable: name, allowed: known },
  );
}
