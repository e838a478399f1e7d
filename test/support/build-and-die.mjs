// Builds one hour with the built code and kills itself with SIGKILL after the named step of the transaction.
// Arguments: database address, hour's start in ms, step.
import { Database } from '../../dist/db/database.js';
import { buildPeriod } from '../../dist/db/period-builder.js';
import { Calendar } from '../../dist/domain/calendar.js';

const [url, startAtMs, dieAfter] = process.argv.slice(2);
const database = Database.open({ url });
await buildPeriod(database, Calendar.of('UTC').periodAt('hour', Number(startAtMs)), {
  afterStep: (step) => {
    if (step === dieAfter) process.kill(process.pid, 'SIGKILL');
  },
});
process.kill(process.pid, 'SIGKILL');
