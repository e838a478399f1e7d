/**
 * `npm run bench`: measures the product beside its targets (DESIGN section 15) and its rivals. Owns the arguments and
 * where results go; which benches there are is run-benches.ts.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { Curve } from './bench.js';
import { curvesSvg } from './picture.js';
import { resultsText, tableLines, verdictLine, type Results } from './results.js';
import { BENCHES, runBenches } from './run-benches.js';
import { SIZES } from './size.js';

const PICTURE = 'growth.svg';
/** From dist/bench to the sources. */
const FOLDER = new URL('../../bench/', import.meta.url);

function print(results: Results, machine: readonly string[]): void {
  const lines = results.flatMap(([bench, { tables, notes = [] }]) => [
    '',
    `== ${bench.title} (${bench.name})`,
    ...tables.flatMap((table) => ['', ...tableLines(table)]),
    ...notes.map((note) => `\n${note}`),
  ]);
  const verdicts = results.flatMap(([, { verdicts: ofOne }]) => ofOne);
  const met = verdicts.filter(({ isMet }) => isMet).length;
  const closing = [
    '',
    ...verdicts.map(verdictLine),
    '',
    `${met} of ${verdicts.length} targets met`,
  ];
  process.stdout.write([...machine, ...lines, ...closing, ''].join('\n'));
}

function write(results: Results, machine: readonly string[]): void {
  const curves = results.flatMap(([, finding]): readonly Curve[] => finding.curves ?? []);
  writeFileSync(fileURLToPath(new URL(PICTURE, FOLDER)), curvesSvg(curves));
  writeFileSync(
    fileURLToPath(new URL('RESULTS.md', FOLDER)),
    resultsText(results, machine, PICTURE),
  );
}

interface Flags {
  readonly quick?: true;
  readonly full?: true;
}

async function main(names: readonly string[], { quick, full }: Flags): Promise<void> {
  const startedMs = performance.now();
  const size = SIZES[quick ? 'quick' : full ? 'full' : 'usual'];
  const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) {
    const known = BENCHES.map(({ name }) => name).join(', ');
    program.error(`no bench is called '${unknown}': there are ${known}`, { exitCode: 2 });
  }
  const asked = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name));
  const say = (text: string): void => {
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0).padStart(5);
    process.stderr.write(`${seconds} s  ${text}\n`);
  };
  const { results, machine } = await runBenches(asked, size, say);
  print(results, machine);
  if (size.name !== 'quick' && asked.length === BENCHES.length) {
    write(results, machine);
    say('written: bench/RESULTS.md and its picture');
  } else {
    say('bench/RESULTS.md is as it was: it is written by a run of all benches without --quick');
  }
  say('done');
  if (results.some(([, { verdicts }]) => verdicts.some(({ isMet }) => !isMet))) {
    process.exitCode = 5;
  }
}

const program = new Command('npm run bench --')
  .description(
    'Measures jobhours beside its targets and its rivals, on a PostgreSQL server of its own.',
  )
  .argument(
    '[NAME...]',
    `benches to run, default all: ${BENCHES.map(({ name }) => name).join(', ')}`,
  )
  .option('--quick', 'small data, below 3 minutes; its verdicts are hints')
  .option('--full', 'more rounds, more ingest, a year of 10 million runs')
  .action(main);
await program.parseAsync();
