/**
 * Usage reports: exact figures for any window, from one snapshot at one instant (DESIGN sections 6 and 11, G6).
 * Good periods come from the ledger, everything else is computed from the runs; both give the same figures.
 * Owns how pieces add up to rows; cutting is domain/report-pieces.ts, SQL is db/usage-store.ts, printing is
 * client/commands/usage.ts.
 */
import { firstRunAtMs, readBooks, type Books } from '../db/books-store.js';
import { readCoverage } from '../db/coverage-store.js';
import type { Database, Session } from '../db/database.js';
import { readLedgerState } from '../db/ledger-store.js';
import type { LedgerDigest } from '../db/report-basis.js';
import {
  readLengthened,
  readUsageKeys,
  sumLedger,
  unknownNames,
  type Amounts,
  type NameFilter,
} from '../db/usage-store.js';
import type { Calendar } from '../domain/calendar.js';
import { coverageText, gapsIn, holesOf, isComplete, type Gap } from '../domain/coverage.js';
import { JobhoursError } from '../domain/errors.js';
import { goodForReaders } from '../domain/ledger.js';
import { GRANULARITIES, type Granularity, type Span } from '../domain/period.js';
import {
  reportRows,
  tileRow,
  type GoodSpans,
  type ReportRow,
  type Step,
} from '../domain/report-pieces.js';
import { instantText, MS_PER_HOUR } from '../domain/units.js';
import { groupsOf, type Dimension, type Group, type Groups } from './usage-groups.js';
import { ledgerDigests } from './usage-ledger.js';
import { Stretches } from './usage-stretches.js';
import { isSomething, NO_USAGE, plus } from './usage-sums.js';

export type { Amounts, NameFilter } from '../db/usage-store.js';

/** Longest window with one row per hour, in hours: 100 years are more (B39). */
const MAX_HOURS = 876_000;
/** Amounts held at once: rows of a chunk times groups. */
const CHUNK_AMOUNTS = 200_000;
const CHUNK_ROWS = 1_000;

export interface UsageRequest {
  /** The window asked for, given the report's instant. */
  readonly windowAt: (nowMs: number) => Span;
  readonly step: Step;
  readonly by: readonly Dimension[];
  readonly filter: NameFilter;
}

/** Whether a row says all that happened: see `stateOf`. */
export type RowState = 'complete' | 'provisional' | 'incomplete';

/** A period of a report, clipped to the window. */
export interface UsagePeriod extends Span {
  readonly label: string;
  readonly state: RowState;
}

/** One row: a period and a combination of the dimensions asked for. */
export interface UsageRow extends UsagePeriod, Group, Amounts {}

export interface UsageReport {
  /** The one now of the report: database clock, ms. */
  readonly asOfMs: number;
  /** The window, cut at `asOfMs`. */
  readonly window: Span;
  readonly books: Books;
  /** Runs that touch the window and count for longer than reported, and by how much altogether. */
  readonly lengthened: { readonly runs: number; readonly lengthenedMs: bigint };
  /** Filters whose name no record ever had. */
  readonly unknown: readonly Dimension[];
  /** What is known of the coverage of sources, in words for headers. */
  readonly coverage: string;
  /** The window begins before the books do, and older runs exist. */
  readonly isBeforeBooks: boolean;
  /** What else keeps the window from being complete. */
  readonly gaps: readonly Gap[];
  /**
   * By period, then by user, space and pool in C order. Without dimensions every period has a row, else only
   * combinations with a run have. To be read once, while `use` runs.
   */
  readonly rows: AsyncIterable<UsageRow>;
  /** Every period of the window in time order, whether or not it has a row. */
  readonly periods: () => Iterable<UsagePeriod>;
  /** The periods of the ledger that figures are taken from, in time order. To be asked while `use` runs. */
  readonly ledgerPeriods: () => Promise<LedgerDigest[]>;
}

/**
 * Runs `use` on a report, inside its snapshot; its session reads what belongs to it. PERIOD_OPEN when the window
 * begins in the future, RANGE_TOO_LARGE above 876,000 hours by hours, and the errors of `windowAt`.
 */
export function withUsageReport<T>(
  database: Database,
  calendar: Calendar,
  request: UsageRequest,
  use: (report: UsageReport, session: Session) => Promise<T>,
): Promise<T> {
  return database.transaction({ isolation: 'repeatable read', readOnly: true }, async (session) => {
    const ledger = await readLedgerState(session);
    const asOfMs = ledger.nowMs;
    const window = cutWindow(request.windowAt(asOfMs), request.step, asOfMs);
    const books = await readBooks(session);
    if (books === null) throw new JobhoursError('NOT_FOUND', 'this database has no books');
    const groups = groupsOf(await readUsageKeys(session, request.filter), request.by);
    const coverage = await readCoverage(session);
    const report = {
      asOfMs,
      window,
      books,
      lengthened: await readLengthenedRuns(session, window, books, request.filter, groups),
      unknown: await unknownNames(session, request.filter),
      coverage: coverageText(coverage, window, calendar),
      gaps: gapsIn(coverage, window),
      firstRunAtMs: await firstRunAtMs(session),
    };
    const good = goodForReaders(ledger, calendar);
    const isBefore = isBeforeBooks(report, window);
    const reading = {
      ...report,
      session,
      calendar,
      request,
      groups,
      good,
      holes: holesOf(coverage),
    };
    const periods = (): Iterable<UsagePeriod> => periodsOf(reading);
    const ledgerPeriods = (): Promise<LedgerDigest[]> =>
      ledgerDigests(session, { step: request.step, window, good, calendar, asOfMs });
    const answer = { ...report, isBeforeBooks: isBefore, periods, ledgerPeriods };
    return use({ ...answer, rows: rowsOf(reading) }, session);
  });
}

/** Checks the window and cuts it at now. */
function cutWindow(window: Span, step: Step, nowMs: number): Span {
  const hours = Math.ceil((window.endAtMs - window.startAtMs) / MS_PER_HOUR);
  if (step === 'hour' && hours > MAX_HOURS) {
    throw new JobhoursError(
      'RANGE_TOO_LARGE',
      `the window has ${hours} hours, the limit for --step hour is ${MAX_HOURS}: take a coarser --step`,
      { hours, limit: MAX_HOURS },
    );
  }
  if (window.startAtMs >= nowMs) {
    throw new JobhoursError(
      'PERIOD_OPEN',
      `the window begins at ${instantText(window.startAtMs)}, which is not before now (${instantText(nowMs)})`,
      { startAtMs: window.startAtMs, nowMs },
    );
  }
  return { startAtMs: window.startAtMs, endAtMs: Math.min(window.endAtMs, nowMs) };
}

async function readLengthenedRuns(
  session: Session,
  window: Span,
  { minimumRunMs }: Books,
  filter: NameFilter,
  { usageKeys }: Groups,
): Promise<{ runs: number; lengthenedMs: bigint }> {
  if (minimumRunMs === 0) return { runs: 0, lengthenedMs: 0n };
  const isFiltered = Object.values(filter).some((name) => name !== null);
  return readLengthened(session, window, minimumRunMs, isFiltered ? usageKeys : null);
}

interface Reading {
  readonly session: Session;
  readonly calendar: Calendar;
  readonly request: UsageRequest;
  readonly asOfMs: number;
  readonly window: Span;
  readonly books: Books;
  readonly firstRunAtMs: number | null;
  readonly groups: Groups;
  readonly good: GoodSpans;
  /** Where nothing is complete. */
  readonly holes: readonly Span[];
}

function* periodsOf(reading: Reading): Generator<UsagePeriod> {
  const { request, window, calendar, asOfMs } = reading;
  for (const row of reportRows(request.step, window, calendar, asOfMs)) {
    const { startAtMs, endAtMs, label } = row;
    yield { startAtMs, endAtMs, label, state: stateOf(reading, row) };
  }
}

/** Amounts of one row by the number of the group. */
type Tally = Map<number, Amounts>;

async function* rowsOf(reading: Reading): AsyncGenerator<UsageRow> {
  const { request, window, calendar, asOfMs, groups } = reading;
  const limit = Math.floor(CHUNK_AMOUNTS / Math.max(1, groups.groups.length));
  const chunkRows = Math.min(CHUNK_ROWS, Math.max(1, limit));
  const stretches = new Stretches(reading.session, groups);
  let chunk: ReportRow[] = [];
  for (const row of reportRows(request.step, window, calendar, asOfMs)) {
    chunk.push(row);
    if (chunk.length < chunkRows) continue;
    yield* chunkOf(reading, chunk, stretches);
    chunk = [];
  }
  yield* chunkOf(reading, chunk, stretches);
}

/** Whole periods of the ledger that belong to one row of a chunk. */
interface LedgerRange extends Span {
  readonly rowNumber: number;
}

async function* chunkOf(
  reading: Reading,
  rows: readonly ReportRow[],
  stretches: Stretches,
): AsyncGenerator<UsageRow> {
  const { request, calendar, groups, good } = reading;
  const tallies = rows.map((): Tally => new Map());
  const ranges: Record<Granularity, LedgerRange[]> = { hour: [], day: [], week: [], month: [] };
  for (const [rowNumber, row] of rows.entries()) {
    for (const piece of tileRow(row, request.step, good, calendar)) {
      if (piece.kind === 'ledger') ranges[piece.granularity].push({ ...piece, rowNumber });
      else {
        for (const { groupNumber, amounts } of await stretches.amountsOf(piece)) {
          add(tallies[rowNumber], groupNumber, amounts, piece.startAtMs === row.startAtMs);
        }
      }
    }
  }
  for (const granularity of GRANULARITIES) {
    const own = ranges[granularity];
    if (own.length === 0) continue;
    const sums = await sumLedger(reading.session, granularity, own, groups);
    for (const { span, groupNumber, amounts } of sums) {
      const { rowNumber, startAtMs } = span;
      add(tallies[rowNumber], groupNumber, amounts, startAtMs === rows[rowNumber]?.startAtMs);
    }
  }
  for (const [rowNumber, row] of rows.entries()) {
    yield* printedRows(reading, row, tallies[rowNumber] ?? new Map<number, Amounts>());
  }
}

function add(
  tally: Tally | undefined,
  groupNumber: number,
  amounts: Amounts,
  isFirstPiece: boolean,
): void {
  tally?.set(groupNumber, plus(tally.get(groupNumber) ?? NO_USAGE, amounts, isFirstPiece));
}

function* printedRows(reading: Reading, row: ReportRow, tally: Tally): Generator<UsageRow> {
  const { groups, request } = reading;
  const { startAtMs, endAtMs, label } = row;
  const state = stateOf(reading, row);
  const numbers = request.by.length === 0 ? [0] : [...tally.keys()].sort((a, b) => a - b);
  for (const number of numbers) {
    const group = groups.groups[number];
    const amounts = tally.get(number) ?? NO_USAGE;
    if (group === undefined || (request.by.length > 0 && !isSomething(amounts))) continue;
    yield { startAtMs, endAtMs, label, state, ...group, ...amounts };
  }
}

/** True when older runs exist than the books expect: the origin cuts them off, or there is none. */
function isBeforeBooks(
  { books: { originAtMs }, firstRunAtMs: firstMs }: Pick<Reading, 'books' | 'firstRunAtMs'>,
  { startAtMs }: Span,
): boolean {
  if (firstMs === null) return false;
  return originAtMs === null || (firstMs < originAtMs && startAtMs < originAtMs);
}

/**
 * Incomplete: the row begins before the origin while older runs exist, or runs exist and the books have not begun, or a
 * declared source does not cover it, or an open reject or the rest of an unfinished import may lie in it. Provisional: not over yet. Incomplete wins.
 */
function stateOf(reading: Reading, row: ReportRow): RowState {
  if (isBeforeBooks(reading, row) || !isComplete(reading.holes, row)) return 'incomplete';
  return row.isOpen ? 'provisional' : 'complete';
}
