/** `jobhours db migrate|status`: the schema of the database. Printing only. */
import type { Command } from 'commander';
import { migrate, migrationStatus } from '../open-books.js';
import type { ProcessContext } from './context.js';

const EXAMPLES = `
Examples:
  DATABASE_URL=postgres://jobhours@db/jobhours jobhours db status
  DATABASE_URL=postgres://jobhours@db/jobhours jobhours db migrate

The embedded PostgreSQL is brought up to date whenever it starts. A given database (DATABASE_URL) is changed
by 'db migrate' only; every other command refuses to work on a schema that is older or newer than itself.`;

/** Adds `db`. */
export function registerDb(program: Command, context: ProcessContext): void {
  const db = program
    .command('db')
    .description('The schema of the database')
    .addHelpText('after', EXAMPLES);
  db.command('migrate')
    .description('bring the schema up to this version; running it again changes nothing')
    .action(() => runMigrate(context));
  db.command('status')
    .description('which migrations are applied and which are pending')
    .action(() => runStatus(context));
}

function runMigrate(context: ProcessContext): Promise<void> {
  return context.withDatabase(async (databaseUrl) => {
    const done = await migrate(databaseUrl);
    for (const name of done) context.print(`applied ${name}`);
    context.note(done.length === 0 ? 'the schema is up to date' : `${done.length} applied`);
  }, 'creates it');
}

function runStatus(context: ProcessContext): Promise<void> {
  return context.withDatabase(async (databaseUrl) => {
    const { applied, pending } = await migrationStatus(databaseUrl);
    for (const name of applied) context.print(`applied ${name}`);
    for (const name of pending) context.print(`pending ${name}`);
    context.note(pending.length === 0 ? 'the schema is up to date' : "next: 'jobhours db migrate'");
  });
}
