/**
 * The manifest of a filed answer: what was asked, as of when, what the answer says and what it rests on, so that it
 * can be asked again years later (DESIGN G6). Owns its shape, its text and its own digest; writing is
 * client/usage-filing.ts, asking again client/usage-verify.ts.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Amounts } from '../db/usage-store.js';
import type { Books } from '../db/books-store.js';
import { JobhoursError } from '../domain/errors.js';
import type { Step } from '../domain/report-pieces.js';
import { instantText } from '../domain/units.js';
import type { FileFacts } from './usage-filing.js';
import type { Dimension } from './usage-groups.js';
import type { PeriodFigures } from './usage-periods.js';
import { amountColumns, type AmountColumns } from './usage-record.js';
import type { NameFilter, RowState, UsageReport } from './usage-report.js';
import { NO_USAGE, plus } from './usage-sums.js';

const MANIFEST = 'jobhours usage, version 1';

/** Periods of one manifest at most: more than eleven years of hours. */
const MAX_PERIODS = 100_000;

export type DataFormat = 'table' | 'json' | 'jsonl' | 'csv';

/** One period of the answer. Instants are ISO 8601 UTC with ms; `sha256` is of its rows (client/usage-periods.ts). */
export interface FiledPeriod extends AmountColumns {
  readonly label: string;
  readonly start: string;
  readonly end: string;
  readonly state: RowState;
  readonly rows: number;
  readonly sha256: string;
}

/** The books whose answer it is: fixed for ever when they were opened. */
interface FiledBooks {
  readonly name: string;
  readonly zone: string;
  readonly minimum_run_ms: number;
  readonly opened_at: string;
  readonly is_demo: boolean;
}

export interface Manifest {
  readonly manifest: typeof MANIFEST;
  readonly program_version: string;
  readonly command: readonly string[];
  readonly books: FiledBooks;
  readonly as_of: string;
  /** As it was asked for, and `[start, end)` as it was resolved and cut at `as_of`. */
  readonly window: {
    readonly asked: Readonly<Record<string, string>>;
    readonly start: string;
    readonly end: string;
  };
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly filters: NameFilter;
  readonly coverage: string;
  readonly unfinished_imports: readonly { readonly batch: string; readonly input: string }[];
  /** Runs that the minimum lengthened, and by how much altogether. */
  readonly lengthened: { readonly runs: number; readonly lengthened_ms: string };
  readonly data: FileFacts & { readonly format: DataFormat };
  readonly rows: number;
  /** Periods by state. */
  readonly states: Readonly<Record<RowState, number>>;
  readonly totals: AmountColumns;
  readonly periods: readonly FiledPeriod[];
  /** The ledger's periods that figures were taken from; what is not in them was computed from the runs. */
  readonly ledger: readonly Readonly<
    Record<'granularity' | 'label' | 'start' | 'end' | 'sha256', string>
  >[];
}

/** What a report does not know of itself. */
export interface Asking {
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly filters: NameFilter;
  /** The window as it was asked for: flag -> text. */
  readonly window: Readonly<Record<string, string>>;
  readonly format: DataFormat;
  readonly command: readonly string[];
  readonly programVersion: string;
}

/** RANGE_TOO_LARGE when an answer has more than 100,000 periods. */
export function checkPeriodCount({ periods }: UsageReport): void {
  let count = 0;
  for (const _ of periods()) {
    count += 1;
    if (count <= MAX_PERIODS) continue;
    throw new JobhoursError(
      'RANGE_TOO_LARGE',
      `an answer of more than ${MAX_PERIODS} periods cannot be filed: take a coarser --step or a shorter window`,
      { limit: MAX_PERIODS },
    );
  }
}

/** Gathers the periods of an answer while it is printed. */
export class FiledPeriods {
  readonly #periods: FiledPeriod[] = [];
  #totals: Amounts = NO_USAGE;
  #rows = 0;

  /** Periods are added in time order. */
  add(figures: PeriodFigures): void {
    this.#totals = plus(this.#totals, figures.sums, this.#periods.length === 0);
    this.#rows += figures.rowCount;
    this.#periods.push(filedPeriod(figures));
  }

  /** The manifest without the facts of the data file. */
  async manifest(report: UsageReport, asking: Asking): Promise<Omit<Manifest, 'data'>> {
    const { window, lengthened } = report;
    const states = { complete: 0, provisional: 0, incomplete: 0 };
    for (const { state } of this.#periods) states[state] += 1;
    return {
      manifest: MANIFEST,
      program_version: asking.programVersion,
      command: asking.command,
      books: filedBooks(report.books),
      as_of: instantText(report.asOfMs),
      window: {
        asked: asking.window,
        start: instantText(window.startAtMs),
        end: instantText(window.endAtMs),
      },
      step: asking.step,
      by: asking.by,
      filters: asking.filters,
      coverage: report.coverage,
      unfinished_imports: report.gaps.flatMap((gap) =>
        gap.kind === 'unfinished' ? [{ batch: gap.batch, input: gap.input }] : [],
      ),
      lengthened: { runs: lengthened.runs, lengthened_ms: String(lengthened.lengthenedMs) },
      rows: this.#rows,
      states,
      totals: amountColumns(this.#totals),
      periods: this.#periods,
      ledger: (await report.ledgerPeriods()).map((period) => ({
        granularity: period.granularity,
        label: period.label,
        start: instantText(period.startAtMs),
        end: instantText(period.endAtMs),
        sha256: period.digest,
      })),
    };
  }
}

function filedPeriod(figures: PeriodFigures): FiledPeriod {
  const { label, startAtMs, endAtMs, state, rowCount, sums, digest } = figures;
  const [start, end] = [instantText(startAtMs), instantText(endAtMs)];
  return { label, start, end, state, rows: rowCount, ...amountColumns(sums), sha256: digest };
}

function filedBooks({ name, zone, minimumRunMs, openedAtMs, isDemo }: Books): FiledBooks {
  const openedAt = instantText(openedAtMs);
  return { name, zone, minimum_run_ms: minimumRunMs, opened_at: openedAt, is_demo: isDemo };
}

/**
 * The text of a manifest: JSON with a line for each member, period and ledger period. Its last member is the sha256
 * of the JSON text of all others, so that an edited manifest is noticed.
 */
export function manifestText(
  head: Omit<Manifest, 'data'>,
  data: FileFacts,
  format: DataFormat,
): string {
  const { periods, ledger, ...rest } = head;
  const manifest: Manifest = { ...rest, data: { ...data, format }, periods, ledger };
  const members = Object.entries({ ...manifest, sha256: digestOf(manifest) });
  const lines = members.map(([name, value]) => `  ${JSON.stringify(name)}: ${memberText(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

function memberText(value: unknown): string {
  if (!Array.isArray(value) || typeof value[0] !== 'object') return JSON.stringify(value);
  return `[\n${value.map((one) => `    ${JSON.stringify(one)}`).join(',\n')}\n  ]`;
}

function digestOf(manifest: object): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
}

/**
 * Reads a manifest. FILE_UNREADABLE; MANIFEST_INVALID when it is none, or one of another version; CHECK_FAILED when it
 * was changed since it was written.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const read = parsed(await textOf(path));
  if (read === null || read['manifest'] !== MANIFEST) {
    const found =
      read?.['manifest'] === undefined ? '' : ` (it is ${JSON.stringify(read['manifest'])})`;
    throw new JobhoursError(
      'MANIFEST_INVALID',
      `${path} is not a manifest of ${JSON.stringify(MANIFEST)}${found}: give the file that 'jobhours usage --out' wrote beside the data`,
      { file: path },
    );
  }
  const { sha256, ...manifest } = read;
  if (sha256 !== digestOf(manifest)) {
    throw new JobhoursError(
      'CHECK_FAILED',
      `${path} was changed since it was written: its own sha256 does not fit`,
      { file: path },
    );
  }
  // What it holds was written by this program, or its digest would not fit.
  return manifest as unknown as Manifest;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
  }
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The error of a file that cannot be read. `advice`: what to do about it. */
export function unreadable(path: string, error: unknown, advice = ''): JobhoursError {
  const { message: reason = String(error) } = error as { readonly message?: string };
  return new JobhoursError(
    'FILE_UNREADABLE',
    `${path}: ${reason}${advice === '' ? '' : `; ${advice}`}`,
    { file: path },
    { cause: error },
  );
}

/** BOOKS_MISMATCH, naming each difference, when a manifest is not of these books. */
export function refuseOtherBooks({ books: filed }: Manifest, books: Books): void {
  const own = filedBooks(books);
  const differing = (Object.keys(own) as (keyof FiledBooks)[]).filter(
    (field) => own[field] !== filed[field],
  );
  if (differing.length === 0) return;
  const texts = differing.map((field) => `${field} is ${own[field]}, filed ${filed[field]}`);
  throw new JobhoursError(
    'BOOKS_MISMATCH',
    `the manifest is of other books than this database holds: ${texts.join('; ')}`,
    { filed, found: own },
  );
}
