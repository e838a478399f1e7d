/**
 * The lines of a worker's log, on stderr: JSON for machines, sentences for a person at a terminal. Owns their form, that
 * no secret stands in them and that a terminal is not told the same warning twice; what is logged, and with which
 * fields, is the activities', who calls it is workers/runtime.ts.
 */
import type { LogEntry } from '@temporalio/worker';
import { pino, type DestinationStream } from 'pino';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';
/** `lines`: JSON, one object a line. `sentences`: `warning: 48 hours are missing`, each warning and error once. */
export type LogFormat = 'lines' | 'sentences';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Texts that must not be printed (`passwordsOf`). */
  readonly secrets: readonly string[];
}

type Write = (entry: LogEntry) => void;

const PINO_LEVEL = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const;
/** A person at a terminal reads the word that commands print too. */
const WORD = { ...PINO_LEVEL, WARN: 'warning' } as const;
/** A process that runs for years does not remember every text it ever printed. */
const MOST_REMEMBERED = 1_000;
/** A shorter secret may be part of ordinary words: it is masked only where it stands in a URL. */
const SHORTEST_SECRET = 6;

/** Writes entries to `stream`; by default to stderr, waiting, so that nothing is lost when the process ends. */
export function logWriter(
  options: LogOptions,
  stream: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Write {
  const masked = {
    write: (line: string): void => void stream.write(withoutSecrets(line, options.secrets)),
  };
  return options.format === 'lines' ? jsonLines(options.level, masked) : sentences(masked);
}

function jsonLines(level: LogLevel, stream: DestinationStream): Write {
  const log = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
  return ({ level: entryLevel, message, meta }) => {
    // Whoever has the token may complete the activity.
    const { error, taskToken: _token, ...fields } = meta ?? {};
    log[PINO_LEVEL[entryLevel]](
      { ...fields, ...(error === undefined ? {} : { err: error }) },
      message,
    );
  };
}

function sentences(stream: DestinationStream): Write {
  const told = new Set<string>();
  return ({ level, message, meta }) => {
    const error = (meta as { error?: unknown } | undefined)?.error;
    const isTold = !(error instanceof Error) || message.includes(error.message);
    const reason = isTold ? '' : `: ${error.message}`;
    const text = `${WORD[level]}: ${message}${reason}`.replace(/\s*\n\s*/g, ' ');
    if (level === 'WARN' || level === 'ERROR') {
      if (told.has(text)) return;
      if (told.size >= MOST_REMEMBERED) told.clear();
      told.add(text);
    }
    stream.write(`${text}\n`);
  };
}

/** The password of a connection URL as it is written there and as it is meant; none when it has none. */
export function passwordsOf(url: string): string[] {
  const written = /^\w+:\/\/[^/?#]*?:([^/?#]*)@/.exec(url)?.[1] ?? '';
  if (written === '') return [];
  try {
    return [...new Set([written, decodeURIComponent(written)])];
  } catch {
    return [written];
  }
}

/** `text` with `***` for each secret, for what JSON makes of it, and for every password in a URL. */
function withoutSecrets(text: string, secrets: readonly string[]): string {
  let result = text.replace(/(\b\w+:\/\/[^\s:/?#@"]*):[^\s/?#"]*@/g, '$1:***@');
  for (const secret of secrets.filter(({ length }) => length >= SHORTEST_SECRET)) {
    for (const form of [secret, JSON.stringify(secret).slice(1, -1)]) {
      result = result.replaceAll(form, '***');
    }
  }
  return result;
}
