/**
 * The start screens of `dev` and `demo`: aligned lines of a label, a text and how long it took. Owns the
 * columns; what the lines say is the commands'.
 */
import { existsSync, readFileSync } from 'node:fs';

const LABEL_WIDTH = 15;
const TEXT_WIDTH = 64;

/** `PostgreSQL:    18.4 embedded, port 49213            ready in 0.5 s`; no time when it is null, no label when it is ''. */
export function screenLine(label: string, text: string, timing: string | null = null): string {
  const head = label === '' ? '' : `${label}:`;
  const start = head.padEnd(LABEL_WIDTH) + text;
  return timing === null ? start : `${start.padEnd(LABEL_WIDTH + TEXT_WIDTH)}  ${timing}`;
}

/** Milliseconds as seconds with one decimal: `0.5 s`. */
export function secondsText(lengthMs: number): string {
  return `${(lengthMs / 1000).toFixed(1)} s`;
}

/** A length of time for people: `40 s`, `12 min`, `3.5 h`. */
export function lengthText(lengthMs: number): string {
  const seconds = Math.max(1, Math.round(lengthMs / 1_000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** Digits in groups of three: `2 264`. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** `1 hour`, `744 hours`. */
export function countedText(count: number, noun: string): string {
  return `${countText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The version in package.json. */
export function productVersion(): string {
  const candidates = ['../../package.json', '../../../package.json'];
  const found = candidates.map((path) => new URL(path, import.meta.url)).find(existsSync);
  if (found === undefined) return 'unknown';
  return (JSON.parse(readFileSync(found, 'utf8')) as { version: string }).version;
}
