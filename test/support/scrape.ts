/** Reads a Prometheus endpoint as Prometheus does. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The text that an endpoint serves; empty when it serves nothing yet. */
export async function scrapeText(address: string): Promise<string> {
  try {
    return await (await fetch(`http://${address}/metrics`)).text();
  } catch {
    return '';
  }
}

/** The lines of a text that are about our metrics. */
export function ownLines(text: string): string {
  const isOwn = (line: string): boolean => /^(# (HELP|TYPE) )?jobhours_/.test(line);
  return text.split('\n').filter(isOwn).join('\n').concat('\n');
}

/** The samples of a text. */
export function samplesOf(text: string): Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      const pairs = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', of = '']) => [
        key,
        of,
      ]);
      return {
        name,
        labels: Object.fromEntries(pairs) as Record<string, string>,
        value: Number(value),
      };
    });
}
