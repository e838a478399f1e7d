/** Transactions that lost against another one and can be tried again. Owns how often. */
import { isJobhoursError } from '../domain/errors.js';

const TRIES = 5;

/** What `work` returns; tried again after REPLAN, five times in all. */
export async function retried<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (tries >= TRIES || !isJobhoursError(error, 'REPLAN')) throw error;
    }
  }
}
