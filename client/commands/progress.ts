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
            format: `{bar} {value} of {total} ${unit}  {percentage}%  {tail}`,
            stream: process.stderr,
            clearOnComplete: true,
            hideCursor: false,
          },
          cliProgress.Presets.shades_classic,
        )
      : null;
  }

  /** `done` of `of` are done; `tail` follows them. */
  show(done: number, of: number, tail = ''): void {
    if (this.#bar !== null) {
      if (this.#isStarted) this.#bar.update(done, { tail });
      else this.#bar.start(of, done, { tail });
      this.#isStarted = true;
      return;
    }
    const text = `${done} of ${of} ${this.unit}${tail === '' ? '' : `, ${tail}`}`;
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
