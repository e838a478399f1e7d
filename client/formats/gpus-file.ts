/**
 * A file that says how many GPUs each job had (`--gpus-from`), for formats that have no column for them: CSV with the
 * columns job and gpus. Owns reading it; the numbers are checked where they are used.
 */
import { isJobhoursError, JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import { openImportInput } from '../import-input.js';
import { fixedColumns, type FixedColumns } from './csv-header.js';
import { csvRows, type CsvRow } from './csv.js';
import { unpacked } from './gzip.js';

/**
 * Job -> GPUs as the file writes them. FILE_UNREADABLE, ENCODING, DECOMPRESS_LIMIT; FIELD_MISSING without the columns job
 * and gpus (in either order, others beside them), CSV_SYNTAX for a job that stands twice and a row of another width.
 */
export async function gpusFromFile(
  path: string,
  maxDecompressedBytes: number | null,
): Promise<ReadonlyMap<string, string>> {
  const { stream } = await openImportInput(path, process.stdin);
  try {
    return await gpusOfJobs(csvRows(unpacked(stream, maxDecompressedBytes)));
  } catch (error) {
    if (!isJobhoursError(error)) throw error;
    throw new JobhoursError(error.code, `--gpus-from ${path}: ${error.message}`, error.details);
  }
}

async function gpusOfJobs(rows: AsyncIterable<CsvRow>): Promise<ReadonlyMap<string, string>> {
  const gpusOfJob = new Map<string, string>();
  let columns: FixedColumns<'job' | 'gpus'> | null = null;
  for await (const row of rows) {
    if (columns === null) {
      columns = fixedColumns(row.record, ['job', 'gpus']);
      continue;
    }
    const { job, gpus } = columns.cellsOf(row);
    if (gpusOfJob.has(job)) {
      const reason = `row ${row.line}: job ${quotedValue(job)} stands twice`;
      throw new JobhoursError('CSV_SYNTAX', reason);
    }
    gpusOfJob.set(job, gpus);
  }
  if (columns === null) throw new JobhoursError('CSV_SYNTAX', 'it is empty');
  return gpusOfJob;
}
