/**
 * The data file of a filed answer: whether it is what was filed, and its rows again. Owns reading csv, json and jsonl
 * as this program writes them; the manifest is client/usage-manifest.ts.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { Amounts } from '../db/usage-store.js';
import { JobhoursError } from '../domain/errors.js';
import { withoutGuard, type Cell } from './csv-text.js';
import { csvRows } from './formats/csv.js';
import { textLines } from './formats/text-lines.js';
import type { Group } from './usage-groups.js';
import { unreadable, type DataFormat, type Manifest } from './usage-manifest.js';
import { amountsOfColumns, USAGE_COLUMNS, type UsageRecord } from './usage-record.js';

/**
 * CHECK_FAILED when the file does not have the length and sha256 of the manifest; FILE_UNREADABLE, with `advice` when there
 * is none.
 */
export async function checkData(
  path: string,
  { data }: Pick<Manifest, 'data'>,
  advice = '',
): Promise<void> {
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    }
  } catch (error) {
    throw unreadable(path, error, advice);
  }
  const sha256 = hash.digest('hex');
  if (sha256 === data.sha256 && bytes === data.bytes) return;
  throw new JobhoursError(
    'CHECK_FAILED',
    `${path} is not what was filed: it has ${bytes} bytes and sha256 ${sha256}, filed were ${data.bytes} bytes and ${data.sha256}`,
    { file: path, bytes, sha256, filed: data },
  );
}

/** A row of a data file. */
export interface FiledRow {
  /** Start of its period, as it stands there. */
  readonly start: string;
  /** See `groupKey`. */
  readonly key: string;
  readonly group: Group;
  readonly amounts: Amounts;
}

/** Equal for equal groups. */
export function groupKey(group: Group): string {
  return JSON.stringify([group.user, group.space, group.pool]);
}

/** The rows of a data file that `checkData` let pass, in its order. A table has none: its figures are rounded. */
export async function* filedRows(path: string, format: DataFormat): AsyncGenerator<FiledRow> {
  if (format === 'table') return;
  const records = format === 'csv' ? csvRecordsOf(path) : jsonRecordsOf(path);
  for await (const record of records) {
    const group = {
      user: nameOf(record.user),
      space: nameOf(record.space),
      pool: nameOf(record.pool),
    };
    yield {
      start: String(record.period_start),
      key: groupKey(group),
      group,
      amounts: amountsOfColumns(record as Parameters<typeof amountsOfColumns>[0]),
    };
  }
}

/** No name is empty: an empty cell is a dimension that was not asked for. */
function nameOf(cell: Cell): string | null {
  return cell === null || cell === '' ? null : String(cell);
}

async function* csvRecordsOf(path: string): AsyncGenerator<UsageRecord> {
  let isHeader = true;
  for await (const { record } of csvRows(createReadStream(path))) {
    if (!isHeader) {
      yield Object.fromEntries(
        USAGE_COLUMNS.map((column, index) => [column, withoutGuard(record[index] ?? '')]),
      ) as UsageRecord;
    }
    isHeader = false;
  }
}

/** json has an object on each line too, behind `[` or `,`. */
async function* jsonRecordsOf(path: string): AsyncGenerator<UsageRecord> {
  for await (const lines of textLines(createReadStream(path))) {
    for (const { text: line } of lines) {
      const text = line.replace(/^[[,]/, '');
      if (text.startsWith('{')) yield JSON.parse(text) as UsageRecord;
    }
  }
}
