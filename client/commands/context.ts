/**
 * What every command gets: the settings, its books, Temporal, where to print, and when to stop.
 * Owns opening and closing them around a command's work; which servers they are is joining.ts.
 */
import { resolve } from 'node:path';
import { openBooksAt, type OpenBooks } from '../open-books.js';
import type { TemporalClient } from '../temporal.js';
import { JobhoursError } from '../../domain/errors.js';
import { EMBEDDED_ZONE, parseSettings, type Settings } from '../../domain/settings.js';
import { limitsOf } from '../../domain/workflow-input.js';
import { joinServers, type JoinedServers } from './joining.js';
import { booksHome, shownHome, type TemporalTarget } from './servers.js';
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
   * on the embedded PostgreSQL of `<HOME>/books`, started for as long as `work` takes. A command that only looks opens
   * and creates none: NOT_FOUND. One that `opens new books` says first where, and in which zone.
   */
  withBooks<T>(work: (open: OpenBooks) => Promise<T>, opens?: 'opens new books'): Promise<T>;
  /**
   * The same with Temporal. TEMPORAL_MISSING when none is given and neither `dev` nor `demo` runs. A command that `opens
   * new books` does so in a given database only.
   */
  withTemporal<T>(
    work: (open: OpenBooksAndTemporal) => Promise<T>,
    opens?: 'opens new books',
  ): Promise<T>;
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
  #isAnnounced = false;
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
    const onCreate = opens === undefined ? undefined : () => this.#announceBooks();
    return this.withServers(
      (servers) => this.#withOpen(servers, opens !== undefined, work),
      onCreate,
    );
  }

  /** Runs `work` on the address of the database, whatever its schema is. NOT_FOUND when it would have to be created. */
  withDatabase<T>(work: (databaseUrl: string) => Promise<T>, creates?: 'creates it'): Promise<T> {
    const onCreate = creates === undefined ? undefined : () => undefined;
    return this.withServers(({ databaseUrl }) => work(databaseUrl), onCreate);
  }

  withTemporal<T>(
    work: (open: OpenBooksAndTemporal) => Promise<T>,
    opens?: 'opens new books',
  ): Promise<T> {
    return this.withServers(async (servers) => {
      const { temporal: target } = servers;
      if (target === undefined) throw noTemporal();
      const mayOpen = opens !== undefined && this.settings.databaseUrl !== null;
      return this.#withOpen(servers, mayOpen, async (open) => {
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

  /**
   * Runs `work` on the servers that `withBooks` and `withTemporal` take, whatever is in them. `onCreate` is called before
   * an embedded PostgreSQL is created; without it that is NOT_FOUND.
   */
  async withServers<T>(
    work: (servers: JoinedServers) => Promise<T>,
    onCreate?: () => void,
  ): Promise<T> {
    const { command, stopping } = this.options;
    const servers = await joinServers({
      ...{ settings: this.settings, command, stopping },
      note: (text) => this.note(text),
      ...(onCreate === undefined ? {} : { onCreate }),
    });
    try {
      return await work(servers);
    } finally {
      await servers.leave();
    }
  }

  /** Says once where new books are opened and in which zone. */
  #announceBooks(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    const { settings } = this;
    const where = settings.databaseUrl === null ? shownHome(booksHome(settings)) : 'DATABASE_URL';
    const zone = settings.zone ?? `${EMBEDDED_ZONE} (JOBHOURS_ZONE is not set)`;
    this.note(`Opening new books in ${where}, zone ${zone}, which is fixed for ever`);
  }

  async #withOpen<T>(
    { databaseUrl, isOwn, temporal }: JoinedServers,
    opens: boolean,
    work: (open: OpenBooks) => Promise<T>,
  ): Promise<T> {
    const { settings } = this;
    const open = await openBooksAt({
      ...{ databaseUrl, settings, opens, isDemo: false },
      isEmbedded: isOwn,
      defaultZone: isOwn ? EMBEDDED_ZONE : null,
      folder: settings.databaseUrl === null ? shownHome(resolve(settings.home)) : null,
    });
    if (open.isNew === true) this.#announceBooks();
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
