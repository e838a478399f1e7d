/**
 * One JSON object in one line, read strictly (RFC 8259): doubled names and deep nesting are refused, and numbers keep
 * their text. Owns the grammar; what the members mean is jsonl.ts's.
 */
import { JobhoursError, type ErrorCode } from '../../domain/errors.js';
import { quotedValue } from '../../domain/quoted-value.js';

/** A value of a member: text and numbers as they are written; what is nested is only named. */
export type JsonValue =
  | { readonly kind: 'text' | 'number'; readonly text: string }
  | { readonly kind: 'true' | 'false' | 'null' | 'object' | 'array' };

/** Levels of nesting that are read, the outer object being the first. */
const MAX_DEPTH = 64;

const SPACE = /[ \t\r\n]*/y;
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /(?:true|false|null)(?![\w$])/y;

/**
 * Name -> value of the members, in the line's order. JSON_SYNTAX with line and column, JSON_DUPLICATE_KEY, JSON_DEPTH
 * above 64 levels, TYPE when the line is no object. `line` counts from 1 and is for messages.
 */
export function jsonObjectOf(text: string, line: number): ReadonlyMap<string, JsonValue> {
  return new Scanner(text, line).object();
}

class Scanner {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly line: number,
  ) {}

  object(): ReadonlyMap<string, JsonValue> {
    this.space();
    if (this.text[this.at] !== '{') this.refuseOther();
    const members = this.members(1);
    this.space();
    if (this.at < this.text.length) throw this.unexpected('the end of the line');
    return members;
  }

  private refuseOther(): never {
    const { kind } = this.value(1);
    throw this.refusal('TYPE', `expected one object in each line, found ${article(kind)}`);
  }

  private members(depth: number): ReadonlyMap<string, JsonValue> {
    const members = new Map<string, JsonValue>();
    this.at += 1;
    this.space();
    if (this.take('}')) return members;
    for (;;) {
      const column = this.at + 1;
      const name = this.take(TEXT);
      if (name === null) throw this.unexpected('a name in double quotes');
      this.space();
      if (!this.take(':')) throw this.unexpected('a colon');
      const value = this.value(depth);
      const key = unescaped(name);
      if (members.has(key)) {
        throw this.refusal('JSON_DUPLICATE_KEY', `${quotedValue(key)} stands twice`, column);
      }
      members.set(key, value);
      this.space();
      if (this.take('}')) return members;
      if (!this.take(',')) throw this.unexpected('a comma or }');
      this.space();
    }
  }

  private value(depth: number): JsonValue {
    this.space();
    const first = this.text[this.at];
    if (first === '"') {
      const text = this.take(TEXT);
      if (text === null) throw this.unexpected('a text that ends, with control characters escaped');
      return { kind: 'text', text: unescaped(text) };
    }
    if (first === '{' || first === '[') return this.nested(first, depth + 1);
    const word = this.take(WORD);
    if (word !== null) return { kind: word as 'true' | 'false' | 'null' };
    const number = this.take(NUMBER);
    if (number === null) throw this.unexpected('a value');
    return { kind: 'number', text: number };
  }

  private nested(first: '{' | '[', depth: number): JsonValue {
    if (depth > MAX_DEPTH) {
      throw this.refusal('JSON_DEPTH', `nested deeper than ${MAX_DEPTH} levels`);
    }
    if (first === '{') {
      this.members(depth);
      return { kind: 'object' };
    }
    this.at += 1;
    this.space();
    if (this.take(']')) return { kind: 'array' };
    for (;;) {
      this.value(depth);
      this.space();
      if (this.take(']')) return { kind: 'array' };
      if (!this.take(',')) throw this.unexpected('a comma or ]');
    }
  }

  private space(): void {
    this.take(SPACE);
  }

  /** What stands here, when it is that character or of that form; moves behind it. */
  private take(form: string | RegExp): string | null {
    if (typeof form === 'string') {
      if (this.text[this.at] !== form) return null;
      this.at += 1;
      return form;
    }
    form.lastIndex = this.at;
    const [found] = form.exec(this.text) ?? [];
    if (found === undefined) return null;
    this.at += found.length;
    return found;
  }

  private unexpected(expected: string): JobhoursError {
    const rest = this.text.slice(this.at);
    const [character] = rest;
    const found = character === undefined ? 'the end of the line' : quotedValue(character);
    return this.refusal('JSON_SYNTAX', `expected ${expected}, found ${found}`);
  }

  private refusal(code: ErrorCode, rule: string, column = this.at + 1): JobhoursError {
    return new JobhoursError(code, `line ${this.line}, column ${column}: ${rule}`, {
      line: this.line,
      column,
    });
  }
}

/** The text of a literal that TEXT has accepted. */
function unescaped(literal: string): string {
  return literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1);
}

/** How a kind of value is called in a message. */
export function article(kind: JsonValue['kind']): string {
  if (kind === 'object' || kind === 'array') return `an ${kind}`;
  return kind === 'number' || kind === 'text' ? `a ${kind}` : kind;
}
