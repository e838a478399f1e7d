/**
 * Asks a filed answer again: the same question over the same resolved window, now (G6). Owns the comparison, period by
 * period and group by group; reading files is client/usage-manifest.ts and client/usage-filed-data.ts.
 */
import type { Database } from '../db/database.js';
import type { Amounts } from '../db/usage-store.js';
import type { Calendar } from '../domain/calendar.js';
import { JobhoursError } from '../domain/errors.js';
import { parseInstant } from '../domain/instant-text.js';
import { instantText } from '../domain/units.js';
import { filedRows, groupKey, type FiledRow } from './usage-filed-data.js';
import type { Group } from './usage-groups.js';
import { refuseOtherBooks, type FiledPeriod, type Manifest } from './usage-manifest.js';
import { figuresOf, rowsByPeriod, type RowsOfPeriod } from './usage-periods.js';
import { amountsOfColumns } from './usage-record.js';
import { withUsageReport, type RowState, type UsageReport } from './usage-report.js';
import { isSomething, minus, NO_USAGE, plus } from './usage-sums.js';

/** Groups of a period that are named; what the others changed is summed. */
const NAMED_GROUPS = 20;

/** Amounts as they were filed, and as they are now. */
export interface Change {
  readonly filed: Amounts;
  readonly now: Amounts;
}

/** A group whose amounts changed. */
export interface GroupChange extends Change {
  readonly group: Group;
}

/** A period whose rows are not what they were. Its sums may be equal while groups changed. */
export interface PeriodChange extends Change {
  readonly label: string;
  /** ISO 8601 UTC with ms; end exclusive. */
  readonly start: string;
  readonly end: string;
  /** Null when the answer did not have such a period, or has it no more. */
  readonly stateFiled: RowState | null;
  readonly stateNow: RowState | null;
  /** Those that changed most by GPU time, then by run time: 20 at most. Empty without dimensions, and for a table. */
  readonly groups: readonly GroupChange[];
  /** The other groups that changed, as one; null when all are named. */
  readonly others: (Change & { readonly count: number }) | null;
}

export interface Verification {
  /** The database's clock when it was asked again. */
  readonly asOfMs: number;
  /** In time order; none when the answer is the same. To be read once, while `use` runs. */
  readonly changes: AsyncIterable<PeriodChange>;
}

/**
 * Runs `use` on the comparison, inside its snapshot. BOOKS_MISMATCH when the manifest is of other books, PERIOD_OPEN
 * when its window is not over by the database's clock. `dataPath`: the data file that `checkData` let pass.
 */
export function withVerification<T>(
  database: Database,
  calendar: Calendar,
  manifest: Manifest,
  dataPath: string,
  use: (verification: Verification) => Promise<T>,
): Promise<T> {
  const { step, by, filters: filter } = manifest;
  const window = {
    startAtMs: parseInstant(manifest.window.start, { field: 'window.start' }),
    endAtMs: parseInstant(manifest.window.end, { field: 'window.end' }),
  };
  const request = { windowAt: () => window, step, by, filter };
  return withUsageReport(database, calendar, request, (report) => {
    refuseOtherBooks(manifest, report.books);
    if (report.window.endAtMs !== window.endAtMs) throw notOver(manifest, report.asOfMs);
    const changes = changesOf(manifest, report, new FiledRows(manifest, dataPath));
    return use({ asOfMs: report.asOfMs, changes });
  });
}

function notOver({ window }: Manifest, asOfMs: number): JobhoursError {
  return new JobhoursError(
    'PERIOD_OPEN',
    `the filed window ends at ${window.end}, after the database's now (${instantText(asOfMs)}): is the clock wrong?`,
    { end: window.end, asOfMs },
  );
}

async function* changesOf(
  { periods }: Manifest,
  report: UsageReport,
  data: FiledRows,
): AsyncGenerator<PeriodChange> {
  let next = 0;
  for await (const present of rowsByPeriod(report.periods(), report.rows)) {
    const start = instantText(present.startAtMs);
    // Instants of one form sort as texts do. Starts differ only when the zone's own rules were changed since.
    for (let gone = periods[next]; gone !== undefined && gone.start < start; gone = periods[next]) {
      next += 1;
      yield periodChange(gone, null, await data.of(gone.start), data);
    }
    const filed = periods[next]?.start === start ? periods[next] : undefined;
    if (filed !== undefined) next += 1;
    if (filed?.sha256 === figuresOf(present).digest && filed.end === instantText(present.endAtMs)) {
      continue;
    }
    yield periodChange(filed ?? null, present, await data.of(start), data);
  }
  for (const gone of periods.slice(next)) {
    yield periodChange(gone, null, await data.of(gone.start), data);
  }
}

function periodChange(
  filed: FiledPeriod | null,
  present: RowsOfPeriod | null,
  rows: readonly FiledRow[],
  data: FiledRows,
): PeriodChange {
  const groups = data.hasGroups ? groupChanges(rows, present) : [];
  const others = groups.slice(NAMED_GROUPS);
  return {
    label: filed?.label ?? present?.label ?? '',
    start: filed?.start ?? instantText(present?.startAtMs ?? 0),
    end: filed?.end ?? instantText(present?.endAtMs ?? 0),
    stateFiled: filed?.state ?? null,
    stateNow: present?.state ?? null,
    filed: filed === null ? NO_USAGE : amountsOfColumns(filed),
    now: present === null ? NO_USAGE : figuresOf(present).sums,
    groups: groups.slice(0, NAMED_GROUPS),
    others: others.length === 0 ? null : { ...sumOfChanges(others), count: others.length },
  };
}

function groupChanges(filed: readonly FiledRow[], present: RowsOfPeriod | null): GroupChange[] {
  const byKey = new Map<string, GroupChange>();
  const known = (key: string, group: Group): GroupChange =>
    byKey.get(key) ?? { group, filed: NO_USAGE, now: NO_USAGE };
  for (const { key, group, amounts } of filed) {
    const one = known(key, group);
    byKey.set(key, { ...one, filed: plus(one.filed, amounts, true) });
  }
  for (const row of present?.rows ?? []) {
    const group = { user: row.user, space: row.space, pool: row.pool };
    const key = groupKey(group);
    const one = known(key, group);
    byKey.set(key, { ...one, group, now: plus(one.now, row, true) });
  }
  return [...byKey.values()]
    .filter((change) => isSomething(differenceOf(change)))
    .sort((a, b) => compareSizes(differenceOf(a), differenceOf(b)));
}

/** What was added since it was filed; negative what was taken away. */
export function differenceOf({ filed, now }: Change): Amounts {
  return minus(now, filed);
}

/** Several changes as one. */
export function sumOfChanges(changes: readonly Change[]): Change {
  const none: Change = { filed: NO_USAGE, now: NO_USAGE };
  return changes.reduce<Change>(
    (sum, { filed, now }) => ({
      filed: plus(sum.filed, filed, true),
      now: plus(sum.now, now, true),
    }),
    none,
  );
}

/** The larger GPU time first, then the larger run time; the order in the answer otherwise. */
function compareSizes(a: Amounts, b: Amounts): number {
  const size = (amount: bigint): bigint => (amount < 0n ? -amount : amount);
  const order = size(b.milliGpuMs) - size(a.milliGpuMs) || size(b.runMs) - size(a.runMs);
  return order > 0n ? 1 : order < 0n ? -1 : 0;
}

/** The rows of the data file by period, read once and only as far as they are asked for, in time order. */
class FiledRows {
  readonly hasGroups: boolean;
  readonly #rows: AsyncIterator<FiledRow>;
  #next: Promise<IteratorResult<FiledRow>> | null = null;

  constructor({ by, data }: Manifest, path: string) {
    this.hasGroups = by.length > 0 && data.format !== 'table';
    this.#rows = filedRows(path, data.format);
  }

  /** The rows of the period that begins there; none when groups are not compared. */
  async of(start: string): Promise<readonly FiledRow[]> {
    const found: FiledRow[] = [];
    if (!this.hasGroups) return found;
    for (;;) {
      this.#next ??= this.#rows.next();
      const next = await this.#next;
      if (next.done === true || next.value.start > start) return found;
      if (next.value.start === start) found.push(next.value);
      this.#next = null;
    }
  }
}
