/**
 * The jsonl format: one flat JSON object in each line, UTF-8, with the fields of csv as names. Owns types of members and
 * `--map`, `--set`, `--key` against names; the grammar is json-line.ts, what the fields mean domain/feed-record.ts.
 */
import { JobhoursError } from '../../domain/errors.js';
import {
  FEED_FIELDS,
  feedOutcome,
  type FeedField,
  type FeedRecord,
  type FeedRules,
} from '../../domain/feed-record.js';
import { didYouMean, nearestWord } from '../../domain/nearest-word.js';
import { quotedValue } from '../../domain/quoted-value.js';
import type { JudgedRecord, Outcome } from '../../domain/run-record.js';
import { checkColumnOptions, type ColumnOptions } from './csv-columns.js';
import type { OnColumns } from './csv.js';
import { article, jsonObjectOf, type JsonValue } from './json-line.js';
import { judgedRecord, textLines, unreadableLine, type TextLine } from './text-lines.js';

type Members = ReadonlyMap<string, JsonValue>;

/** A record may leave these out, but not every record: then their names are probably wrong. */
const SEEN_SOMEWHERE = ['start', 'end'] as const;
/** Fields without which a record is rejected. */
const REQUIRED: readonly FeedField[] = ['user', 'job_id', 'gpus'];
/** Fields whose numbers are amounts; those of all others are names. */
const AMOUNTS: ReadonlySet<string> = new Set(['gpus', 'attempt', 'submit', 'start', 'end']);
/** Names of other members that are told, and how much of each. */
const MAX_TOLD_NAMES = 100;
const MAX_TOLD_CHARACTERS = 100;

/**
 * The judged records of a stream; empty lines are none. A line that is no well-formed flat object is a rejected record:
 * JSON_SYNTAX, JSON_DUPLICATE_KEY, JSON_DEPTH, TYPE, ID_PRECISION, ENCODING. FIELD_MISSING at the end, for the whole
 * input, when no record has a member for start, or none for end. Errors of checkColumnOptions.
 */
export async function* jsonlRecords(
  stream: AsyncIterable<Uint8Array>,
  options: ColumnOptions,
  rules: FeedRules,
  onColumns: OnColumns,
): AsyncGenerator<readonly JudgedRecord[]> {
  checkColumnOptions(options);
  const reader = new LineReader(options, rules, onColumns);
  for await (const lines of textLines(stream)) {
    yield lines
      .filter(({ text }) => text.trim() !== '')
      .map((line) => judgedRecord(line.number, line.text, reader.outcomeOf(line)));
  }
  reader.refuseUnseenFields();
}

class LineReader {
  /** Field -> name of its member. */
  private readonly names: ReadonlyMap<FeedField, string>;
  private readonly memberNames: ReadonlySet<string>;
  private readonly unseen: Set<FeedField>;
  private readonly kept = new Set<string>();
  private objects = 0;

  constructor(
    private readonly options: ColumnOptions,
    private readonly rules: FeedRules,
    private readonly onColumns: OnColumns,
  ) {
    const { set, map } = options;
    const read = FEED_FIELDS.filter((field) => !set.has(field));
    this.names = new Map(read.map((field) => [field, map.get(field) ?? field]));
    this.memberNames = new Set(this.names.values());
    this.unseen = new Set(SEEN_SOMEWHERE.filter((field) => this.names.has(field)));
  }

  outcomeOf(line: TextLine): Outcome {
    const record = (): FeedRecord => this.recordOf(jsonObjectOf(line.text, line.number));
    return unreadableLine(line) ?? feedOutcome(record, this.rules);
  }

  refuseUnseenFields(): void {
    const [field] = this.unseen;
    if (this.objects === 0 || field === undefined) return;
    const names = [...this.kept];
    throw new JobhoursError(
      'FIELD_MISSING',
      `no record has a field ${this.names.get(field) ?? field}: say --map ${field}=NAME, or give it, null where there is none${didYouMean(field, names)}`,
      { missing: [...this.unseen] },
    );
  }

  private recordOf(members: Members): FeedRecord {
    this.objects += 1;
    for (const field of this.unseen) {
      if (members.has(this.names.get(field) ?? field)) this.unseen.delete(field);
    }
    const facts = this.factsOf(members);
    this.requireFields(members);
    return {
      field: (field) => this.fieldOf(members, field),
      keyParts:
        this.options.key?.map((name) => [name, this.keyPartOf(members, name)] as const) ?? null,
      facts,
    };
  }

  private fieldOf(members: Members, field: FeedField): string {
    const constant = this.options.set.get(field);
    if (constant !== undefined) return constant;
    const name = this.names.get(field) ?? field;
    return scalarText(members.get(name), name, AMOUNTS.has(field));
  }

  private keyPartOf(members: Members, name: string): string {
    const field = FEED_FIELDS.find((one) => one === name);
    return field === undefined
      ? scalarText(members.get(name), name, false)
      : this.fieldOf(members, field);
  }

  private requireFields(members: Members): void {
    const { key, set } = this.options;
    for (const field of REQUIRED) {
      const name = this.names.get(field) ?? field;
      if (set.has(field) || members.has(name) || (field === 'job_id' && key !== null)) continue;
      const others = [...members.keys()].filter((other) => !this.memberNames.has(other));
      const meant = nearestWord(name, others);
      if (meant === null) {
        throw new JobhoursError('FIELD_MISSING', `${name} is absent; a value is required`);
      }
      throw new JobhoursError(
        'FIELD_UNKNOWN',
        `field ${quotedValue(meant)} is unknown and ${name} is absent: did you mean ${name}?`,
      );
    }
  }

  private factsOf(members: Members): Record<string, string> {
    const facts: [string, string][] = [];
    for (const [name, value] of members) {
      if (this.memberNames.has(name)) continue;
      const text = factText(value, name);
      if (text !== '') facts.push([wellFormed(name), wellFormed(text)]);
      this.tell(name);
    }
    return Object.fromEntries(facts);
  }

  private tell(name: string): void {
    const shown = name.slice(0, MAX_TOLD_CHARACTERS);
    if (this.kept.has(shown) || this.kept.size === MAX_TOLD_NAMES) return;
    this.kept.add(shown);
    this.onColumns([...this.kept]);
  }
}

/** Text of a member that is a field; null and an absent one are empty. */
function scalarText(value: JsonValue | undefined, name: string, isAmount: boolean): string {
  if (value === undefined || value.kind === 'null') return '';
  if (value.kind === 'text') return value.text.trim();
  const expected = isAmount ? 'a number or text' : 'text or a whole number';
  if (value.kind !== 'number') throw typeError(name, expected, article(value.kind));
  if (isAmount) return value.text;
  if (!/^-?\d+$/.test(value.text)) throw typeError(name, expected, value.text);
  if (Number.isSafeInteger(Number(value.text))) return value.text;
  throw new JobhoursError(
    'ID_PRECISION',
    `${name} ${value.text.slice(0, 60)}: a number above 2^53 may have been rounded on its way; send it as text`,
  );
}

function factText(value: JsonValue, name: string): string {
  if (value.kind === 'object' || value.kind === 'array') {
    throw typeError(name, 'text, a number, true, false or null', article(value.kind));
  }
  if (value.kind === 'text' || value.kind === 'number') return value.text;
  return value.kind === 'null' ? '' : value.kind;
}

function typeError(name: string, expected: string, found: string): JobhoursError {
  return new JobhoursError('TYPE', `${quotedValue(name)}: expected ${expected}, found ${found}`);
}

/** PostgreSQL has no half of a surrogate pair in text. */
function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd');
}
