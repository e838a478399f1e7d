/** README as tests read it: its sections, and the commands of their shell blocks as a shell would split them. */
import { readFileSync } from 'node:fs';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');

/** The text below a heading such as `### Slurm`, up to the next heading of its level or above. */
export function sectionOf(heading: string): string {
  const [, text] = README.split(`\n${heading}\n`);
  if (text === undefined) throw new Error(`README has no '${heading}'`);
  const level = heading.indexOf(' ');
  return text.split(new RegExp(`\\n#{1,${level}} `))[0] ?? '';
}

/** Headings directly below a section, in order: `### Slurm`. */
export function headingsBelow(heading: string): string[] {
  const level = heading.indexOf(' ') + 1;
  const pattern = new RegExp(`^${'#'.repeat(level)} .*$`, 'gm');
  return [...sectionOf(heading).matchAll(pattern)].map(([line]) => line);
}

export function shellBlocksOf(section: string): string[] {
  return [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block);
}

/** The words after `npx jobhours` of every such command in the section's shell blocks. */
export function commandsOf(section: string): string[][] {
  return shellBlocksOf(section)
    .flatMap((block) => block.split('\n'))
    .flatMap((line) => /(?:^| )npx jobhours (.*?)(?:\s+#.*)?$/.exec(line)?.[1] ?? [])
    .map((line) => [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word));
}
