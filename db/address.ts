/** Where a database is, in words that may be printed. Owns what of a connection URL is no secret. */
import pg from 'pg';
import { JobhoursError } from '../domain/errors.js';

/** `host:port/database` of a connection URL, never its password. CONFIG when it is not a PostgreSQL URL. */
export function addressOf(url: string): string {
  if (/^postgres(ql)?:\/\//.test(url)) {
    try {
      const { host, port, database } = new pg.Client({ connectionString: url });
      return `${host}:${port}/${database ?? ''}`;
    } catch {
      // The driver's message may repeat the URL.
    }
  }
  throw new JobhoursError('CONFIG', 'DATABASE_URL: expected postgres://user@host:port/database');
}
