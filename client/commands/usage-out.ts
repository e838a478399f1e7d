/** `jobhours usage --out`: an answer as a file, with its manifest. Arguments and what is said of it only. */
import { extname } from 'node:path';
import { JobhoursError } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';
import type { Step } from '../../domain/report-pieces.js';
import { shellWord } from '../doctor-check.js';
import { Filing, manifestPath } from '../usage-filing.js';
import type { Dimension } from '../usage-groups.js';
import { checkPeriodCount, FiledPeriods, manifestText } from '../usage-manifest.js';
import { figuresOf, rowsByPeriod } from '../usage-periods.js';
import type { NameFilter, UsageReport, UsageRow } from '../usage-report.js';
import type { CommandContext } from './context.js';
import type { Format } from './output.js';
import type { WindowOptions } from './report-window.js';
import { countedText, productVersion } from './screen.js';

export interface OutOptions {
  readonly out?: string;
  readonly force?: true;
  readonly output: Format;
}

/** A file that was begun. */
export interface Filed {
  readonly file: Filing;
  readonly path: string;
  readonly format: Format;
}

const FORMAT_OF_ENDING: ReadonlyMap<string, Format> = new Map([
  ['.csv', 'csv'],
  ['.json', 'json'],
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.txt', 'table'],
]);

/**
 * The file that `--out` names, begun, or null without it. Its format is that of `-o` when that was said, else that of
 * the name's ending. USAGE when neither says it; EXISTS, FILE_UNWRITABLE.
 */
export function filingOf({ out, force, output }: OutOptions, isOutputSaid: boolean): Filed | null {
  if (out === undefined) {
    if (force === true) throw new JobhoursError('USAGE', '--force needs --out');
    return null;
  }
  if (out === '' || out === '-') {
    throw new JobhoursError(
      'USAGE',
      `--out ${quotedValue(out)} is no file: a manifest stands beside it; without --out data go to standard output`,
    );
  }
  const format = isOutputSaid ? output : FORMAT_OF_ENDING.get(extname(out).toLowerCase());
  if (format === undefined) {
    const endings = [...FORMAT_OF_ENDING.keys()].join(', ');
    throw new JobhoursError(
      'USAGE',
      `--out ${quotedValue(out)} does not say a format: give -o, or a name that ends in ${endings}`,
    );
  }
  return { file: new Filing(out, force === true), path: out, format };
}

interface Asked extends WindowOptions {
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly filter: NameFilter;
}

/** Writes the answer with `print` and the manifest, and says so. */
export async function fileAnswer(
  context: CommandContext,
  { file, path, format }: Filed,
  report: UsageReport,
  { step, by, filter, start, end, window }: Asked,
  print: (write: (text: string) => void, report: UsageReport) => Promise<void>,
): Promise<void> {
  checkPeriodCount(report);
  const periods = new FiledPeriods();
  const rows = gathered(report, periods);
  await print((text) => file.write(`${text}\n`), { ...report, rows });
  const head = await periods.manifest(report, {
    ...{ step, by, filters: filter, format },
    window: askedWindow({ start, end, window }),
    command: ['jobhours', ...process.argv.slice(2)],
    programVersion: productVersion(),
  });
  const { bytes, sha256 } = file.finish((facts) => manifestText(head, facts, format));
  context.note(
    `filed ${countedText(head.rows, 'row')} in ${path}: ${countedText(bytes, 'byte')}, sha256 ${sha256}`,
  );
  context.note(`Next: jobhours usage verify ${shellWord(manifestPath(path))}`);
}

/** The rows as they come, while their periods are gathered; all of them must be read. */
async function* gathered(report: UsageReport, periods: FiledPeriods): AsyncGenerator<UsageRow> {
  for await (const period of rowsByPeriod(report.periods(), report.rows)) {
    periods.add(figuresOf(period));
    yield* period.rows;
  }
}

function askedWindow(
  options: Record<keyof WindowOptions, string | undefined>,
): Record<string, string> {
  const said = Object.entries(options).flatMap(([name, text]) =>
    text === undefined ? [] : [[name, text] as const],
  );
  return said.length === 0 ? { window: 'month' } : Object.fromEntries(said);
}
