/**
 * The sacct format: lines of fields separated by `|`, without a header the 26 that Open XDMoD asks Slurm for, else
 * those that the header names, in its order. Owns splitting, header lines and encodings; what the fields mean is
 * domain/sacct-record.ts.
 */
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import {
  sacctColumns,
  sacctOutcome,
  USUAL_COLUMNS,
  type SacctColumns,
  type SacctRules,
} from '../../domain/sacct-record.js';
import { judgedRecord, textLines, unreadableLine, type TextLine } from './text-lines.js';

/** The field that may contain bars, when it is the last one. */
const FREE_TEXT = 'jobname';

/**
 * The judged records of a stream; header lines (of files put together, too) and empty lines are none. Each header
 * holds for the lines below it; FIELD_MISSING and RECORD_INVALID of a header end the whole input.
 */
export async function* sacctRecords(
  stream: AsyncIterable<Uint8Array>,
  rules: SacctRules,
): AsyncGenerator<readonly JudgedRecord[]> {
  let columns = USUAL_COLUMNS;
  for await (const lines of textLines(stream)) {
    const records: JudgedRecord[] = [];
    for (const line of lines) {
      if (line.text === '') continue;
      const header = headerOf(line.text);
      if (header !== null) columns = sacctColumns(header, rules.source);
      else records.push(judgedRecord(line.number, line.text, outcomeOfLine(line, columns, rules)));
    }
    yield records;
  }
}

/** Names of fields in lower case when the line is a header: nothing but words, one of them a job id's name. */
function headerOf(text: string): readonly string[] | null {
  if (!/^[A-Za-z_]+(?:\|[A-Za-z_]+)*\|?$/.test(text)) return null;
  const names = withoutLastBar(text).toLowerCase().split('|');
  return names.includes('jobid') || names.includes('jobidraw') ? names : null;
}

/** `sacct --parsable` ends each line with a bar, `--parsable2` does not. */
function withoutLastBar(text: string): string {
  return text.endsWith('|') ? text.slice(0, -1) : text;
}

function outcomeOfLine(line: TextLine, columns: SacctColumns, rules: SacctRules): Outcome {
  const { names } = columns;
  const values = fieldsOf(line.text, names);
  const unreadable = unreadableLine(line, freeTextAt(values, names));
  if (unreadable !== null) return unreadable;
  if (values.length !== names.length) {
    const detail = `expected ${names.length} fields separated by |, found ${values.length}; the fields are ${names.join(',')}`;
    return { kind: 'rejected', code: 'RECORD_INVALID', detail };
  }
  return sacctOutcome(values, columns, rules);
}

/** Quotes are plain characters. A job name at the end may have bars of its own; elsewhere they make a field too many. */
function fieldsOf(text: string, names: readonly string[]): string[] {
  const values = text.split('|');
  if (values.length <= names.length) return values;
  const last = names.length - 1;
  if (names[last] !== FREE_TEXT) return withoutLastBar(text).split('|');
  return [...values.slice(0, last), withoutLastBar(values.slice(last).join('|'))];
}

/** Where the job name begins in the line, when it is the last field: its bytes need not be UTF-8. */
function freeTextAt(values: readonly string[], names: readonly string[]): number {
  const last = names.length - 1;
  return names[last] === FREE_TEXT
    ? values.slice(0, last).join('|').length + 1
    : Number.POSITIVE_INFINITY;
}
