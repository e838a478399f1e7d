/**
 * What every command gets: the settings, its books, Temporal, where to print, and when to stop.
 * Owns opening and closing them around a command's work; which servers they are is joining.ts.
 */
import { openBooksAt, type OpenBooks } from '../open-books.js';
import type { TemporalClient } from '../temporal.js';
import { JobhoursError } from '../../domain/errors.js';
import { EMBEDDED_ZONE, parseSettings, type Settings } from '../../domain/settings.js';
import { limitsOf } from '../../domain/workflow-input.js';
import { joinServers, type JoinedServers } from './joining.js';
import type { TemporalTarget } from './servers.js';
import type { Stopping } from './stopping.js';

export type { OpenBooks } from '../open-books.js';

/** Books together with a connection to the Temporal server that works for them. */
export interface OpenBooksAndTemporal extends OpenBooks {
  readonly temporal: TemporalClient;
}

export interface CommandContext {
  /** CONFIG or ZONE_UNKNOWN when the environment says something that is not allowed. */
  readonly settings: Settings;
  /**
   * Runs `work` on the books: those of DATABASE_URL, else of a running `dev`, else of a running `demo`, else
   * on the embedded PostgreSQL of `<HOME>/books`, started for as long as `work` takes. The zone of books is fixed for
   * ever, so new ones are opened only when JOBHOURS_ZONE says it or the command `opens new books`; else NOT_FOUND.
   */
  withBooks<T>(work: (open: OpenBooks) => Promise<T>, opens?: 'opens new books'): Promise<T>;
  /** The same with Temporal. TEMPORAL_MISSING when none is given and neither `dev` nor `demo` runs. */
  withTemporal<T>(work: (open: OpenBooksAndTemporal) => Promise<T>): Promise<T>;
  /**
   * Tells the keeper that something changed in the books that were opened last. Null when it was woken,
   * else the command that brings the books up to date.
   */
  wakeKeeper(): Promise<string | null>;
  /** A line to stdout: data. */
  print(text: string): void;
  /** A line to stderr: progress, notes, hints. */
  note(text: string): void;
  /** True when stderr is a terminal that can move its cursor. */
  readonly isInteractive: boolean;
  /**
   * Resolves at Ctrl-C or SIGTERM. A command that waits for it ends by itself, with exit status 0, after
   * tidying up; every other one is ended by the frame with 130.
   */
  untilStopped(): Promise<void>;
  /** What the error of an interruption advises from now on. */
  whenInterrupted(advice: string): void;
}

/** What was opened last, for a wake after its work is done. */
interface LastOpened {
  readonly booksName: string;
  readonly temporal: TemporalTarget | undefined;
}

export interface ContextOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How this process calls itself to others: `jobhours import`. */
  readonly command: string;
  readonly stopping: Stopping;
}

export class ProcessContext implements CommandContext {
  #settings: Settings | null = null;
  #last: LastOpened | null = null;
  readonly isInteractive = process.stderr.isTTY && process.env['TERM'] !== 'dumb';

  constructor(private readonly options: ContextOptions) {}

  get settings(): Settings {
    this.#settings ??= parseSettings(this.options.environment);
    return this.#settings;
  }

  get stopping(): Stopping {
    return this.options.stopping;
  }

  withBooks<T>(work: (open: OpenBooks) => Promise<T>, opens?: 'opens new books'): Promise<T> {
    return this.#withServers(async (servers) => {
      const defaultZone = servers.isOwn && opens !== undefined ? EMBEDDED_ZONE : null;
      return this.#withOpen(servers, defaultZone, work);
    });
  }

  /** Runs `work` on the address of the database, whatever its schema is. */
  withDatabase<T>(work: (databaseUrl: string) => Promise<T>): Promise<T> {
    return this.#withServers(({ databaseUrl }) => work(databaseUrl));
  }

  withTemporal<T>(work: (open: OpenBooksAndTemporal) => Promise<T>): Promise<T> {
    return this.#withServers(async (servers) => {
      const { temporal: target } = servers;
      if (target === undefined) throw noTemporal();
      return this.#withOpen(servers, null, async (open) => {
        const { connectTemporal } = await import('../temporal.js');
        const temporal = await connectTemporal(target);
        try {
          return await work({ ...open, temporal });
        } finally {
          await temporal.close();
        }
      });
    });
  }

  async wakeKeeper(): Promise<string | null> {
    const last = this.#last;
    if (last === null || last.temporal === undefined) return 'jobhours dev';
    try {
      const [{ connectTemporal }, { wakeKeeper }] = await Promise.all([
        import('../temporal.js'),
        import('../keeper.js'),
      ]);
      const temporal = await connectTemporal(last.temporal);
      try {
        await wakeKeeper(temporal, last.booksName, 'month', limitsOf(this.settings));
      } finally {
        await temporal.close();
      }
      return null;
    } catch (error) {
      this.note(
        `the keeper was not woken: ${error instanceof Error ? error.message : String(error)}`,
      );
      return 'jobhours schedule trigger usage-month';
    }
  }

  print(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  untilStopped(): Promise<void> {
    return this.stopping.untilStopped();
  }

  whenInterrupted(advice: string): void {
    this.stopping.advice = advice;
  }

  #join(): Promise<JoinedServers> {
    const { command, stopping } = this.options;
    const note = (text: string): void => this.note(text);
    return joinServers({ settings: this.settings, command, stopping, note });
  }

  async #withServers<T>(work: (servers: JoinedServers) => Promise<T>): Promise<T> {
    const servers = await this.#join();
    try {
      return await work(servers);
    } finally {
      await servers.leave();
    }
  }

  async #withOpen<T>(
    { databaseUrl, isOwn, temporal }: JoinedServers,
    defaultZone: string | null,
    work: (open: OpenBooks) => Promise<T>,
  ): Promise<T> {
    const { settings } = this;
    const open = await openBooksAt({
      ...{ databaseUrl, settings, defaultZone },
      isEmbedded: isOwn,
      isDemo: false,
    });
    if (open.isNew === true) {
      this.note(`Books opened in the zone ${open.books.zone}, which is fixed for ever`);
    }
    this.#last = { booksName: open.books.name, temporal };
    try {
      return await work(open);
    } finally {
      await open.database.close();
    }
  }
}

function noTemporal(): JobhoursError {
  return new JobhoursError(
    'TEMPORAL_MISSING',
    "this command needs Temporal: start 'jobhours dev' in another terminal, or set TEMPORAL_ADDRESS to a running server",
  );
}
