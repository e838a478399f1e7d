/**
 * Ctrl-C and SIGTERM. Owns what happens at the first one and what must be closed before the process ends.
 * Servers that this process started die with it in any case (local/process.ts); closing them is kinder.
 */

type Close = () => Promise<void>;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Longer than a fast shutdown of PostgreSQL takes, shorter than a person's patience. */
const CLOSING_DEADLINE_MS = 15_000;

export class Stopping {
  readonly #closers = new Set<Close>();
  #waiting: (() => void)[] = [];
  #stopped = false;
  #interrupted = false;
  /** Settles when an interruption has closed everything; pending for ever without one. */
  readonly interrupted: Promise<void>;

  /** What to do after an interruption, for its error. */
  advice = 'the same command again finishes what was begun';

  private constructor() {
    this.interrupted = new Promise((resolve) => {
      for (const signal of SIGNALS) process.on(signal, () => this.#onSignal(resolve));
    });
  }

  /** Takes over the signals of this process. */
  static listen(): Stopping {
    return new Stopping();
  }

  #onSignal(resolveInterrupted: () => void): void {
    // Whoever asks twice does not want to wait.
    if (this.#stopped) process.exit(130);
    this.#stopped = true;
    if (this.#waiting.length === 0) {
      this.#interrupted = true;
      void this.closeAll().then(resolveInterrupted);
      return;
    }
    for (const resolve of this.#waiting) resolve();
    this.#waiting = [];
  }

  /** True from a signal on that nobody waited for. */
  get isInterrupted(): boolean {
    return this.#interrupted;
  }

  /** Resolves at the first signal, which then interrupts nothing. */
  untilStopped(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) resolve();
      else this.#waiting.push(resolve);
    });
  }

  /** Notes what to close at an interruption; the returned function closes it now, once. */
  closing(close: Close): Close {
    let result: Promise<void> | null = null;
    const once: Close = () => {
      this.#closers.delete(once);
      result ??= close();
      return result;
    };
    this.#closers.add(once);
    return once;
  }

  /** Closes what is noted, the latest first; gives up after 15 s. */
  async closeAll(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSING_DEADLINE_MS);
    });
    await Promise.race([this.#closeInTurn(), late]);
    clearTimeout(timer);
  }

  async #closeInTurn(): Promise<void> {
    for (const close of [...this.#closers].reverse()) await close().catch(() => undefined);
  }
}
