/** What was measured, as text for people: the terminal and RESULTS.md. Owns the words around the figures. */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { productVersion } from '../client/commands/screen.js';
import type { Bench, Finding, Table, Verdict } from './bench.js';
import { KNOWS_PROCESSOR_TIME } from './cost.js';
import type { Size } from './size.js';
import { STAGE_SETTINGS, type Stage } from './stage.js';

export type Results = readonly (readonly [Bench, Finding])[];

const verdictText = ({ isMet }: Verdict): string => (isMet ? 'met' : 'MISSED');

/** One line: `met      0.98x  (<= 1.20x)  what`. */
export function verdictLine(verdict: Verdict): string {
  const { target, bound, measured } = verdict;
  return `${verdictText(verdict).padEnd(7)} ${measured.padStart(9)}  (${bound})  ${target}`;
}

/** A table for the terminal, columns in line. */
export function tableLines({ caption, head, rows }: Table): string[] {
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')}`;
  return [caption, line(head), ...rows.map(line)];
}

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, at) => (at === 0 ? '---' : '--:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** From dist/bench to the sources. */
const SOURCES = new URL('../../', import.meta.url);

/** The commit of the sources; where there is no git, only the version is known. */
function commitText(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, {
        cwd: SOURCES,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }).trim();
    const changed = git('status', '--porcelain', '--', '*.ts', '*.sql', 'package-lock.json');
    return `, commit ${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ' with changes'}`;
  } catch {
    return '';
  }
}

/** Machine, date and versions. */
export function machineLines({ postgresVersion }: Stage, size: Size): string[] {
  const [cpu] = cpus();
  const clock = KNOWS_PROCESSOR_TIME
    ? 'PostgreSQL: processor time of the sessions that worked'
    : 'PostgreSQL: wall time, because this system does not tell processor time';
  return [
    `${new Date().toISOString().slice(0, 10)}, jobhours ${productVersion()}${commitText()}, size ${size.name}`,
    `${cpus().length} x ${cpu?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${process.platform}, Node ${process.versions.node}, PostgreSQL ${postgresVersion}`,
    `PostgreSQL's settings: ${Object.entries(STAGE_SETTINGS)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')}; fsync and full_page_writes on`,
    `Wall: what a clock on the wall shows. ${clock}. Node: processor time of the program that asks. Each figure is a median; each ratio the median of the rounds' ratios.`,
  ];
}

const INTRODUCTION = `# Results of the bench

Written by \`npm run bench\`; not edited by hand. A ratio compares two pieces of work of one run, on the same data, round by
round; times alone say little, because machines differ. Where rivals are compared, their answers were equal to the
millisecond, or the bench would have stopped.`;

/** RESULTS.md. */
export function resultsText(results: Results, machine: readonly string[], picture: string): string {
  const verdicts = results.flatMap(([, finding]) => finding.verdicts);
  const met = verdicts.filter(({ isMet }) => isMet).length;
  const targets = markdownTable(
    ['target', 'bound', 'measured', 'verdict'],
    verdicts.map((one) => [one.target, one.bound, one.measured, verdictText(one)]),
  );
  const parts = results.map(([bench, { tables, notes = [] }]) =>
    [
      `## ${bench.title}`,
      `\`npm run bench -- ${bench.name}\``,
      ...tables.map(({ caption, head, rows }) => `${caption}:\n\n${markdownTable(head, rows)}`),
      ...notes,
    ].join('\n\n'),
  );
  return [
    INTRODUCTION,
    machine.map((line) => `- ${line}`).join('\n'),
    `## Targets\n\n${met} of ${verdicts.length} met.\n\n${targets}`,
    `## Growth\n\n![How costs grow](${picture})`,
    ...parts,
    '',
  ].join('\n\n');
}
