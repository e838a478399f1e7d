/**
 * Loads the demo's invented records through the import that everybody uses. Owns the options of that import;
 * the records are domain/demo-records.ts.
 */
import { Readable } from 'node:stream';
import { databaseNowMs } from '../db/books-store.js';
import { demoCsv, demoRecords } from '../domain/demo-records.js';
import { JobhoursError } from '../domain/errors.js';
import { importRuns } from './import-runs.js';
import type { ImportSummary } from './import-summary.js';
import type { OpenBooks } from './open-books.js';

const SOURCE = 'demo';

/**
 * Imports what the demo's site logged up to now; what is in the books already is not written again. Returns
 * the import's summary. RECORDS_REJECTED when the generator made a record that the import refuses.
 */
export async function loadDemoRecords(open: OpenBooks): Promise<ImportSummary> {
  const { database, books, calendar, settings } = open;
  const nowMs = await databaseNowMs(database);
  const records = demoRecords({ calendar, openedAtMs: books.openedAtMs, nowMs });
  const { summary, rejects } = await importRuns(
    database,
    // Demo books refuse everybody's records but these.
    { ...books, isDemo: false },
    {
      name: SOURCE,
      stream: Readable.from([Buffer.from([...demoCsv(records)].join(''))]),
      totalBytes: null,
    },
    {
      format: {
        format: 'csv',
        columns: { map: new Map(), set: new Map(), key: null },
        source: SOURCE,
        zone: null,
        timeUnit: 'iso',
        timeOriginAtMs: 0,
        missingStart: 'reject',
        missingEnd: 'open',
      },
      partial: false,
      reopen: false,
      batchSize: settings.importBatch,
      actor: 'jobhours demo',
    },
  );
  if (summary.batch === null) {
    throw new JobhoursError(
      'RECORDS_REJECTED',
      `the demo's own records were refused: ${rejects.map(({ code, detail }) => `${code} ${detail}`).join('; ')}`,
    );
  }
  return summary;
}
