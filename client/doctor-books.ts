/** What `doctor` looks at in the books. Owns from when on something is wrong; what is so is said by the files that it asks. */
import { auditStanding } from '../db/audit-records.js';
import { readLedgerRows } from '../db/audit-store.js';
import { openBackfills } from '../db/backfill-store.js';
import { listBatches } from '../db/batch-store.js';
import { databaseNowMs } from '../db/books-store.js';
import { readCoverage } from '../db/coverage-store.js';
import type { Database } from '../db/database.js';
import { isPeriod } from '../domain/audit-plan.js';
import { ALL_TIME, gapAdvice, gapText, uncovered } from '../domain/coverage.js';
import type { Span } from '../domain/period.js';
import { instantText, MS_PER_DAY, MS_PER_HOUR } from '../domain/units.js';
import { notKnown, ok, shellWord, wrong, type Checks, type Diagnosis } from './doctor-check.js';
import { zoneDataVersion } from './doctor-servers.js';
import type { OpenBooks } from './open-books.js';
import { checkPeriods, type PeriodCheck } from './period-list.js';
import { overdueRuns } from './run-list.js';

/** A daily dump may be a day late before its source is said to miss something. */
const LATEST_DELIVERY_MS = 2 * MS_PER_DAY;
/** The audit is a daily one. */
const OLDEST_AUDIT_MS = 2 * MS_PER_DAY;
/** The longest that an import may take before it is said to be interrupted. */
const LONGEST_IMPORT_MS = MS_PER_HOUR;
const LONGEST_BACKFILL_MS = 2 * MS_PER_DAY;
/** A shorter pause is somebody's work; a longer one was forgotten. */
const LONGEST_PAUSE_MS = MS_PER_DAY;
/** What the keeper mends by itself, it should have mended this long after the books changed. */
const LONGEST_MENDING_MS = MS_PER_HOUR;
/** Overdue runs that are counted. */
const MOST_COUNTED = 1_000;

const NOT_BEGUN = 'the books have not begun: jobhours backfill create --start oldest';

/** Each reads by itself, by the clock of the database. */
export const BOOK_CHECKS: Checks<OpenBooks> = {
  'zone data': zoneData,
  coverage,
  'overdue runs': overdue,
  rejects,
  audit,
  periods,
  imports,
  backfills,
};

const counted = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

async function zoneData({ database, calendar }: OpenBooks): Promise<Diagnosis> {
  const rows = await readLedgerRows(database, ALL_TIME);
  const strays = rows.filter((row) => !isPeriod(calendar, row));
  const [first] = strays;
  const by = `${calendar.zone} by zone data ${zoneDataVersion()}`;
  if (first === undefined) return ok(`${counted(rows.length, 'period')} of the ledger fit ${by}`);
  return wrong(
    `${strays.length} of ${counted(rows.length, 'period')} of the ledger are none of ${by}, the first: ${first.granularity} ` +
      `[${instantText(first.startAtMs)}, ${instantText(first.endAtMs)})`,
    'jobhours periods clean',
  );
}

async function coverage({ database, books, calendar }: OpenBooks): Promise<Diagnosis> {
  const { sources } = await readCoverage(database);
  if (sources.length === 0) {
    return notKnown('not declared: jobhours import ... --covers A,B');
  }
  if (books.originAtMs === null) return notKnown(NOT_BEGUN);
  const nowMs = await databaseNowMs(database);
  const span = { startAtMs: books.originAtMs, endAtMs: nowMs };
  const isMissed = ({ startAtMs, endAtMs }: Span): boolean =>
    endAtMs < nowMs || endAtMs - startAtMs > LATEST_DELIVERY_MS;
  const gaps = sources.flatMap((source) => {
    const spans = uncovered(source, span).filter(isMissed);
    return spans.length === 0 ? [] : [{ kind: 'uncovered', source: source.name, spans } as const];
  });
  const [first] = gaps;
  if (first === undefined) return ok(`complete: ${sources.map(({ name }) => name).join(', ')}`);
  const [{ startAtMs, endAtMs } = span] = first.spans;
  const missing = `${calendar.localText(startAtMs)},${calendar.localText(endAtMs)}`;
  return wrong(
    gaps.map((gap) => gapText(gap, calendar)).join('; '),
    `jobhours import FORMAT FILE --source ${shellWord(first.source)} --covers ${missing}`,
  );
}

async function overdue({ database, calendar }: OpenBooks): Promise<Diagnosis> {
  const found = await overdueRuns(database, { user: null, source: null }, MOST_COUNTED);
  const [first] = found;
  if (first === undefined) return ok('none');
  const more = found.length >= MOST_COUNTED ? ' or more' : '';
  return wrong(
    `${counted(found.length, 'open run')}${more} should have ended, the oldest of ${first.user}, started ${calendar.localText(first.startedAtMs)}`,
    'jobhours run list --overdue',
  );
}

async function rejects({ database }: OpenBooks): Promise<Diagnosis> {
  const found = (await readCoverage(database)).rejects;
  if (found.length === 0) return ok('none is open');
  const records = found.reduce((sum, one) => sum + one.records, 0);
  return wrong(
    `${counted(records, 'rejected record')} of ${counted(found.length, 'import')}, the first is import ${found[0]?.batch ?? ''}: nobody dismissed them`,
    'jobhours import rejects list',
  );
}

async function audit({ database, books, calendar }: OpenBooks): Promise<Diagnosis> {
  const [{ newest, periodsWrong }, nowMs] = [
    await auditStanding(database),
    await databaseNowMs(database),
  ];
  if (periodsWrong > 0) {
    return wrong(
      `an audit found ${counted(periodsWrong, 'period')} that the runs say otherwise`,
      'jobhours periods check --deep',
    );
  }
  const mend = 'jobhours periods check --deep --sample 25';
  if (newest === null) {
    if (nowMs - books.openedAtMs <= OLDEST_AUDIT_MS) return notKnown(`none yet: ${mend}`);
    return wrong('nothing was ever recomputed from the runs', mend);
  }
  const when = `the newest (${newest.askedBy}) ended at ${calendar.localText(newest.endedAtMs)}`;
  if (nowMs - newest.endedAtMs > OLDEST_AUDIT_MS) {
    return wrong(`${when}, more than 2 days ago`, mend);
  }
  return ok(`no difference; ${when}`);
}

async function periods({ database, calendar, settings }: OpenBooks): Promise<Diagnosis> {
  const check = await checkPeriods(database, calendar, settings, () => ({}));
  if (check.originAtMs === null) return notKnown(NOT_BEGUN);
  const total = Object.values(check.checked).reduce((sum, count) => sum + count, 0);
  if (check.periods.length === 0) return ok(`${counted(total, 'period')} that are due: all good`);
  if (await isBeingMended(database, check)) {
    return ok(`${statesText(check.periods)} of ${counted(total, 'period')}: the keeper is at them`);
  }
  const command = check.periods.find(({ mend }) => mend.startsWith('jobhours '))?.mend;
  return wrong(
    `${statesText(check.periods)} of ${counted(total, 'period')}`,
    command ?? 'jobhours schedule trigger usage-month',
  );
}

/**
 * Whether all findings are mended by themselves or by an open backfill (of which another check says how it fares), and
 * one is being built just now, or they are so new that the keeper may still be at work.
 */
async function isBeingMended(
  database: Database,
  { asOfMs, periods: found }: PeriodCheck,
): Promise<boolean> {
  const isWaiting = ({ mend, state }: PeriodCheck['periods'][number]): boolean =>
    state === 'building' || (mend.startsWith('by ') && state !== 'failed');
  if (!found.every(isWaiting)) return false;
  if (found.some(({ state }) => state === 'building')) return true;
  const [newest] = await listBatches(database, 1);
  const changedAtMs = newest?.appliedAtMs ?? newest?.startedAtMs ?? 0;
  const isNew = (atMs: number): boolean => asOfMs - atMs <= LONGEST_MENDING_MS;
  return isNew(changedAtMs) || found.every((one) => one.state === 'missing' && isNew(one.endAtMs));
}

/** `3 missing, 1 stale`. */
function statesText(found: PeriodCheck['periods']): string {
  const counts = new Map<string, number>();
  for (const { state, periods: count } of found) {
    counts.set(state, (counts.get(state) ?? 0) + count);
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(', ');
}

async function imports({ database, calendar }: OpenBooks): Promise<Diagnosis> {
  const nowMs = await databaseNowMs(database);
  const { unfinished } = await readCoverage(database);
  const [first] = unfinished;
  if (first === undefined) return ok('all have finished');
  const { batch, input, startedAtMs, runs, appliedRuns } = first;
  const what = `import ${batch} (${input}, begun ${calendar.localText(startedAtMs)}) has applied ${appliedRuns} of its ${runs} runs`;
  const more = unfinished.length === 1 ? '' : `, and ${unfinished.length - 1} more`;
  if (nowMs - startedAtMs <= LONGEST_IMPORT_MS) {
    return notKnown(`${what}${more}: it runs still, or it was interrupted`);
  }
  return wrong(`${what}${more}`, gapAdvice({ kind: 'unfinished', ...first }));
}

async function backfills({ database, calendar }: OpenBooks): Promise<Diagnosis> {
  const nowMs = await databaseNowMs(database);
  const open = await openBackfills(database);
  const paused = open.filter(
    ({ pausedAtMs }) => pausedAtMs !== null && nowMs - pausedAtMs > LONGEST_PAUSE_MS,
  );
  const long = open.filter(
    (one) => one.pausedAtMs === null && nowMs - one.createdAtMs > LONGEST_BACKFILL_MS,
  );
  const told = [
    ...paused.map(
      ({ name, pausedAtMs }) => `${name} is paused since ${calendar.localText(pausedAtMs ?? 0)}`,
    ),
    ...long.map(
      ({ name, createdAtMs }) => `${name} is open since ${calendar.localText(createdAtMs)}`,
    ),
  ];
  if (told.length === 0) {
    const resting = open.filter(({ pausedAtMs }) => pausedAtMs !== null).length;
    const texts = [`${open.length - resting} at work`, `${resting} paused for less than a day`];
    return ok(open.length === 0 ? 'none is open' : texts.slice(0, resting > 0 ? 2 : 1).join(', '));
  }
  const [first] = paused;
  const mend =
    first === undefined
      ? `jobhours backfill show ${shellWord(long[0]?.name ?? '')}`
      : `jobhours backfill unpause ${shellWord(first.name)}`;
  return wrong(told.join('; '), mend);
}
