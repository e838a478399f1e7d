/**
 * The sacct format: lines of 26 fields separated by `|` (what Open XDMoD asks Slurm for). Owns splitting, header
 * lines and encodings; what the fields mean is domain/sacct-record.ts.
 */
import type { JudgedRecord, Outcome, RecordRules } from '../../domain/run-record.js';
import { SACCT_FIELDS, sacctOutcome } from '../../domain/sacct-record.js';
import { SHOWN_RECORD_LENGTH, textLines, type TextLine } from './text-lines.js';

const HEADER = SACCT_FIELDS.join('|');
const NAME_INDEX = SACCT_FIELDS.length - 1;

/** The judged records of a stream; header lines (of files put together, too) and empty lines are none. */
export async function* sacctRecords(
  stream: AsyncIterable<Uint8Array>,
  rules: RecordRules,
): AsyncGenerator<readonly JudgedRecord[]> {
  for await (const lines of textLines(stream)) {
    yield lines.filter(isRecord).map((line) => ({
      line: line.number,
      text: line.text.slice(0, SHOWN_RECORD_LENGTH),
      outcome: outcomeOfLine(line, rules),
    }));
  }
}

function isRecord({ text }: TextLine): boolean {
  if (text === '') return false;
  return !/^jobid\|/i.test(text) || withoutLastBar(text).toLowerCase() !== HEADER;
}

/** `sacct --parsable` ends each line with a bar, `--parsable2` does not. */
function withoutLastBar(text: string): string {
  return text.endsWith('|') ? text.slice(0, -1) : text;
}

function rejected(code: 'RECORD_INVALID' | 'ENCODING', detail: string): Outcome {
  return { kind: 'rejected', code, detail };
}

function outcomeOfLine({ text, invalid, isOverlong }: TextLine, rules: RecordRules): Outcome {
  if (isOverlong) return rejected('RECORD_INVALID', 'the line is longer than 1 MiB');
  const values = fieldsOf(text);
  if (values.length < SACCT_FIELDS.length) {
    const expected = `expected ${SACCT_FIELDS.length} fields separated by |, found ${values.length}`;
    return rejected('RECORD_INVALID', `${expected}; the fields are ${HEADER.replaceAll('|', ',')}`);
  }
  const nameAt = values.slice(0, NAME_INDEX).join('|').length + 1;
  if (invalid !== null && invalid.index < nameAt) {
    return rejected('ENCODING', `the line is not UTF-8 at byte ${invalid.byte}`);
  }
  return sacctOutcome(values, rules);
}

/** Up to 26 fields: quotes are plain characters, and a job name may have bars of its own. */
function fieldsOf(text: string): string[] {
  const values = text.split('|');
  if (values.length <= SACCT_FIELDS.length) return values;
  const name = withoutLastBar(values.slice(NAME_INDEX).join('|'));
  return [...values.slice(0, NAME_INDEX), name];
}
