/** How far an import is, on stderr. Owns the line and how often it is written. */
import { MS_PER_SECOND } from '../../domain/units.js';
import type { ImportProgress } from '../import-runs.js';
import type { CommandContext } from './context.js';
import { countText } from './screen.js';

const LINE_EVERY_MS = 2 * MS_PER_SECOND;

/** A line that replaces itself on a terminal; elsewhere a plain line at most every 2 s. */
export function importProgress(context: CommandContext): {
  readonly show: (progress: ImportProgress) => void;
  readonly end: () => void;
} {
  const rewrite = (text: string): void => {
    if (context.isInteractive) process.stderr.write(`\r\x1b[2K${text}`);
  };
  let lastMs = performance.now();
  return {
    show: (progress) => {
      const nowMs = performance.now();
      if (nowMs - lastMs < (context.isInteractive ? 100 : LINE_EVERY_MS)) return;
      lastMs = nowMs;
      if (context.isInteractive) rewrite(progressText(progress));
      else context.note(progressText(progress));
    },
    end: () => rewrite(''),
  };
}

function progressText({ step, bytes, totalBytes, records }: ImportProgress): string {
  if (step === 'judge') return 'checking keys ...';
  if (step === 'wait') return 'waiting until another import is applied ...';
  if (step === 'apply') return `applied ${countText(records)} runs ...`;
  const share =
    totalBytes === null
      ? ''
      : `${Math.floor((100 * bytes) / Math.max(1, totalBytes))}% of the file, `;
  return `read ${share}${countText(records)} records ...`;
}
