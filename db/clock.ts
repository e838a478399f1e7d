/**
 * This machine's clock against the database's, which is the one that decides what is over (db/books-store.ts). Owns how
 * far they may be apart.
 */
import { JobhoursError } from '../domain/errors.js';
import { instantText, MS_PER_MINUTE, MS_PER_SECOND } from '../domain/units.js';
import { databaseNowMs } from './books-store.js';
import type { Session } from './database.js';

/** Inclusive. Feeds may lie as far in the future (TIME_FUTURE). */
const LONGEST_SKEW_MS = 5 * MS_PER_MINUTE;

/** Two clocks at one instant, in ms. */
export interface ClockReading {
  readonly databaseMs: number;
  readonly ownMs: number;
  /** This machine's minus the database's. */
  readonly skewMs: number;
  /** Half of the round trip: how wrong `skewMs` may be. */
  readonly uncertaintyMs: number;
}

/** Asks the database what time it is; this machine's instant is the middle of the round trip. */
export async function readClocks(session: Session, ownNowMs: () => number): Promise<ClockReading> {
  const askedAtMs = ownNowMs();
  const databaseMs = await databaseNowMs(session);
  const uncertaintyMs = Math.max(0, ownNowMs() - askedAtMs) / 2;
  const ownMs = Math.round(askedAtMs + uncertaintyMs);
  return { databaseMs, ownMs, skewMs: ownMs - databaseMs, uncertaintyMs };
}

/**
 * The database's clock, in ms. CLOCK_SKEW when `ownNowMs` is surely more than 5 minutes away from it, with both
 * instants, their difference and what to do (faults.md F20).
 */
export async function requireClock(session: Session, ownNowMs: () => number): Promise<number> {
  const { databaseMs, ownMs, skewMs, uncertaintyMs } = await readClocks(session, ownNowMs);
  if (Math.abs(skewMs) - uncertaintyMs <= LONGEST_SKEW_MS) return databaseMs;
  const seconds = Math.round(Math.abs(skewMs) / MS_PER_SECOND);
  throw new JobhoursError(
    'CLOCK_SKEW',
    `the clocks are ${seconds} s apart, 5 minutes are allowed: this machine says ${instantText(ownMs)}, the database ${instantText(databaseMs)}. Set the one that is wrong (timedatectl shows whether a clock is synchronized), then try again`,
    { ownMs, databaseMs, skewMs },
  );
}
