/**
 * Progress on stderr: a bar on a terminal, else a plain line now and then. Owns nothing of what is counted.
 */
import cliProgress from 'cli-progress';
import type { CommandContext } from './context.js';

/** Plain lines come no more often than this. */
const LINE_EVERY_MS = 5_000;

export class Progress {
  readonly #bar: cliProgress.SingleBar | null;
  #isStarted = false;
  #lastLineMs = Number.NEGATIVE_INFINITY;
  #lastText = '';

  constructor(
    private readonly context: Pick<CommandContext, 'isInteractive' | 'note'>,
    private readonly unit: string,
  ) {
    this.#bar = context.isInteractive
      ? new cliProgress.SingleBar(
          {
            format: `{bar} {value} of {total} ${unit}  {percentage}%`,
            stream: process.stderr,
            clearOnComplete: true,
            hideCursor: false,
          },
          cliProgress.Presets.shades_classic,
        )
      : null;
  }

  /** `done` of `of` are done. */
  show(done: number, of: number): void {
    if (this.#bar !== null) {
      if (this.#isStarted) this.#bar.update(done);
      else this.#bar.start(of, done);
      this.#isStarted = true;
      return;
    }
    const text = `${done} of ${of} ${this.unit}`;
    const nowMs = performance.now();
    if (text === this.#lastText || nowMs - this.#lastLineMs < LINE_EVERY_MS) return;
    this.#lastLineMs = nowMs;
    this.#lastText = text;
    this.context.note(text);
  }

  /** Takes the bar away. */
  end(): void {
    this.#bar?.stop();
  }
}
