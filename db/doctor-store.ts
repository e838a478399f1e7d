/** Version and settings of the PostgreSQL server. Owns the SQL; which of them are right is client/doctor-servers.ts. */
import type { Session } from './database.js';
import { statements, type Values } from './statement.js';

const row = {
  version: 'text',
  version_number: 'int4',
  fsync: 'text',
  full_page_writes: 'text',
  synchronous_commit: 'text',
} as const;

const sql = statements('doctor', { 'server-settings': { params: {}, row } });

/** As the server writes them (`on`, `off`, ...); `version_number` is 180004 for 18.4. */
export type ServerSettings = Values<typeof row>;

/** Those in force for this session. */
export function readServerSettings(session: Session): Promise<ServerSettings> {
  return session.one(sql['server-settings'], {});
}
